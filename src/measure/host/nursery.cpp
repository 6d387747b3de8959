#include "measure/host/nursery.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace cow::measure {
namespace {

constexpr double patience_s = 60;
constexpr char no_processor = '-';

using Descriptors = std::array<int, 2>;  // the child's end of the messages, its error output

// Room for the descriptors of a message, and a byte, without which none is sent.
struct Parcel {
  Parcel() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = room;
    header.msg_controllen = sizeof room;
  }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;

  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(Descriptors))]{};
  msghdr header{};
};

bool send_descriptors(int socket, const Descriptors& descriptors) {
  Parcel parcel;
  cmsghdr* control = CMSG_FIRSTHDR(&parcel.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(control), descriptors.data(), sizeof descriptors);
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &parcel.header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == 1;
}

std::optional<Descriptors> receive_descriptors(int socket) {
  Parcel parcel;
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &parcel.header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  const cmsghdr* control = got == 1 ? CMSG_FIRSTHDR(&parcel.header) : nullptr;
  if (control == nullptr || control->cmsg_len != CMSG_LEN(sizeof(Descriptors))) return {};
  Descriptors descriptors{};
  std::memcpy(descriptors.data(), CMSG_DATA(control), sizeof descriptors);
  return descriptors;
}

struct Request {
  std::string text;
  std::optional<int> processor;
  Descriptors descriptors{};
};

std::optional<Request> receive_request(const Channel& channel) {
  Request request;
  if (!channel.receive(request.text)) return std::nullopt;
  const std::size_t space = request.text.find(' ');
  if (space == std::string::npos) return std::nullopt;
  if (request.text[0] != no_processor) {
    int processor = 0;
    std::from_chars(request.text.data(), request.text.data() + space, processor);
    request.processor = processor;
  }
  request.text.erase(0, space + 1);
  const auto descriptors = receive_descriptors(channel.socket());
  if (!descriptors.has_value()) return std::nullopt;
  request.descriptors = *descriptors;
  return request;
}

// In the new child, whose parent ends at once: whose child it is then is who asked for it.
[[noreturn]] void be_adopted(pid_t guardian, pid_t between, const Request& request,
                             const Channel& of_nursery, const Nursery::Body& body) {
  while (::getppid() == between) ::usleep(50);
  ::close(of_nursery.socket());
  be_child(guardian, {-1, request.descriptors[0], request.descriptors[1]}, request.processor,
           [&](const Channel& channel) { body(request.text, channel); });
}

// The number of a new child, or minus the error, from a process between, which has ended by then.
pid_t fork_for(pid_t guardian, const Request& request, const Channel& channel,
               const Nursery::Body& body) {
  int pipe[2];
  if (::pipe(pipe) != 0) return -errno;
  const pid_t between = ::fork();
  if (between == 0) {
    const pid_t self = ::getpid();
    pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      ::close(pipe[1]);
      be_adopted(guardian, self, request, channel, body);
    }
    if (child < 0) child = -errno;
    ::_exit(::write(pipe[1], &child, sizeof child) == sizeof child ? 0 : 1);
  }
  pid_t child = between < 0 ? -errno : -ECHILD;
  ::close(pipe[1]);
  if (between > 0) {
    while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_t told = 0;
    if (::read(pipe[0], &told, sizeof told) == sizeof told) child = told;
  }
  ::close(pipe[0]);
  return child;
}

void serve(pid_t guardian, const Channel& channel, const Nursery::Body& body) {
  while (const auto request = receive_request(channel)) {
    const pid_t child = fork_for(guardian, *request, channel, body);
    for (const int descriptor : request->descriptors) ::close(descriptor);
    if (!channel.send(std::to_string(child))) return;
  }
}

}  // namespace

Nursery::Nursery(Body body)
    : process_([guardian = ::getpid(),
                body = std::move(body)](const Channel& channel) { serve(guardian, channel, body); },
               std::nullopt) {}

std::unique_ptr<ChildProcess> Nursery::make(const std::string& request,
                                            std::optional<int> processor) {
  return std::make_unique<ChildProcess>(
      [&](const ChildProcess::Ends& ends) { return ask(request, processor, ends); });
}

pid_t Nursery::ask(const std::string& request, std::optional<int> processor,
                   const ChildProcess::Ends& ends) {
  const std::string where =
      processor.has_value() ? std::to_string(*processor) : std::string(1, no_processor);
  std::string answer;
  if (!process_.send(where + " " + request) ||
      !send_descriptors(process_.socket(), {ends.child, ends.errors}) ||
      process_.receive(answer, patience_s, nullptr) != Received::message) {
    throw std::runtime_error("the process that forks the others has ended, or does not answer");
  }
  const pid_t child = std::stoi(answer);
  if (child < 0) throw std::system_error(-child, std::generic_category(), "fork");
  return child;
}

}  // namespace cow::measure
