#pragma once

// NBD, the protocol of network block devices, as far as both sides need it: its numbers, and
// messages of big-endian integers over a stream socket. The protocol is described in
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace examples::nbd {

constexpr std::uint64_t greeting_magic = 0x4e42444d41474943;      // "NBDMAGIC"
constexpr std::uint64_t option_magic = 0x49484156454f5054;        // "IHAVEOPT"
constexpr std::uint64_t option_reply_magic = 0x0003e889045565a9;  // no text
constexpr std::uint32_t request_magic = 0x25609513;
constexpr std::uint32_t reply_magic = 0x67446698;

// Both sides say in the greeting that they are of the "fixed newstyle", in which options that are
// not known are refused in words, and that 124 zeros of the older style are left out.
constexpr std::uint16_t fixed_newstyle = 1;
constexpr std::uint16_t no_zeroes = 2;

/// What a client asks for before it has an export.
enum class Option : std::uint32_t { export_name = 1, abort = 2, list = 3, info = 6, go = 7 };

enum class OptionReply : std::uint32_t {
  ack = 1,
  server = 2,  // the name of an export
  info = 3,
  unsupported = 0x80000001,
  invalid = 0x80000003,
  unknown = 0x80000006,  // there is no such export
};

constexpr std::uint16_t info_export = 0;
constexpr std::uint16_t info_block_size = 3;

/// What a client asks of an export.
enum class Command : std::uint16_t {
  read = 0,
  write = 1,
  disconnect = 2,
  flush = 3,
  trim = 4,
  write_zeroes = 6
};

// Flags of a request. "Force unit access": the reply comes when the bytes are on stable storage.
constexpr std::uint16_t force_unit_access = 1;
constexpr std::uint16_t no_hole = 2;

// Flags of an export.
constexpr std::uint16_t has_flags = 1;
constexpr std::uint16_t read_only = 2;
constexpr std::uint16_t takes_flush = 4;
constexpr std::uint16_t takes_force_unit_access = 8;
constexpr std::uint16_t takes_trim = 32;
constexpr std::uint16_t takes_write_zeroes = 64;
constexpr std::uint16_t many_connections = 256;  // what one of them flushes is so for all of them

/// Errors of a request. Numbers of the protocol, whatever errno is on a machine.
enum class Error : std::uint32_t {
  none = 0,
  permission = 1,
  input_output = 5,
  memory = 12,
  invalid = 22,
  no_space = 28,
};

constexpr std::uint32_t most_payload_bytes = 32 << 20;  // what every server should take
constexpr std::uint32_t most_option_bytes = 64 << 10;

struct Request {
  std::uint32_t magic = request_magic;
  std::uint16_t flags = 0;
  Command command = Command::read;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};
constexpr std::size_t request_bytes = 28;
constexpr std::size_t reply_bytes = 16;

/// A message that does not have what it should.
struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The other side is gone.
struct Disconnected : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Puts a message together.
class Writer {
 public:
  template <std::unsigned_integral T>
  Writer& put(T value) {
    for (std::size_t i = sizeof(T); i-- > 0;) {
      bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
    return *this;
  }

  template <typename T>
  requires std::is_enum_v<T> Writer& put(T value) {
    return put(static_cast<std::underlying_type_t<T>>(value));
  }

  Writer& put(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  Writer& put(const std::string& text) { return put(std::as_bytes(std::span(text))); }

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes a message apart. Throws Malformed where it ends too soon.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  requires std::unsigned_integral<T> || std::is_enum_v<T> T take() {
    std::uint64_t value = 0;
    for (const std::byte byte : take_bytes(sizeof(T))) {
      value = value << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return static_cast<T>(value);
  }

  std::string take_text(std::size_t length) {
    const auto bytes = take_bytes(length);
    std::string text(length, '\0');
    std::memcpy(text.data(), bytes.data(), length);
    return text;
  }

  void skip(std::size_t length) { take_bytes(length); }
  [[nodiscard]] bool is_empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> take_bytes(std::size_t length) {
    if (length > rest_.size()) throw Malformed("a message ends too soon");
    const auto bytes = rest_.first(length);
    rest_ = rest_.subspan(length);
    return bytes;
  }

  std::span<const std::byte> rest_;
};

/// A connected stream socket.
class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void send(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      // Not write(2): it would end the process by SIGPIPE when the client is gone.
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) throw Disconnected(std::generic_category().message(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }

  /// Fills all of `bytes`. They must not lie in a region: see disk.hpp.
  void receive(std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Disconnected(std::generic_category().message(errno));
      if (got == 0) throw Disconnected("the other side closed the connection");
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
  }

  [[nodiscard]] std::vector<std::byte> receive(std::size_t length) const {
    std::vector<std::byte> bytes(length);
    receive(std::span(bytes));
    return bytes;
  }

  /// Ends the connection; a thread that waits in send or receive gets Disconnected.
  void shut_down() const { ::shutdown(descriptor_, SHUT_RDWR); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace examples::nbd
