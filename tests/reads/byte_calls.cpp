// Functions of libc that fill a buffer.

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "calls.hpp"

extern "C" ssize_t __read_chk(int, void*, size_t, size_t);
extern "C" ssize_t __pread_chk(int, void*, size_t, off_t, size_t);
extern "C" ssize_t __recv_chk(int, void*, size_t, size_t, int);
extern "C" size_t __fread_chk(void*, size_t, size_t, size_t, FILE*);

namespace {

using probe::around;
using probe::bytes;
using probe::Call;
using probe::came;
using probe::File;
using probe::input;
using probe::page;
using probe::shows;
using probe::Sockets;
using probe::Stream;

/// Several vectors, the last of them large.
std::vector<iovec> vectors(char* at) {
  return {{at, 10}, {at + 10, 0}, {at + 10, 9000}, {at + 9010, bytes - 9010}};
}

/// Two threads wait in read() with their leases, while snapshots are taken; one gets its bytes, the
/// other is cancelled.
bool reads_that_wait(char* at) {
  at += 2 * page;
  int ends[2] = {-1, -1};
  int silent[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0 || ::pipe2(silent, O_CLOEXEC) != 0) return false;
  ssize_t count = 0;
  ssize_t cancelled_count = -2;
  std::thread reader([&] { count = ::read(ends[0], at, 1000); });
  std::thread other([&] { cancelled_count = ::read(silent[0], at + page, 1000); });
  // Without leases there is nothing to wait for.
  for (int i = 0; i < 1000 && around->stats().pages_leased < 2; ++i) ::usleep(1000);
  for (int i = 0; i < 50; ++i) static_cast<void>(around->snapshot());
  ::pthread_cancel(other.native_handle());
  other.join();
  const std::string sent(1000, 'x');
  const bool written = ::write(ends[1], sent.data(), sent.size()) == 1000;
  reader.join();
  for (const int end : {ends[0], ends[1], silent[0], silent[1]}) ::close(end);
  return written && count == 1000 && cancelled_count == -2 &&
         std::memcmp(at, sent.data(), sent.size()) == 0;
}

char* handlers_memory = nullptr;
volatile sig_atomic_t handler_read_all = 0;

bool read_in_a_handler(char* at) {
  handlers_memory = at;
  handler_read_all = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {
    const int file = ::open(probe::input_path().c_str(), O_RDONLY | O_CLOEXEC);
    handler_read_all = ::read(file, handlers_memory, bytes) == static_cast<ssize_t>(bytes);
    ::close(file);
  };
  ::sigaction(SIGUSR1, &action, &before);
  ::raise(SIGUSR1);
  ::sigaction(SIGUSR1, &before, nullptr);
  return handler_read_all == 1 && shows(at, bytes);
}

const Call on_many_pages[] = {
    {"read", [](char* at) { return came(::read(input(), at, bytes), at); }},
    {"read, which keeps errno",
     [](char* at) {
       errno = E2BIG;
       return came(::read(input(), at, bytes), at) && errno == E2BIG;
     }},
    {"read in a signal handler", read_in_a_handler},
    {"read that waits while snapshots are taken", reads_that_wait},
    {"__read_chk", [](char* at) { return came(__read_chk(input(), at, bytes, bytes), at); }},
    {"pread", [](char* at) { return came(::pread(input(), at, bytes, 0), at); }},
    {"__pread_chk", [](char* at) { return came(__pread_chk(input(), at, bytes, 0, bytes), at); }},
    {"pread64", [](char* at) { return came(::pread64(input(), at, bytes, 0), at); }},
    {"readv", [](char* at) { return came(::readv(input(), vectors(at).data(), 4), at); }},
    {"preadv", [](char* at) { return came(::preadv(input(), vectors(at).data(), 4, 0), at); }},
    {"preadv2", [](char* at) { return came(::preadv2(input(), vectors(at).data(), 4, 0, 0), at); }},
    {"recv", [](char* at) { return came(::recv(Sockets().ends[0], at, bytes, MSG_WAITALL), at); }},
    {"__recv_chk",
     [](char* at) {
       return came(__recv_chk(Sockets().ends[0], at, bytes, bytes, MSG_WAITALL), at);
     }},
    {"recvfrom, a datagram",
     [](char* at) {
       const Sockets sockets(SOCK_DGRAM);
       return came(::recvfrom(sockets.ends[0], at, bytes, 0, nullptr, nullptr), at);
     }},
    {"recvmsg",
     [](char* at) {
       std::vector<iovec> to = vectors(at);
       msghdr head{};
       head.msg_iov = to.data();
       head.msg_iovlen = to.size();
       const Sockets sockets(SOCK_DGRAM);
       return came(::recvmsg(sockets.ends[0], &head, 0), at);
     }},
    {"recvmmsg",
     [](char* at) {
       std::vector<iovec> to = vectors(at);
       mmsghdr heads[1] = {};
       heads[0].msg_hdr.msg_iov = to.data();
       heads[0].msg_hdr.msg_iovlen = to.size();
       const Sockets sockets(SOCK_DGRAM);
       return ::recvmmsg(sockets.ends[0], heads, 1, 0, nullptr) == 1 && came(heads[0].msg_len, at);
     }},
    {"getrandom",
     [](char* at) {
       return ::getrandom(at, bytes, 0) == static_cast<ssize_t>(bytes) &&
              std::count(at, at + bytes, '\0') < 1000;
     }},
    {"getentropy", [](char* at) { return ::getentropy(at + page, 200) == 0; }},
    {"fread",
     [](char* at) {
       const Stream in;
       const std::size_t count = std::fread(at, 1, bytes, in.file);
       return count == bytes && std::ferror(in.file) == 0 && shows(at, bytes) &&
              std::ftell(in.file) == static_cast<long>(bytes);
     }},
    {"__fread_chk",
     [](char* at) { return __fread_chk(at, bytes, 1, bytes, Stream().file) == bytes; }},
    {"fread_unlocked",
     [](char* at) { return ::fread_unlocked(at, 1, bytes, Stream().file) == bytes; }},
    {"ifstream::read",
     [](char* at) {
       std::ifstream in(probe::input_path());
       in.read(at, static_cast<std::streamsize>(bytes));
       return in.good() && came(in.gcount(), at);
     }},
    {"getdents64",
     [](char* at) {
       const File folder(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
       return ::getdents64(folder, at + page, bytes) > 0;
     }},
    {"process_vm_readv",
     [](char* at) {
       std::vector<char> from(bytes);
       for (std::size_t i = 0; i < bytes; ++i) from[i] = probe::content(i);
       const iovec local{at, bytes};
       const iovec remote{from.data(), bytes};
       return came(::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0), at);
     }},
};

}  // namespace

std::span<const Call> probe::byte_calls() { return on_many_pages; }
