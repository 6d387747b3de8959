// Databases: a key-value server that saves while it serves, with a limit on the memory for that.
//
//   key_value_server --serve --port 6379 --image data.cow    (or --unix PATH for --port)
//   redis-cli -p 6379 SET name value                         Debian's redis-tools
//   redis-cli -p 6379 CONFIG SET save-limit 5%
//   redis-cli -p 6379 BGSAVE
//
// Without --serve it tries itself (key_value_server/trial.hpp): what it claims, and what a save
// costs those who write, beside the same server with fork(). --quick does that in a few seconds.
//
// The data are Boost's containers in a region (store.hpp), so the region's image is the database:
// loading it is all that has to be done after a crash. One thread runs all commands, as in Redis; a
// backup begins between two of them, and goes on on a thread of its own.

#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "key_value_server/commands.hpp"
#include "key_value_server/database.hpp"
#include "key_value_server/forked_memory.hpp"
#include "key_value_server/listening.hpp"
#include "key_value_server/options.hpp"
#include "key_value_server/region_memory.hpp"
#include "key_value_server/resp.hpp"
#include "key_value_server/trial.hpp"

namespace {

// SIGTERM and SIGINT as something to poll. All others stay as they are: a thread that stores to a
// region must not block SIGSEGV.
int stop_signals() {
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTERM);
  ::sigaddset(&stop, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return checked(::signalfd(-1, &stop, SFD_CLOEXEC), "signalfd");
}

struct Client {
  resp::CommandReader reader;
  std::string out;  // replies that were not sent yet
  bool closing = false;
};

class Server {
 public:
  Server(Database& database, int listener)
      : database_(database), commands_(database), listener_(listener), signals_(stop_signals()) {}

  void serve() {
    while (!stopping_) {
      // poll() passes over -1: who waits in vain at the listener would be reported over and over.
      const int listener = is_short_ ? -1 : listener_;
      std::vector<pollfd> ready = {{signals_, POLLIN, 0}, {listener, POLLIN, 0}};
      for (const auto& [socket, client] : clients_) {
        // Who does not read its replies is not asked for more commands.
        ready.push_back({socket, static_cast<short>(client.out.empty() ? POLLIN : POLLOUT), 0});
      }
      wait(ready);
      note_the_end_of_a_save();
      if (ready[0].revents != 0) stop();
      for (std::size_t i = 2; i < ready.size() && !stopping_; ++i) {
        if (ready[i].revents != 0) attend(ready[i].fd);
      }
      if (ready[1].revents != 0) accept_client();
    }
  }

 private:
  void wait(std::vector<pollfd>& ready) {
    // The end of a save is looked for, as it may come while nobody asks for anything.
    const int timeout = database_.is_saving() ? 20 : is_short_ ? 1'000 : -1;
    const int count = ::poll(ready.data(), ready.size(), timeout);
    if (count < 0 && errno != EINTR) checked(-1, "poll");
    if (count == 0) is_short_ = false;  // whoever had the descriptors may have let go
  }

  void accept_client() {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {  // it went away again, or has to wait until another one goes
      is_short_ = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (is_short_ && !std::exchange(has_complained_, true)) {
        std::fputs("No descriptor is left for another client: they wait (ulimit -n).\n", stderr);
      }
      return;
    }
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    clients_.try_emplace(socket);
  }

  // Receives what there is, runs what is complete, sends the replies in one piece.
  void attend(int socket) {
    Client& client = clients_.at(socket);
    if (client.out.empty() && !receive(socket, client)) client.closing = true;
    const bool sent = send(socket, client);
    if (!sent || (client.closing && client.out.empty())) {
      ::close(socket);
      clients_.erase(socket);
      is_short_ = false;
    }
  }

  bool receive(int socket, Client& client) {
    static std::array<char, 64 << 10> buffer;  // not in the region: the kernel needs no lease
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    client.reader.append({buffer.data(), static_cast<std::size_t>(count)});
    for (resp::Words words; !client.closing && !stopping_;) {
      const auto next = client.reader.next(words);
      if (next == resp::CommandReader::Next::incomplete) break;
      if (next == resp::CommandReader::Next::broken) {
        resp::add_error(client.out, client.reader.error());
        client.closing = true;
      } else if (!words.empty()) {
        const Commands::After after = commands_.run(words, client.out);
        client.closing = after == Commands::After::close;
        stopping_ = after == Commands::After::shut_down;
      }
    }
    return true;
  }

  static bool send(int socket, Client& client) {
    while (!client.out.empty()) {
      const ssize_t count = ::send(socket, client.out.data(), client.out.size(), MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      client.out.erase(0, static_cast<std::size_t>(count));
    }
    return true;
  }

  void note_the_end_of_a_save() {
    if (!database_.is_saving() || !database_.finish_save()) return;
    const std::string& error = database_.last_result().error;
    if (!error.empty()) std::fprintf(stderr, "The database was not saved: %s\n", error.c_str());
  }

  // As SHUTDOWN; if the image cannot be written the server goes on.
  void stop() {
    signalfd_siginfo signal{};
    if (::read(signals_, &signal, sizeof signal) != sizeof signal) return;
    std::string reply;
    resp::Words words = {"SHUTDOWN"};
    stopping_ = commands_.run(words, reply) == Commands::After::shut_down;
    if (!stopping_) std::fprintf(stderr, "Still running: %s", reply.c_str());
  }

  Database& database_;
  Commands commands_;
  int listener_;
  int signals_;
  std::map<int, Client> clients_;
  bool is_short_ = false;  // of descriptors: nobody is accepted
  bool has_complained_ = false;
  bool stopping_ = false;
};

void serve(const std::vector<std::string>& words) {
  const Options options = read_options(words);
  const ImageLock lock(options.image);
  std::unique_ptr<Memory> memory;
  if (options.save_by == "fork") {
    memory = std::make_unique<ForkedMemory>(options.image, options.most_bytes);
  } else {
    memory = std::make_unique<RegionMemory>(options.image, options.most_bytes, options.region);
  }
  Database database(std::move(memory), options.image);
  if (!options.save_limit.empty() && !database.set_limit(options.save_limit)) {
    throw std::invalid_argument(std::string("--save-limit takes ") + Database::kLimits);
  }
  const int listener =
      options.path.empty() ? listen_on_port(options.port) : listen_on_path(options.path);
  Server(database, listener).serve();
}

}  // namespace

int main(int count, char** arguments) try {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.empty() || words.front() != "--serve") return try_server(count, arguments);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  serve({words.begin() + 1, words.end()});
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "key_value_server: %s\n", error.what());
  return 1;
}
