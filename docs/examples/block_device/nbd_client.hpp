#pragma once

// A client of NBD for the claims and measurements: it can also say what no client should.

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../measured.hpp"
#include "nbd.hpp"

namespace examples::nbd {

/// A socket that is connected to the Unix socket `path`.
inline Socket connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  claim(path.native().size() < sizeof(address.sun_path), "the name of the socket is short enough");
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  claim(descriptor >= 0, "there is a descriptor for a socket");
  Socket socket(descriptor);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect to " + path.string());
  }
  return socket;
}

struct OptionAnswer {
  OptionReply reply{};
  std::vector<std::byte> data;
};

class Client {
 public:
  explicit Client(const std::filesystem::path& path) : socket_(connect_to(path)) {
    const auto greeting = socket_.receive(18);
    Reader fields(greeting);
    claim(fields.take<std::uint64_t>() == greeting_magic, "a server of NBD greets");
    claim(fields.take<std::uint64_t>() == option_magic, "it is of the new style");
    claim((fields.take<std::uint16_t>() & fixed_newstyle) != 0, "of the fixed new style");
    socket_.send(Writer().put(std::uint32_t{fixed_newstyle | no_zeroes}).bytes());
  }

  /// Connects and takes the export `name` with the option GO, which must succeed.
  Client(const std::filesystem::path& path, const std::string& name) : Client(path) {
    claim(go(name), "there is an export " + name);
  }

  void send_option(Option option, std::span<const std::byte> data) const {
    Writer message;
    message.put(option_magic).put(option).put(static_cast<std::uint32_t>(data.size())).put(data);
    socket_.send(message.bytes());
  }

  [[nodiscard]] OptionAnswer option_answer() const {
    const auto head = socket_.receive(20);
    Reader fields(head);
    claim(fields.take<std::uint64_t>() == option_reply_magic, "an option's reply has its magic");
    fields.skip(sizeof(Option));
    OptionAnswer answer{fields.take<OptionReply>(), {}};
    answer.data = socket_.receive(fields.take<std::uint32_t>());
    return answer;
  }

  /// Whether there is an export of that name: size() and flags() are its, then.
  bool go(const std::string& name) {
    Writer data;
    data.put(static_cast<std::uint32_t>(name.size())).put(name).put(std::uint16_t{0});
    send_option(Option::go, data.bytes());
    while (true) {
      const OptionAnswer answer = option_answer();
      if (answer.reply == OptionReply::ack) return true;
      if (answer.reply != OptionReply::info) return false;
      Reader fields(answer.data);
      if (fields.take<std::uint16_t>() != info_export) continue;
      size_ = fields.take<std::uint64_t>();
      flags_ = fields.take<std::uint16_t>();
    }
  }

  /// The names of all exports.
  [[nodiscard]] std::vector<std::string> list() const {
    send_option(Option::list, {});
    std::vector<std::string> names;
    while (true) {
      const OptionAnswer answer = option_answer();
      if (answer.reply == OptionReply::ack) return names;
      claim(answer.reply == OptionReply::server, "LIST is answered with names");
      Reader fields(answer.data);
      names.push_back(fields.take_text(fields.take<std::uint32_t>()));
    }
  }

  /// One request and its reply; `data` of a write goes with it, that of a read comes into it.
  Error ask(Command command, std::uint64_t offset, std::uint32_t length,
            std::span<std::byte> data = {}, std::uint16_t flags = 0,
            std::uint32_t magic = request_magic) {
    Writer message;
    message.put(magic).put(flags).put(command).put(++cookie_).put(offset).put(length);
    socket_.send(message.bytes());
    if (command == Command::write) socket_.send(data);
    if (command == Command::disconnect) return Error::none;
    std::array<std::byte, reply_bytes> head{};
    socket_.receive(std::span(head));
    Reader fields(head);
    claim(fields.take<std::uint32_t>() == reply_magic, "a reply has its magic");
    const auto error = fields.take<Error>();
    claim(fields.take<std::uint64_t>() == cookie_, "a reply has the cookie of its request");
    if (command == Command::read && error == Error::none) socket_.receive(data);
    return error;
  }

  Error write(std::uint64_t offset, std::span<std::byte> bytes, std::uint16_t flags = 0) {
    return ask(Command::write, offset, static_cast<std::uint32_t>(bytes.size()), bytes, flags);
  }

  Error read(std::uint64_t offset, std::span<std::byte> bytes) {
    return ask(Command::read, offset, static_cast<std::uint32_t>(bytes.size()), bytes);
  }

  /// All of the export, by requests of 1 MiB.
  [[nodiscard]] std::vector<std::byte> read_all() {
    std::vector<std::byte> bytes(size_);
    constexpr std::size_t part = 1 << 20;
    for (std::size_t at = 0; at < bytes.size(); at += part) {
      const auto room = std::span(bytes).subspan(at, std::min(part, bytes.size() - at));
      claim(read(at, room) == Error::none, "a read within bounds succeeds");
    }
    return bytes;
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint16_t flags() const { return flags_; }
  [[nodiscard]] const Socket& socket() const { return socket_; }

 private:
  Socket socket_;
  std::uint64_t cookie_ = 0;
  std::uint64_t size_ = 0;
  std::uint16_t flags_ = 0;
};

}  // namespace examples::nbd
