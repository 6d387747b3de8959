// Sockets, pipes and queues, and waiting for them.

#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reads/interpose.hpp"

COW_READS_MEMBER(messages)

namespace {

size_t length_of(const socklen_t* length) noexcept { return length == nullptr ? 0 : *length; }

/// One of select()'s sets: the kernel writes whole words.
cow::reads::Memory set_of(fd_set* set, int count) noexcept {
  constexpr size_t word_bits = 8 * sizeof(long);
  const size_t bits = count > 0 ? static_cast<size_t>(count) : 0;
  return {set, (bits + word_bits - 1) / word_bits * sizeof(long)};
}

/// Calls `call` with leases on what a message's head names.
template <class Result>
Result into_message(const msghdr& to, const cow::reads::Call<Result>& call) {
  const auto rest = [&] {
    return cow::reads::with_leases<Result>(to.msg_iov, to.msg_iov + to.msg_iovlen, call);
  };
  return cow::reads::with_leases<Result>(
      {{to.msg_name, to.msg_namelen}, {to.msg_control, to.msg_controllen}}, rest);
}

/// The same for several.
int into_messages(const mmsghdr* to, const mmsghdr* end, const cow::reads::Call<int>& call) {
  if (to == end) return call();
  const auto rest = [&] { return into_messages(to + 1, end, call); };
  return into_message<int>(to->msg_hdr, rest);
}

}  // namespace

// ---- Sockets ------------------------------------------------------------------------------------

COW_READS(ssize_t, recv, (int socket, void* to, size_t bytes, int flags),
          (socket, to, bytes, flags), {to, bytes})
COW_READS(ssize_t, __recv_chk, (int socket, void* to, size_t bytes, size_t room, int flags),
          (socket, to, bytes, room, flags), {to, bytes})
COW_READS(ssize_t, recvfrom,
          (int socket, void* to, size_t bytes, int flags, sockaddr* from, socklen_t* length),
          (socket, to, bytes, flags, from, length), {to, bytes}, {from, length_of(length)},
          {length, sizeof(*length)})
COW_READS(ssize_t, __recvfrom_chk,
          (int socket, void* to, size_t bytes, size_t room, int flags, sockaddr* from,
           socklen_t* length),
          (socket, to, bytes, room, flags, from, length), {to, bytes}, {from, length_of(length)},
          {length, sizeof(*length)})

COW_READS_NEXT(recvmsg)
COW_READS_OURS ssize_t recvmsg(int socket, msghdr* to, int flags) {
  const auto real = COW_READS_REAL(recvmsg);
  const auto call = [&] { return real(socket, to, flags); };
  if (to == nullptr) return call();
  const auto rest = [&] { return into_message<ssize_t>(*to, call); };
  return cow::reads::with_leases<ssize_t>({{to, sizeof(*to)}}, rest);
}

COW_READS_NEXT(recvmmsg)
COW_READS_OURS int recvmmsg(int socket, mmsghdr* to, unsigned count, int flags, timespec* timeout) {
  const auto real = COW_READS_REAL(recvmmsg);
  const auto call = [&] { return real(socket, to, count, flags, timeout); };
  if (to == nullptr) return call();
  const auto rest = [&] { return into_messages(to, to + count, call); };
  return cow::reads::with_leases<int>({{to, count * sizeof(*to)}, {timeout, sizeof(*timeout)}},
                                      rest);
}

COW_READS(int, sendmmsg, (int socket, mmsghdr* what, unsigned count, int flags),
          (socket, what, count, flags), {what, count * sizeof(*what)})
COW_READS(int, accept, (int socket, sockaddr* from, socklen_t* length), (socket, from, length),
          {from, length_of(length)}, {length, sizeof(*length)})
COW_READS(int, accept4, (int socket, sockaddr* from, socklen_t* length, int flags),
          (socket, from, length, flags), {from, length_of(length)}, {length, sizeof(*length)})
COW_READS(int, getsockname, (int socket, sockaddr* to, socklen_t* length) noexcept,
          (socket, to, length), {to, length_of(length)}, {length, sizeof(*length)})
COW_READS(int, getpeername, (int socket, sockaddr* to, socklen_t* length) noexcept,
          (socket, to, length), {to, length_of(length)}, {length, sizeof(*length)})
COW_READS(int, getsockopt,
          (int socket, int level, int option, void* to, socklen_t* length) noexcept,
          (socket, level, option, to, length), {to, length_of(length)}, {length, sizeof(*length)})
COW_READS(int, socketpair, (int domain, int type, int protocol, int* to) noexcept,
          (domain, type, protocol, to), {to, 2 * sizeof(int)})

// ---- Pipes and queues ---------------------------------------------------------------------------

COW_READS(int, pipe, (int* to) noexcept, (to), {to, 2 * sizeof(int)})
COW_READS(int, pipe2, (int* to, int flags) noexcept, (to, flags), {to, 2 * sizeof(int)})
COW_READS(int, eventfd_read, (int file, eventfd_t* to), (file, to), {to, sizeof(*to)})
COW_READS(ssize_t, mq_receive, (mqd_t queue, char* to, size_t bytes, unsigned* priority),
          (queue, to, bytes, priority), {to, bytes}, {priority, sizeof(*priority)})
COW_READS(ssize_t, mq_timedreceive,
          (mqd_t queue, char* to, size_t bytes, unsigned* priority, const timespec* until),
          (queue, to, bytes, priority, until), {to, bytes}, {priority, sizeof(*priority)})
COW_READS(int, mq_getattr, (mqd_t queue, mq_attr* to) noexcept, (queue, to), {to, sizeof(*to)})
COW_READS(int, mq_setattr, (mqd_t queue, const mq_attr* from, mq_attr* old) noexcept,
          (queue, from, old), {old, sizeof(*old)})
COW_READS(ssize_t, msgrcv, (int queue, void* to, size_t bytes, long type, int flags),
          (queue, to, bytes, type, flags), {to, sizeof(long) + bytes})
COW_READS(int, msgctl, (int queue, int command, msqid_ds* to) noexcept, (queue, command, to),
          {to, sizeof(*to)})
COW_READS(int, shmctl, (int memory, int command, shmid_ds* to) noexcept, (memory, command, to),
          {to, sizeof(*to)})

// ---- Waiting ------------------------------------------------------------------------------------

COW_READS(int, poll, (pollfd * files, nfds_t count, int timeout), (files, count, timeout),
          {files, count * sizeof(*files)})
COW_READS(int, __poll_chk, (pollfd * files, nfds_t count, int timeout, size_t room),
          (files, count, timeout, room), {files, count * sizeof(*files)})
COW_READS(int, ppoll, (pollfd * files, nfds_t count, const timespec* timeout, const sigset_t* mask),
          (files, count, timeout, mask), {files, count * sizeof(*files)})
COW_READS(int, __ppoll_chk,
          (pollfd * files, nfds_t count, const timespec* timeout, const sigset_t* mask,
           size_t room),
          (files, count, timeout, mask, room), {files, count * sizeof(*files)})
COW_READS(int, select, (int count, fd_set* in, fd_set* out, fd_set* other, timeval* timeout),
          (count, in, out, other, timeout), set_of(in, count), set_of(out, count),
          set_of(other, count), {timeout, sizeof(*timeout)})
COW_READS(int, pselect,
          (int count, fd_set* in, fd_set* out, fd_set* other, const timespec* timeout,
           const sigset_t* mask),
          (count, in, out, other, timeout, mask), set_of(in, count), set_of(out, count),
          set_of(other, count))

namespace {

size_t events_of(int count) noexcept {
  return count > 0 ? static_cast<size_t>(count) * sizeof(epoll_event) : 0;
}

}  // namespace

COW_READS(int, epoll_wait, (int poll, epoll_event* to, int count, int timeout),
          (poll, to, count, timeout), {to, events_of(count)})
COW_READS(int, epoll_pwait,
          (int poll, epoll_event* to, int count, int timeout, const sigset_t* mask),
          (poll, to, count, timeout, mask), {to, events_of(count)})
COW_READS(int, epoll_pwait2,
          (int poll, epoll_event* to, int count, const timespec* timeout, const sigset_t* mask),
          (poll, to, count, timeout, mask), {to, events_of(count)})
