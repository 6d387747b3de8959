#pragma once

// The server's side of NBD: what a connection is asked, first for an export and then of it. It
// knows nothing of what the exports are made of.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "nbd.hpp"

namespace examples::nbd {

/// What clients see as a disk. Each connection has one of its own; calls are within bounds.
class Export {
 public:
  Export() = default;
  Export(const Export&) = delete;
  Export& operator=(const Export&) = delete;
  virtual ~Export() = default;

  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual std::uint16_t flags() const = 0;
  /// The bytes, where they lie or, if they may change, copied into `room`, which is that long.
  virtual std::span<const std::byte> read(std::uint64_t offset, std::span<std::byte> room) = 0;
  virtual void write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// `keeps_room`: a later write must not fail for want of memory.
  virtual void write_zeroes(std::uint64_t offset, std::size_t length, bool keeps_room) = 0;
  virtual void trim(std::uint64_t offset, std::size_t length) = 0;
  virtual void flush() = 0;
};

/// The exports that there are, by name. Called by any thread.
class Exports {
 public:
  Exports() = default;
  Exports(const Exports&) = delete;
  Exports& operator=(const Exports&) = delete;
  virtual ~Exports() = default;

  [[nodiscard]] virtual std::vector<std::string> names() = 0;
  /// Null if there is none of that name; the empty name is that of the first one.
  [[nodiscard]] virtual std::unique_ptr<Export> find(const std::string& name) = 0;
};

/// Serves one client from the greeting to its end.
class Session {
 public:
  Session(const Socket& socket, Exports& exports) : socket_(socket), exports_(exports) {}

  /// Throws Disconnected or Malformed where the client left or does not speak NBD: the connection
  /// is of no more use, all else is as it was.
  void run() {
    greet();
    if (const auto chosen = negotiate()) serve(*chosen);
  }

 private:
  void greet() {
    const auto flags = static_cast<std::uint16_t>(fixed_newstyle | no_zeroes);
    socket_.send(Writer().put(greeting_magic).put(option_magic).put(flags).bytes());
    const auto answer = socket_.receive(sizeof(std::uint32_t));
    const auto client_flags = Reader(answer).take<std::uint32_t>();
    if ((client_flags & ~std::uint32_t{flags}) != 0) throw Malformed("flags that nobody offered");
    leaves_zeroes_out_ = (client_flags & no_zeroes) != 0;
  }

  /// The export that the client chose; null if it went away without one.
  std::unique_ptr<Export> negotiate() {
    while (true) {
      const auto head = socket_.receive(sizeof(option_magic) + 2 * sizeof(std::uint32_t));
      Reader fields(head);
      if (fields.take<std::uint64_t>() != option_magic) throw Malformed("an option without magic");
      const auto option = fields.take<Option>();
      const auto length = fields.take<std::uint32_t>();
      if (length > most_option_bytes) throw Malformed("an option of more than 64 KiB");
      const auto data = socket_.receive(length);
      switch (option) {
        case Option::export_name: return choose_without_reply(Reader(data).take_text(length));
        case Option::abort: answer(option, OptionReply::ack); return nullptr;
        case Option::list: list(data); break;
        case Option::info:
        case Option::go:
          if (auto chosen = describe(option, data); chosen && option == Option::go) return chosen;
          break;
        default: answer(option, OptionReply::unsupported); break;
      }
    }
  }

  void answer(Option option, OptionReply reply, const Writer& data = {}) const {
    Writer message;
    message.put(option_reply_magic).put(option).put(reply);
    message.put(static_cast<std::uint32_t>(data.bytes().size())).put(data.bytes());
    socket_.send(message.bytes());
  }

  /// The oldest option has no way to refuse a name but to hang up.
  std::unique_ptr<Export> choose_without_reply(const std::string& name) {
    auto chosen = exports_.find(name);
    if (!chosen) throw Malformed("there is no export '" + name + "'");
    Writer message;
    message.put(chosen->size()).put(chosen->flags());
    if (!leaves_zeroes_out_) message.put(std::string(124, '\0'));
    socket_.send(message.bytes());
    return chosen;
  }

  void list(const std::vector<std::byte>& data) {
    if (!data.empty()) return answer(Option::list, OptionReply::invalid);
    for (const std::string& name : exports_.names()) {
      Writer entry;
      entry.put(static_cast<std::uint32_t>(name.size())).put(name);
      answer(Option::list, OptionReply::server, entry);
    }
    answer(Option::list, OptionReply::ack);
  }

  std::unique_ptr<Export> describe(Option option, const std::vector<std::byte>& data) {
    std::string name;
    try {
      Reader fields(data);
      name = fields.take_text(fields.take<std::uint32_t>());
      const auto wishes = fields.take<std::uint16_t>();  // it gets what it needs, asked or not
      fields.skip(wishes * sizeof(std::uint16_t));
      if (!fields.is_empty()) throw Malformed("an option that is too long");
    } catch (const Malformed&) {
      answer(option, OptionReply::invalid);
      return nullptr;
    }
    auto chosen = exports_.find(name);
    if (!chosen) {
      answer(option, OptionReply::unknown);
      return nullptr;
    }
    answer(option, OptionReply::info,
           Writer().put(info_export).put(chosen->size()).put(chosen->flags()));
    // Any offset and length will do, but whole pages are best: others are read, changed and copied.
    const auto page_bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    answer(option, OptionReply::info,
           Writer().put(info_block_size).put(1U).put(page_bytes).put(most_payload_bytes));
    answer(option, OptionReply::ack);
    return chosen;
  }

  void serve(Export& disk) {
    while (true) {
      const Request request = next_request();
      if (request.magic != request_magic) {  // what follows it may be anything
        reply(Error::invalid, request.cookie);
        throw Malformed("a request without magic");
      }
      if (request.command == Command::disconnect) return;
      // What a refused request brings along has to be read, too: the next one lies behind it.
      if (request.command == Command::write) receive_payload(request.length);
      Error error = what_forbids(request, disk);
      std::span<const std::byte> data;
      if (error == Error::none) error = carry_out(request, disk, data);
      reply(error, request.cookie, data);
    }
  }

  [[nodiscard]] Request next_request() const {
    std::array<std::byte, request_bytes> bytes{};
    socket_.receive(std::span(bytes));
    Reader fields(bytes);
    Request request;
    request.magic = fields.take<std::uint32_t>();
    request.flags = fields.take<std::uint16_t>();
    request.command = fields.take<Command>();
    request.cookie = fields.take<std::uint64_t>();
    request.offset = fields.take<std::uint64_t>();
    request.length = fields.take<std::uint32_t>();
    return request;
  }

  void receive_payload(std::size_t length) {
    // No client makes this process take more memory than the largest request that is allowed.
    while (length > most_payload_bytes) {
      const std::size_t part = std::min<std::size_t>(length - most_payload_bytes, 1 << 20);
      socket_.receive(room(part));
      length -= part;
    }
    socket_.receive(room(length));
  }

  std::span<std::byte> room(std::size_t length) {
    if (buffer_.size() < length) buffer_.resize(length);
    return std::span(buffer_).first(length);
  }

  [[nodiscard]] static Error what_forbids(const Request& request, const Export& disk) {
    const bool stores = request.command == Command::write || request.command == Command::trim ||
                        request.command == Command::write_zeroes;
    std::uint16_t known_flags = 0;
    if ((disk.flags() & takes_force_unit_access) != 0) known_flags |= force_unit_access;
    if (request.command == Command::write_zeroes) known_flags |= no_hole;
    if ((request.flags & ~known_flags) != 0) return Error::invalid;
    if (stores && (disk.flags() & read_only) != 0) return Error::permission;
    if (request.command == Command::flush) {
      return (disk.flags() & takes_flush) != 0 ? Error::none : Error::invalid;
    }
    if (request.command != Command::read && !stores) return Error::invalid;
    const bool has_payload = request.command == Command::read || request.command == Command::write;
    if (has_payload && request.length > most_payload_bytes) return Error::invalid;
    if (request.offset > disk.size() || request.length > disk.size() - request.offset) {
      const bool grows = stores && request.command != Command::trim;
      return grows ? Error::no_space : Error::invalid;
    }
    return Error::none;
  }

  Error carry_out(const Request& request, Export& disk, std::span<const std::byte>& data) {
    try {
      switch (request.command) {
        case Command::read: data = disk.read(request.offset, room(request.length)); break;
        case Command::write: disk.write(request.offset, room(request.length)); break;
        case Command::trim: disk.trim(request.offset, request.length); break;
        case Command::flush: disk.flush(); break;
        default:
          disk.write_zeroes(request.offset, request.length, (request.flags & no_hole) != 0);
          break;
      }
      const bool stored = request.command != Command::read && request.command != Command::flush;
      if (stored && (request.flags & force_unit_access) != 0) disk.flush();
      return Error::none;
    } catch (const std::bad_alloc&) {
      return Error::memory;
    } catch (const std::system_error& error) {
      const bool is_full = error.code() == std::errc::no_space_on_device;
      return is_full ? Error::no_space : Error::input_output;
    }
  }

  void reply(Error error, std::uint64_t cookie, std::span<const std::byte> data = {}) const {
    socket_.send(Writer().put(reply_magic).put(error).put(cookie).bytes());
    if (error == Error::none) socket_.send(data);
  }

  const Socket& socket_;
  Exports& exports_;
  std::vector<std::byte> buffer_;
  bool leaves_zeroes_out_ = false;
};

}  // namespace examples::nbd
