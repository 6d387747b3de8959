#pragma once

// A client for what a test wants to know exactly, and a server in a process of its own to be a
// client of, and to kill.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "resp.hpp"

struct Reply {
  char kind = 0;  // as the protocol has it: + - : $ *
  std::string text;
  bool is_null = false;
  std::vector<Reply> elements;
};

inline std::string command_text(const resp::Words& words) {
  std::string text;
  resp::add_array(text, words.size());
  for (const std::string& word : words) resp::add_text(text, word);
  return text;
}

/// Throws std::runtime_error when the server is gone.
class Connection {
 public:
  explicit Connection(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect to " + path);
    }
  }
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }
  Connection(Connection&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}
  Connection& operator=(Connection&&) = delete;

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error("the server is gone");
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  Reply receive() {
    std::string line = take_line();
    Reply reply{line.at(0), line.substr(1), false, {}};
    if (reply.kind != '$' && reply.kind != '*') return reply;
    const std::int64_t count = resp::number(reply.text).value();
    reply.text.clear();
    reply.is_null = count < 0;
    if (reply.kind == '$' && count >= 0) {
      const auto bytes = static_cast<std::size_t>(count);
      while (buffer_.size() < bytes + 2) receive_more();
      reply.text = buffer_.substr(0, bytes);
      buffer_.erase(0, bytes + 2);
    }
    for (std::int64_t i = 0; reply.kind == '*' && i < count; ++i) {
      reply.elements.push_back(receive());
    }
    return reply;
  }

  /// What has come, as it is.
  std::string receive_some() {
    if (buffer_.empty()) receive_more();
    return std::exchange(buffer_, {});
  }

  Reply ask(const resp::Words& words) {
    send(command_text(words));
    return receive();
  }

  /// A line of INFO.
  std::string info(const std::string& name) {
    const std::string text = "\n" + ask({"INFO"}).text;
    const std::size_t begin = text.find("\n" + name + ":");
    if (begin == std::string::npos) throw std::runtime_error("INFO has no line " + name);
    const std::size_t from = begin + name.size() + 2;
    return text.substr(from, text.find('\r', from) - from);
  }
  std::size_t info_number(const std::string& name) { return std::stoull(info(name)); }

  [[nodiscard]] int descriptor() const { return socket_; }
  /// Whether the server has closed the connection.
  [[nodiscard]] bool is_closed() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  void receive_more() {
    std::array<char, 64 << 10> bytes{};
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count <= 0) throw std::runtime_error("the server is gone");
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
  }
  std::string take_line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) receive_more();
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  int socket_;
  std::string buffer_;
};

/// A folder that goes with all that is in it.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "key_value_XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "mkdtemp");
    }
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// This program again, as a server, in a process that ends with this one.
class ServerProcess {
 public:
  ServerProcess(const Folder& folder, const std::string& name, std::vector<std::string> options)
      : socket_(folder.file(name + ".socket")),
        image_(folder.file(name + ".image")),
        log_(folder.file(name + ".log")) {
    std::vector<std::string> words = {"key_value_server", "--serve", "--unix", socket_,
                                      "--image",          image_};
    words.insert(words.end(), std::make_move_iterator(options.begin()),
                 std::make_move_iterator(options.end()));
    std::vector<char*> arguments(words.size() + 1);  // the last is null
    std::transform(words.begin(), words.end(), arguments.begin(),
                   [](std::string& word) { return word.data(); });
    ::unlink(socket_.c_str());
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    process_ = child;  // NOLINT(cppcoreguidelines-prefer-member-initializer): after the rest
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int log = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (::dup2(log, STDOUT_FILENO) >= 0 && ::dup2(log, STDERR_FILENO) >= 0) {
        ::execv("/proc/self/exe", arguments.data());
      }
      ::_exit(127);
    }
  }
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// A connection, as soon as the server has loaded its image. Throws if it ends instead.
  Connection connect() {
    for (;;) {
      try {
        return Connection(socket_);
      } catch (const std::runtime_error&) {
        if (::waitpid(process_, &status_, WNOHANG) == process_) {
          process_ = 0;
          throw std::runtime_error("the server did not start: " + log());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
  }

  /// With no chance to do anything.
  void kill() {
    if (process_ != 0) ::kill(process_, SIGKILL);
    wait();
  }
  /// Its exit code, or -1 if a signal ended it.
  int wait() {
    if (process_ != 0) ::waitpid(process_, &status_, 0);
    process_ = 0;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] const std::string& image() const { return image_; }
  /// What it printed.
  [[nodiscard]] std::string log() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string socket_;
  std::string image_;
  std::string log_;
  pid_t process_ = 0;
  int status_ = 0;
};

/// What the kernel counts for a server and the process that saves for it (or 0): memory of their
/// own, of which each has its part where they share it, and libcow's frames, mapped or not.
inline std::size_t kernel_bytes(pid_t server, pid_t saver) {
  std::size_t bytes = 0;
  // The server first: if the other ends in between, what it had is missing, not counted twice.
  for (const pid_t process : {server, saver}) {
    if (process == 0) continue;
    const std::string folder = "/proc/" + std::to_string(process);
    std::ifstream rollup(folder + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.starts_with("Pss_Anon:")) bytes += std::stoull(line.substr(9)) << 10;
    }
  }
  std::error_code ignored;
  const std::string folder = "/proc/" + std::to_string(server) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (!std::filesystem::read_symlink(entry, ignored).string().starts_with("/memfd:")) continue;
    struct stat file {};
    if (::stat(entry.path().c_str(), &file) == 0) {
      bytes += static_cast<std::size_t>(file.st_blocks) * 512;
    }
  }
  return bytes;
}
