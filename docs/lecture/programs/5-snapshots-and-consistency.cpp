// A bank that is never stopped, and reports of one moment: under the lock, and without it.
#include <atomic>
#include <chrono>
#include <cow/cow.hpp>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>

namespace {

constexpr std::size_t accounts = 100'000;
constexpr int reports = 200;

long sum_of(const cow::Snapshot& moment) {
  const auto* then = reinterpret_cast<const long*>(moment.bytes().data());
  return std::accumulate(then, then + accounts, 0L);
}

}  // namespace

int main() {
  cow::Region region = cow::Region::create(accounts * sizeof(long));
  const std::span<long> balance{reinterpret_cast<long*>(region.data()), accounts};
  for (long& one : balance) one = 100;

  std::mutex transaction;
  std::atomic<bool> closing{false};
  std::atomic<long> transfers{0};
  std::thread teller([&] {
    for (std::size_t i = 0; !closing; ++i, ++transfers) {
      const std::lock_guard<std::mutex> guard(transaction);
      balance[i * 7919 % accounts] -= 1;
      balance[i * 104729 % accounts] += 1;
    }
  });
  int wrong_under_lock = 0;
  int wrong_without = 0;
  for (int report = 0; report < reports; ++report) {
    std::unique_lock<std::mutex> guard(transaction);
    const cow::Snapshot between_transfers = region.snapshot();
    guard.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(50));  // the teller goes on
    const cow::Snapshot whenever = region.snapshot();
    wrong_under_lock += sum_of(between_transfers) != 100 * long{accounts};
    wrong_without += sum_of(whenever) != 100 * long{accounts};
  }
  closing = true;
  teller.join();
  std::printf("%ld transfers went on beside the reports\n", transfers.load());
  std::printf("snapshots under the lock   %d of %d miss money\n", wrong_under_lock, reports);
  std::printf("snapshots without it       %d of %d do\n", wrong_without, reports);
  return wrong_under_lock == 0 ? 0 : 1;
}
