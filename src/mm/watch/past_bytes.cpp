#include "mm/watch/past_bytes.hpp"

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"

namespace cow {

namespace {

constexpr const char* kRefused = "a region could not be restored, and its bytes are as they were";

}  // namespace

const std::byte* PastBytes::in_frame(Entry entry) noexcept {
  return frames_.is_of_users_file(entry.frame()) ? nullptr : frames_.readable(entry.frame());
}

void PastBytes::need(PageIndex page) {
  const Entry entry = snapshot_.entry(page);
  if (entry.shows_zeros() || in_frame(entry) != nullptr) return;
  if (!to_read_.reserve(to_read_.size() + 1)) throw_refused(errno, "mmap", kRefused);
  to_read_.push(page);
}

void PastBytes::read() {
  if (to_read_.empty()) return;
  std::sort(to_read_.begin(), to_read_.end());
  const std::size_t page_bytes = frames_.geometry().page_bytes();
  buffer_.reset();
  buffer_.emplace(to_read_.size() * page_bytes);
  std::byte* to = buffer_->begin();
  for (const PageIndex page : to_read_) {
    const int error = frames_.read({snapshot_.entry(page).frame(), kOnePage}, to);
    if (error != 0) throw_refused(error, "pread", kRefused);
    to += page_bytes;
  }
}

const std::byte* PastBytes::of(PageIndex page) noexcept {
  const Entry entry = snapshot_.entry(page);
  if (entry.shows_zeros()) return nullptr;
  const PageIndex* const at = std::lower_bound(to_read_.begin(), to_read_.end(), page);
  if (at == to_read_.end() || *at != page) return in_frame(entry);
  return buffer_->begin() +
         frames_.geometry().offset(PageIndex{static_cast<std::uint64_t>(at - to_read_.begin())});
}

}  // namespace cow
