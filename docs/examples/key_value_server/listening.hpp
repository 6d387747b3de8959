#pragma once

// Where a server listens, and what keeps a second one away from its socket and its image.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "../left_socket.hpp"

inline int checked(int result, const std::string& call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

/// The right to serve an image, and to replace it. A file beside it is locked, as the image itself
/// is another file after each save. The kernel lets go of the lock when the server ends, however it
/// does; with fork() when its child has ended, too, which may be saving still.
class ImageLock {
 public:
  /// Throws if another server has it.
  explicit ImageLock(const std::filesystem::path& image)
      : file_(checked(::open(name_of(image).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                      "open " + name_of(image))) {
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    const int error = errno;
    ::close(file_);
    if (error == EWOULDBLOCK) {
      throw std::runtime_error("another server has " + image.string() +
                               ": stop that one, or choose another --image");
    }
    throw std::system_error(error, std::generic_category(), "flock " + name_of(image));
  }
  ~ImageLock() { ::close(file_); }
  ImageLock(const ImageLock&) = delete;
  ImageLock& operator=(const ImageLock&) = delete;

 private:
  static std::string name_of(const std::filesystem::path& image) {
    return image.string() + ".lock";
  }

  int file_;
};

inline void listen_at(int listener, const sockaddr* address, socklen_t size,
                      const std::string& name, const char* other) {
  if (::bind(listener, address, size) == 0 && ::listen(listener, SOMAXCONN) == 0) return;
  const std::string advice =
      errno == EADDRINUSE ? std::string(" (stop who uses it, or choose another ") + other + ")"
                          : "";
  throw std::system_error(errno, std::generic_category(), "cannot listen on " + name + advice);
}

inline int listen_on_port(std::uint16_t port) {
  const int listener = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);  // there is no password
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  listen_at(listener, any, sizeof address, "127.0.0.1:" + std::to_string(port), "--port");
  socklen_t size = sizeof address;
  checked(::getsockname(listener, any, &size), "getsockname");
  std::printf("Listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  return listener;
}

inline int listen_on_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::invalid_argument("--unix takes a path of at most " +
                                std::to_string(sizeof address.sun_path - 1) + " bytes, not " +
                                path);
  }
  path.copy(address.sun_path, path.size());
  examples::remove_left_socket(address);
  const int listener = checked(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  listen_at(listener, reinterpret_cast<sockaddr*>(&address), sizeof address, path, "--unix");
  std::printf("Listening on %s\n", path.c_str());
  return listener;
}
