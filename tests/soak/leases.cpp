#include "soak/leases.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace soak {

namespace {

[[noreturn]] void refuse(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

/// What to say about a call that wrote `done` of `wanted` bytes.
std::string complaint_about(const char* call, ssize_t done, std::size_t wanted) {
  if (done == static_cast<ssize_t>(wanted)) return "";
  const std::string why =
      done < 0 ? std::string(" failed: ") + std::strerror(errno)
               : " wrote " + std::to_string(done) + " of " + std::to_string(wanted) + " bytes";
  return std::string(call) + " into leased pages" + why;
}

}  // namespace

KernelWriter::KernelWriter() {
  file_ = ::memfd_create("soak", MFD_CLOEXEC);
  if (file_ < 0) refuse("memfd_create");
  if (::pipe2(pipe_, O_CLOEXEC) != 0) refuse("pipe2");
}

KernelWriter::~KernelWriter() {
  ::close(file_);
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

std::string KernelWriter::write(std::span<const std::byte> bytes,
                                std::span<std::byte* const> pieces, support::Random& random) {
  std::string complaint;
  if (random.one_in(3)) {
    if (::write(pipe_[1], bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      refuse("write");
    }
    complaint = write_by_readv(pipe_[0], bytes, pieces);
  } else {
    if (::pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      refuse("pwrite");
    }
    ::lseek(file_, 0, SEEK_SET);
    complaint =
        random.one_in(2) ? write_by_readv(file_, bytes, pieces) : write_by_pread(bytes, pieces);
  }
  const std::size_t length = bytes.size() / pieces.size();
  for (std::size_t i = 0; complaint.empty() && i < pieces.size(); ++i) {
    if (std::memcmp(pieces[i], bytes.data() + i * length, length) != 0) {
      complaint = "what the kernel wrote through a lease is not there";
    }
  }
  return complaint;
}

std::string KernelWriter::write_by_readv(int file, std::span<const std::byte> bytes,
                                         std::span<std::byte* const> pieces) {
  iovec targets[SharedLease::most_pages];
  const std::size_t length = bytes.size() / pieces.size();
  for (std::size_t i = 0; i < pieces.size(); ++i) targets[i] = {pieces[i], length};
  const ssize_t done = ::readv(file, targets, static_cast<int>(pieces.size()));
  return complaint_about("readv", done, bytes.size());
}

std::string KernelWriter::write_by_pread(std::span<const std::byte> bytes,
                                         std::span<std::byte* const> pieces) {
  const std::size_t length = bytes.size() / pieces.size();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const ssize_t done = ::pread(file_, pieces[i], length, static_cast<off_t>(i * length));
    const std::string complaint = complaint_about("pread", done, length);
    if (!complaint.empty()) return complaint;
  }
  return "";
}

// A signal may cut getrandom(2) short after 256 bytes.
std::string KernelWriter::write_random(std::span<std::byte> target) {
  while (!target.empty()) {
    const ssize_t done = ::getrandom(target.data(), target.size(), 0);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return complaint_about("getrandom", done, target.size());
    target = target.subspan(static_cast<std::size_t>(done));
  }
  return "";
}

// The pages count as leased from before the lease begins until after it has ended.
SharedLease::SharedLease(SharedRegion& shared, WorkerIndex worker, PageIndex first,
                         std::size_t pages)
    : shared_(shared),
      incarnation_(shared.incarnation()),
      worker_(worker),
      first_(first),
      pages_(pages),
      lease_([&] {
        const Layout& layout = shared.layout();
        const std::size_t begin = layout.fill(worker, first);
        const std::size_t end = layout.fill(worker, first + pages - 1) + layout.fill_bytes();
        for (PageIndex page = first; page < first + pages; ++page)
          shared.shadow().begin_lease(page);
        try {
          return shared.region().write_lease(begin, end - begin);
        } catch (...) {
          for (PageIndex page = first; page < first + pages; ++page)
            shared.shadow().end_lease(page);
          throw;
        }
      }()) {}

SharedLease::~SharedLease() {
  { const cow::WriteLease ended = std::move(lease_); }
  for (PageIndex page = first_; page < first_ + pages_; ++page) shared_.shadow().end_lease(page);
}

std::uint64_t SharedLease::next_version(PageIndex page) {
  return shared_.shadow().of(worker_, page, Kind::fill).load(std::memory_order_relaxed) + 1;
}

std::string SharedLease::write_fills(KernelWriter& kernel, support::Random& random) {
  const Layout& layout = shared_.layout();
  std::uint64_t words[most_pages * Layout::most_fill_words];
  std::byte* pieces[most_pages];
  for (std::size_t i = 0; i < pages_; ++i) {
    const PageIndex page = first_ + i;
    make_fill(worker_, page, next_version(page),
              {words + i * layout.fill_words(), layout.fill_words()});
    pieces[i] = lease_.data() + (layout.fill(worker_, page) - layout.fill(worker_, first_));
  }
  const std::span<const std::uint64_t> all(words, pages_ * layout.fill_words());
  std::string complaint = kernel.write(std::as_bytes(all), {pieces, pages_}, random);
  if (!is_current()) return complaint;  // written to a region that is gone
  for (PageIndex page = first_; page < first_ + pages_; ++page) {
    shared_.shadow().of(worker_, page, Kind::fill).fetch_add(1, std::memory_order_release);
  }
  return complaint;
}

}  // namespace soak
