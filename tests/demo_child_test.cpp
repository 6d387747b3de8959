// The child processes of `cow demo`: they answer, fail in words, and end with their parent's wish.

#include <signal.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "demo/kernel/child_process.hpp"
#include "demo/kernel/private_memory.hpp"
#include "sanitizer.hpp"
#include "support.hpp"
#include "tool/tool_error.hpp"

using cow::demo::ChildProcess;

namespace {

std::string error_of(ChildProcess& child, const std::string& request) {
  try {
    return "answered: " + child.ask(request);
  } catch (const cow::tool::ToolError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("A child answers with what it has in its own memory", "[demo]") {
  int asked = 0;
  ChildProcess child(
      [&asked](const std::string& request) { return request + " " + std::to_string(++asked); });
  CHECK(child.ask("one") == "one 1");
  CHECK(child.ask("two") == "two 2");
  CHECK(asked == 0);
  CHECK(child.end() == "it ended with 0");
}

TEST_CASE("What a child cannot do is an error in words, and it goes on", "[demo]") {
  ChildProcess child([](const std::string& request) -> std::string {
    if (request == "fail") throw std::runtime_error("no more pages");
    return "fine";
  });
  CHECK(error_of(child, "fail") == "the child process could not go on: no more pages");
  CHECK(child.ask("again") == "fine");
}

TEST_CASE("A child that crashed is told of with its signal, and again afterwards", "[demo]") {
  ChildProcess child([](const std::string&) {
    ::kill(::getpid(), SIGKILL);  // a signal that no handler of the tests sees
    return std::string();
  });
  CHECK(error_of(child, "go").find("the child process is gone: signal 9") == 0);
  CHECK(child.end() == "it has ended");
}

TEST_CASE("The kernel copies private memory in the process that stores, with one fault", "[demo]") {
  cow::demo::PrivateMemory memory(4);
  ChildProcess child([&memory](const std::string&) {
    const std::uint64_t first = memory.store(2, std::byte{'!'});
    return std::to_string(first) + " " + std::to_string(memory.store(2, std::byte{'?'}));
  });
  const std::string faults = child.ask("store");
  if (support::has_thread_sanitizer || support::is_emulated()) {
    CHECK(faults.ends_with(" 0"));  // what runs it faults in memory of its own at first
  } else {
    CHECK(faults == "1 0");
  }
}
