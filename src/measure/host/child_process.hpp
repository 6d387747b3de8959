#pragma once

// A process of its own, and messages to it and from it.

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cow::measure {

/// A longer message is refused: by who sends it, and by who is told of it.
inline constexpr std::size_t most_message_bytes = std::size_t{16} << 20;

/// The child's end of the messages.
class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}
  /// Waits for one. False when the other side has closed, or is gone.
  [[nodiscard]] bool receive(std::string& message) const;
  /// False if nobody is there, or the message is too long.
  [[nodiscard]] bool send(std::string_view message) const;
  [[nodiscard]] int socket() const { return socket_; }

 private:
  int socket_;
};

enum class Received {
  message,
  ended,    ///< the process has ended, or closed its end
  late,     ///< the time limit passed
  stopped,  ///< the caller was asked to stop
  broken,   ///< what came is no message
};

/// A child of fork() that does something and answers. It leads a process group, so that all that it
/// forks ends with it; it dies when the thread that made it does, however that ends; where memory
/// runs out, the kernel is asked to take it before us. Its end is waited for, and so is that of
/// what it leaves behind: nothing stays, not even as a zombie.
class ChildProcess {
 public:
  /// Descriptors for a child that is not there yet.
  struct Ends {
    int parent = -1;  ///< of the messages
    int child = -1;
    int errors = -1;  ///< a file: the child's error output
  };

  /// Runs `body` in the child, on `processor` alone if one is given. When it returns the child ends
  /// with exit code 0, when it throws with 3. Throws std::system_error where no process can be had.
  ChildProcess(const std::function<void(const Channel&)>& body, std::optional<int> processor);
  /// `make` has a child of this process made that calls be_child(), and returns its number.
  explicit ChildProcess(const std::function<pid_t(const Ends&)>& make);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] bool send(std::string_view message) const;
  [[nodiscard]] Received receive(std::string& message, double limit_s,
                                 const std::function<bool()>& is_stopped);

  /// Closes the channel, gives it so long to end by itself, and ends what is left.
  void end(double patience_s);

  /// As the end of a sentence: "was ended by signal 11 (Segmentation fault)". After end().
  [[nodiscard]] const std::string& how_it_ended() const { return how_it_ended_; }

  /// The last line on its error output, which nobody else sees; empty if there is none.
  [[nodiscard]] std::string last_words() const;

  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] int socket() const { return socket_; }

 private:
  [[nodiscard]] bool has_ended() const;

  int socket_ = -1;
  int errors_ = -1;
  pid_t process_ = -1;
  std::size_t slot_ = 0;
  bool is_over_ = false;
  std::string how_it_ended_;
};

/// What the child of ChildProcess is from its first moment to its end: `parent` is who waits for
/// it.
[[noreturn]] void be_child(pid_t parent, const ChildProcess::Ends& ends,
                           const std::optional<int>& processor,
                           const std::function<void(const Channel&)>& body);

/// As the end of a sentence: "was ended by signal 11 (Segmentation fault)".
[[nodiscard]] std::string how_it_ended(int wait_status);

/// Ends all of them and what they forked, without waiting. For the handler of a signal.
void kill_all_children() noexcept;

/// While one is there, a process whose parent has ended becomes a child of ours instead of init's,
/// if ChildProcess had started it: only then it can be waited for.
class Guardian {
 public:
  Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  ~Guardian();

 private:
  int was_guardian_ = 0;
};

}  // namespace cow::measure
