#pragma once

// What the server makes of clients that ask for what is not there, or do not speak NBD.

#include <cstdint>
#include <limits>
#include <string>

#include "stage.hpp"

namespace examples {

using nbd::Command;
using nbd::Error;

/// Whether the server has closed the connection.
inline bool is_hung_up_on(const nbd::Client& client) {
  try {
    (void)client.socket().receive(1);
    return false;
  } catch (const nbd::Disconnected&) {
    return true;
  }
}

inline void claim_options(Stage& stage) {
  using nbd::Option;
  using nbd::OptionReply;
  using nbd::Writer;
  const auto reply_to = [](const nbd::Client& client, Option option, const Writer& data) {
    client.send_option(option, data.bytes());
    return client.option_answer().reply;
  };
  nbd::Client client(stage.socket());
  claim(reply_to(client, Option{99}, Writer()) == OptionReply::unsupported,
        "an option that is not known is unsupported");
  claim(reply_to(client, Option::list, Writer().put(1U)) == OptionReply::invalid,
        "LIST with data is invalid");
  claim(reply_to(client, Option::go, Writer().put(1000U)) == OptionReply::invalid,
        "GO with a name longer than itself is invalid");
  const auto asked_for_gone = Writer().put(4U).put(std::string("gone")).put(std::uint16_t{0});
  claim(reply_to(client, Option::info, asked_for_gone) == OptionReply::unknown,
        "INFO on an export that is not there says so");
  claim(!client.go("disk@gone"), "GO on a snapshot that is not there says so");
  claim(client.list() == stage.disk.names(), "LIST names the disk and its snapshots");
  claim(client.go("") && client.size() == stage.disk.size(), "the disk is the default export");

  const nbd::Client leaving(stage.socket());
  claim(reply_to(leaving, Option::abort, Writer()) == OptionReply::ack, "ABORT is acknowledged");
  claim(is_hung_up_on(leaving), "ABORT ends the connection");

  const nbd::Client old(stage.socket());
  old.send_option(Option::export_name, Writer().put(std::string("disk")).bytes());
  const auto answer = old.socket().receive(10);
  claim(nbd::Reader(answer).take<std::uint64_t>() == stage.disk.size(),
        "EXPORT_NAME is answered with the size");
  const nbd::Client wrong(stage.socket());
  wrong.send_option(Option::export_name, Writer().put(std::string("gone")).bytes());
  claim(is_hung_up_on(wrong), "EXPORT_NAME on an export that is not there ends the connection");
  const nbd::Client stranger(stage.socket());
  stranger.socket().send(Writer().put(std::string("GET / HTTP/1.1\r\n\r\n")).bytes());
  claim(is_hung_up_on(stranger), "who does not speak NBD is hung up on");
  const nbd::Client greedy(stage.socket());
  greedy.socket().send(Writer().put(nbd::option_magic).put(Option::go).put(~0U).bytes());
  claim(is_hung_up_on(greedy), "an option of 4 GiB is not waited for");
}

inline void claim_requests(Stage& stage) {
  nbd::Client client = stage.connect();
  const std::uint64_t size = client.size();
  Bytes bytes(100, std::byte{1});
  const auto refused = [&](Command command, std::uint64_t offset, std::uint16_t flags = 0) {
    return client.ask(command, offset, 100, bytes, flags);
  };
  claim(refused(Command::read, size - 99) == Error::invalid, "a read past the end is invalid");
  claim(refused(Command::write, size - 99) == Error::no_space, "a write past it has no space");
  claim(refused(Command::trim, size - 99) == Error::invalid, "a trim past it is invalid");
  claim(refused(Command::write_zeroes, size - 99) == Error::no_space, "nor have zeros space there");
  const auto highest = std::numeric_limits<std::uint64_t>::max();
  claim(refused(Command::write, highest - 50) == Error::no_space, "ends do not wrap around");
  claim(refused(Command{77}, 0) == Error::invalid, "a command that is not known is invalid");
  claim(refused(Command::write, 0, 0x8000) == Error::invalid, "so is a flag");
  claim((client.flags() & nbd::takes_flush) == 0 && refused(Command::flush, 0) == Error::invalid &&
            refused(Command::write, 0, nbd::force_unit_access) == Error::invalid,
        "without a store nothing is promised to outlive the process");
  constexpr std::uint32_t too_much = nbd::most_payload_bytes + 1;
  Bytes many(too_much, std::byte{1});
  claim(client.ask(Command::read, 0, too_much) == Error::invalid,
        "a read of 32 MiB and 1 is too much");
  claim(client.write(0, many) == Error::invalid, "so is a write, which is read to its end");
  claim(same(client.read_all(), Bytes(size)), "what is refused stores nothing");
  claim(client.write(size - 100, bytes) == Error::none, "a write up to the end is not past it");
  claim(client.write(0, std::span(bytes).first(0)) == Error::none, "nothing can be written");

  stage.disk.snapshot("refusing");
  nbd::Client past = stage.connect("disk@refusing");
  claim((past.flags() & nbd::read_only) != 0, "a snapshot says that it is read-only");
  for (const auto command : {Command::write, Command::trim, Command::write_zeroes}) {
    claim(past.ask(command, 0, 100, bytes) == Error::permission, "a snapshot cannot be stored to");
  }
  stage.disk.drop("refusing");
  Bytes read(100);
  claim(past.read(size - 100, read) == Error::none && same(read, bytes),
        "a snapshot that is dropped is there for those who are connected to it");

  claim(client.ask(Command::read, 0, 1, bytes, 0, 0xbad) == Error::invalid && is_hung_up_on(client),
        "a request without magic is invalid, and the last one");
  nbd::Client leaving = stage.connect();
  leaving.ask(Command::disconnect, 0, 0);
  claim(is_hung_up_on(leaving), "DISC ends the connection");
}

/// A client that is gone in the middle of a write has written nothing.
inline void claim_half_a_write_is_none(Stage& stage) {
  const Bytes before = stage.connect().read_all();
  {
    const nbd::Client client = stage.connect();
    nbd::Writer half;
    half.put(nbd::request_magic).put(std::uint16_t{0}).put(Command::write).put(std::uint64_t{1});
    half.put(std::uint64_t{0}).put(1U << 20).put(std::string(1 << 19, 'x'));
    client.socket().send(half.bytes());
    ::shutdown(client.socket().descriptor(), SHUT_WR);  // and wait for what the server does
    claim(is_hung_up_on(client), "who stops in the middle of a write is hung up on");
  }
  claim(same(stage.connect().read_all(), before), "half a write stores nothing");
}

}  // namespace examples
