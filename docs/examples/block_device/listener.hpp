#pragma once

// A Unix socket at which clients connect, and a thread for each of them.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "../left_socket.hpp"
#include "nbd_server.hpp"

namespace examples {

class Listener {
 public:
  /// Throws std::system_error if the socket cannot be made: another server is there, or a file of
  /// that name. One that a killed server left is replaced.
  /// `complaints`: where a line goes for each client that is turned away or hung up on.
  Listener(std::filesystem::path path, nbd::Exports& exports, std::FILE* complaints = stderr)
      : path_(std::move(path)),
        socket_(listen_at(path_)),
        exports_(exports),
        complaints_(complaints) {
    accepting_ = std::thread([this] { accept_clients(); });
  }

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Hangs up on all clients. A request that is being carried out comes to its end.
  ~Listener() {
    socket_.shut_down();  // accept() returns
    accepting_.join();
    const std::scoped_lock lock(lock_);
    for (const Connection& connection : connections_) connection.socket.shut_down();
    for (Connection& connection : connections_) connection.thread.join();
    ::unlink(path_.c_str());
  }

 private:
  struct Connection {
    explicit Connection(int descriptor) : socket(descriptor) {}
    nbd::Socket socket;
    std::thread thread;
    std::atomic<bool> has_ended{false};
  };

  static constexpr std::size_t most_clients = 64;  // each may hold a buffer of 32 MiB

  static nbd::Socket listen_at(const std::filesystem::path& path) {
    const auto fail = [&](const char* call) {
      const char* const advice =
          errno == EADDRINUSE ? " (another server has it, or it is no socket)" : "";
      throw std::system_error(errno, std::generic_category(),
                              std::string(call) + " for the socket " + path.string() + advice);
    };
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof(address.sun_path)) {
      errno = ENAMETOOLONG;
      fail("bind");
    }
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    remove_left_socket(address);
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    nbd::Socket socket(descriptor);
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail("bind");
    if (::listen(descriptor, SOMAXCONN) != 0) fail("listen");
    return socket;
  }

  void accept_clients() {
    while (true) {
      const int descriptor = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
      if (descriptor < 0 && errno != EMFILE && errno != ENFILE) return;  // shut down
      const std::scoped_lock lock(lock_);
      connections_.remove_if([](Connection& connection) {
        if (!connection.has_ended) return false;
        connection.thread.join();
        return true;
      });
      if (descriptor < 0) {  // no descriptor for another client until one leaves
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      } else if (connections_.size() == most_clients) {
        complain(std::to_string(most_clients) + " clients are served, another one is turned away");
        ::close(descriptor);
      } else {
        Connection& connection = connections_.emplace_back(descriptor);
        connection.thread = std::thread([this, &connection] { serve(connection); });
      }
    }
  }

  void serve(Connection& connection) {
    try {
      nbd::Session(connection.socket, exports_).run();
    } catch (const nbd::Disconnected&) {  // as most clients leave
    } catch (const std::exception& error) {
      complain(std::string("a client is hung up on: ") + error.what());
    }
    connection.socket.shut_down();
    connection.has_ended = true;
  }

  void complain(const std::string& sentence) const {
    if (complaints_ != nullptr) std::fprintf(complaints_, "block_device: %s\n", sentence.c_str());
  }

  std::filesystem::path path_;
  nbd::Socket socket_;
  nbd::Exports& exports_;
  std::FILE* complaints_;
  std::mutex lock_;
  std::list<Connection> connections_;
  std::thread accepting_;
};

}  // namespace examples
