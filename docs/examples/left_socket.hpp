#pragma once

// A Unix socket is a file, which stays when its server was killed.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace examples {

/// Removes the socket of a server that was killed, at which nobody answers, so that the next one
/// can have its name. Anything else stays: a socket in use, a file that is none.
inline void remove_left_socket(const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(address.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) throw std::system_error(errno, std::generic_category(), "socket");
  const int result = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::close(probe);
  if (result != 0 && error == ECONNREFUSED) ::unlink(address.sun_path);
}

}  // namespace examples
