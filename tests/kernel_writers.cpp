// The system calls of tests/kernel_writers.hpp that transfer bytes, and those about sockets and
// descriptors.

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <ctime>
#include <iterator>

#include "kernel_call.hpp"

namespace support {

namespace {

const std::string message = [] {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "bytes " + std::to_string(i) + ", ";
  return text.substr(0, 300);
}();
const long message_bytes = 300;

KernelWrite compare_message(long result, const std::byte* target) {
  return compare(result, message_bytes, target, message.data(), message.size());
}

/// A file without a name that holds the message.
class MessageFile {
 public:
  MessageFile() : file_(::memfd_create("message", MFD_CLOEXEC)) {
    full_ = ::pwrite(file_, message.data(), message.size(), 0) == message_bytes;
  }
  operator int() const { return full_ ? static_cast<int>(file_) : -1; }

 private:
  Descriptor file_;
  bool full_ = false;
};

/// Two sockets, or the ends of a pipe, with the message on the way to the first.
class MessagePair {
 public:
  enum class Kind { pipe, unix_stream, udp };
  explicit MessagePair(Kind kind) {
    if (kind == Kind::udp) {
      connect_udp();
    } else if (kind == Kind::pipe ? ::pipe2(ends_, O_CLOEXEC) != 0
                                  : ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) != 0) {
      return;
    }
    ready_ = ::write(ends_[1], message.data(), message.size()) == message_bytes;
  }
  ~MessagePair() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  MessagePair(const MessagePair&) = delete;
  MessagePair& operator=(const MessagePair&) = delete;

  /// False where there is no loopback network.
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] int receiver() const { return ends_[0]; }
  [[nodiscard]] int sender() const { return ends_[1]; }

 private:
  void connect_udp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    for (int& end : ends_) end = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (::bind(ends_[0], generic, length) == 0 && ::getsockname(ends_[0], generic, &length) == 0) {
      static_cast<void>(::connect(ends_[1], generic, length));
    }
  }

  int ends_[2] = {-1, -1};
  bool ready_ = false;
};

using Kind = MessagePair::Kind;

// ---- Bytes from files, pipes and sockets --------------------------------------------------------

KernelWrite do_read(std::byte* target) {
  const MessagePair pipe(Kind::pipe);
  return compare_message(call(SYS_read, pipe.receiver(), target, message.size()), target);
}

/// Two pieces right behind each other.
std::array<iovec, 2> two_pieces(std::byte* target) {
  return {iovec{target, 100}, iovec{target + 100, message.size() - 100}};
}

KernelWrite do_readv(std::byte* target) {
  const MessagePair pipe(Kind::pipe);
  const auto pieces = two_pieces(target);
  return compare_message(call(SYS_readv, pipe.receiver(), pieces.data(), 2), target);
}

KernelWrite do_pread(std::byte* target) {
  const MessageFile file;
  return compare_message(call(SYS_pread64, int{file}, target, message.size(), 0), target);
}

KernelWrite do_preadv(std::byte* target) {
  const MessageFile file;
  const auto pieces = two_pieces(target);
  return compare_message(call(SYS_preadv, int{file}, pieces.data(), 2, 0, 0), target);
}

KernelWrite do_preadv2(std::byte* target) {
  const MessageFile file;
  const auto pieces = two_pieces(target);
  return compare_message(call(SYS_preadv2, int{file}, pieces.data(), 2, 0, 0, 0), target);
}

KernelWrite do_process_vm_readv(std::byte* target) {
  const iovec local{target, message.size()};
  const iovec remote{const_cast<char*>(message.data()), message.size()};
  const long result = call(SYS_process_vm_readv, ::getpid(), &local, 1, &remote, 1, 0);
  if (result < 0 && errno == EPERM) return no_such_thing;
  return compare_message(result, target);
}

KernelWrite do_recv(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  return compare_message(call(SYS_recvfrom, udp.receiver(), target, message.size(), 0, 0, 0),
                         target);
}

sockaddr_in name_of(int socket) {
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  return address;
}

KernelWrite do_recvfrom(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  std::byte* const address = target + message.size();
  socklen_t length = sizeof(sockaddr_in);
  const long result =
      call(SYS_recvfrom, udp.receiver(), target, message.size(), 0, address, &length);
  KernelWrite written = compare_message(result, target);
  if (written.error != 0) return written;
  const sockaddr_in sender = name_of(udp.sender());
  if (std::memcmp(address, &sender, 8) != 0) written.wrong = "another address arrived";
  return written;
}

KernelWrite do_recvmsg(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  auto pieces = two_pieces(target);
  msghdr header{};
  header.msg_iov = pieces.data();
  header.msg_iovlen = pieces.size();
  return compare_message(call(SYS_recvmsg, udp.receiver(), &header, 0), target);
}

KernelWrite do_recvmmsg(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  auto pieces = two_pieces(target);
  mmsghdr header{};
  header.msg_hdr.msg_iov = pieces.data();
  header.msg_hdr.msg_iovlen = pieces.size();
  const long result = call(SYS_recvmmsg, udp.receiver(), &header, 1, 0, 0);
  return compare(result, 1, target, message.data(), message.size());
}

KernelWrite do_read_eventfd(std::byte* target) {
  const Descriptor event(::eventfd(7, EFD_CLOEXEC));
  const std::uint64_t seven = 7;
  return compare(call(SYS_read, int{event}, target, 8), 8, target, &seven, 8);
}

// ---- What is ready ------------------------------------------------------------------------------

constexpr int closed_descriptor = 1 << 20;  // poll() says so, and needs nothing else

void prepare_poll(std::byte* target) {
  const pollfd entry{closed_descriptor, POLLIN, 0};
  std::memcpy(target, &entry, sizeof(entry));
}

KernelWrite do_poll(std::byte* target) {
  const pollfd expected{closed_descriptor, POLLIN, POLLNVAL};
#if defined(SYS_poll)
  const long result = call(SYS_poll, target, 1, 0);
#else
  const timespec now{};
  const long result = call(SYS_ppoll, target, 1, &now, 0, 0);
#endif
  return compare(result, 1, target, &expected, sizeof(expected));
}

KernelWrite do_epoll_wait(std::byte* target) {
  const MessagePair pipe(Kind::pipe);
  const Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0x0123456789abcdef;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.receiver(), &event) != 0) return no_such_thing;
  return compare_with_plain<sizeof(event)>(target, [&](std::byte* place) {
#if defined(SYS_epoll_wait)
    return call(SYS_epoll_wait, int{epoll}, place, 1, 0);
#else
    return call(SYS_epoll_pwait, int{epoll}, place, 1, 0, 0, 8);
#endif
  });
}

KernelWrite do_ioctl(std::byte* target) {
  const MessagePair pipe(Kind::pipe);
  const int waiting = static_cast<int>(message_bytes);
  return compare(call(SYS_ioctl, pipe.receiver(), FIONREAD, target), 0, target, &waiting, 4);
}

KernelWrite do_mincore(std::byte* target) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* const stack = reinterpret_cast<std::byte*>(
      reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) / page * page);
  const std::byte resident{1};
  return compare(call(SYS_mincore, stack, page, target), 0, target, &resident, 1);
}

// ---- Sockets and descriptors --------------------------------------------------------------------

KernelWrite do_getsockopt(std::byte* target) {
  const MessagePair pair(Kind::unix_stream);
  const int stream = SOCK_STREAM;
  socklen_t length = sizeof(stream);
  const long result = call(SYS_getsockopt, pair.receiver(), SOL_SOCKET, SO_TYPE, target, &length);
  return compare(result, 0, target, &stream, sizeof(stream));
}

KernelWrite do_getsockname(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  const sockaddr_in name = name_of(udp.receiver());
  socklen_t length = sizeof(name);
  return compare(call(SYS_getsockname, udp.receiver(), target, &length), 0, target, &name, 8);
}

KernelWrite do_getpeername(std::byte* target) {
  const MessagePair udp(Kind::udp);
  if (!udp.ready()) return no_such_thing;
  const sockaddr_in name = name_of(udp.receiver());
  socklen_t length = sizeof(name);
  return compare(call(SYS_getpeername, udp.sender(), target, &length), 0, target, &name, 8);
}

/// Two descriptors that are connected: what goes into `in` comes out of `out`.
KernelWrite check_connected(long result, const std::byte* target, std::size_t in, std::size_t out) {
  if (result < 0) return failed();
  const auto ends = value_at<std::array<int, 2>>(target);
  const Descriptor first(ends[0]);
  const Descriptor second(ends[1]);
  char token = 'x';
  const bool connected =
      ::write(ends[in], &token, 1) == 1 && ::read(ends[out], &token, 1) == 1 && token == 'x';
  return {0, connected ? "" : "other descriptors arrived"};
}

KernelWrite do_pipe2(std::byte* target) {
  return check_connected(call(SYS_pipe2, target, O_CLOEXEC), target, 1, 0);
}

KernelWrite do_socketpair(std::byte* target) {
  return check_connected(call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, target), target, 0, 1);
}

constexpr KernelWriter writers[] = {
    {"read from a pipe", 300, nullptr, do_read},
    {"readv from a pipe", 300, nullptr, do_readv},
    {"pread64", 300, nullptr, do_pread},
    {"preadv", 300, nullptr, do_preadv},
    {"preadv2", 300, nullptr, do_preadv2},
    {"read from an eventfd", 8, nullptr, do_read_eventfd},
    {"process_vm_readv", 300, nullptr, do_process_vm_readv},
    {"recv", 300, nullptr, do_recv},
    {"recvfrom with the address", 300 + sizeof(sockaddr_in), nullptr, do_recvfrom},
    {"recvmsg", 300, nullptr, do_recvmsg},
    {"recvmmsg", 300, nullptr, do_recvmmsg},
    {"poll", sizeof(pollfd), prepare_poll, do_poll},
    {"epoll_wait", sizeof(epoll_event), nullptr, do_epoll_wait},
    {"ioctl(FIONREAD)", 4, nullptr, do_ioctl},
    {"mincore", 1, nullptr, do_mincore},
    {"getsockopt", 4, nullptr, do_getsockopt},
    {"getsockname", sizeof(sockaddr_in), nullptr, do_getsockname},
    {"getpeername", sizeof(sockaddr_in), nullptr, do_getpeername},
    {"pipe2", 8, nullptr, do_pipe2},
    {"socketpair", 8, nullptr, do_socketpair},
};

}  // namespace

std::vector<KernelWriter> kernel_writers() {
  std::vector<KernelWriter> all(std::begin(writers), std::end(writers));
  const auto facts = kernel_fact_writers();
  all.insert(all.end(), facts.begin(), facts.end());
  return all;
}

}  // namespace support
