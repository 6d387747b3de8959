#pragma once

// Who is turned away, or has to wait: a second server where there is one, and one client too many.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../measured.hpp"
#include "client.hpp"

namespace trial {

using examples::claim;

/// Why a server does not start.
inline std::string refusal_of(ServerProcess& server) {
  try {
    server.connect();
  } catch (const std::runtime_error& error) {
    return server.wait() == 1 ? error.what() : "";
  }
  return "";
}

/// Who has the image or the socket keeps it until it ends, also if it is killed.
inline void try_second_server(const Folder& folder) {
  ServerProcess first(folder, "first", {});
  Connection control = first.connect();
  claim(control.ask({"SET", "key", "saved"}).text == "OK", "SET works");
  claim(control.ask({"SAVE"}).text == "OK", "SAVE works");
  for (const auto& [option, name] :
       {std::pair{"--image", first.image()}, std::pair{"--unix", first.socket()}}) {
    ServerProcess second(folder, "second", {option, name});
    claim(refusal_of(second).find(name) != std::string::npos,
          std::string("a second server is refused the first one's ") + option + ", by name");
  }
  claim(Connection(first.socket()).ask({"GET", "key"}).text == "saved",
        "the first server is still found");
  first.kill();
  ServerProcess heir(folder, "second", {"--image", first.image(), "--unix", first.socket()});
  while (heir.log().find("Listening") == std::string::npos) {
    claim(::kill(heir.process(), 0) == 0 && ::waitpid(heir.process(), nullptr, WNOHANG) == 0,
          "after SIGKILL another server has image and socket: " + heir.log());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  claim(Connection(first.socket()).ask({"GET", "key"}).text == "saved",
        "and serves what was saved");
}

/// More clients than descriptors: the server sleeps until one goes, and then accepts the next.
inline void try_many_clients(const Folder& folder) {
  ServerProcess server(folder, "many", {});
  Connection control = server.connect();
  claim(control.ask({"PING"}).text == "PONG", "it answers");
  const rlimit few{24, 24};
  claim(::prlimit(server.process(), RLIMIT_NOFILE, &few, nullptr) == 0, "a limit can be set");
  std::vector<Connection> clients;
  clients.reserve(40);
  for (int i = 0; i < 40; ++i) clients.emplace_back(server.socket());
  while (server.log().find("No descriptor is left") == std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  int asleep = 0;
  for (int look = 0; look < 20; ++look) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::ifstream stat("/proc/" + std::to_string(server.process()) + "/stat");
    std::string text{std::istreambuf_iterator<char>(stat), {}};
    asleep += int{text.at(text.rfind(')') + 2) == 'S'};
  }
  claim(asleep > 10, "a server without descriptors does not spin");
  claim(control.ask({"PING"}).text == "PONG", "who was accepted is served meanwhile");
  Connection last = std::move(clients.back());
  clients.clear();
  claim(last.ask({"PING"}).text == "PONG", "who waited is accepted when others go");
}

}  // namespace trial
