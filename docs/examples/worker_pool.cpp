// A pool of workers that start from a warmed-up heap: process forking, with and without processes.
//
// A service has a dictionary of some 100 MiB, which took seconds to build. Each request changes it
// (words are counted in and learned), and none may see what another one changed. Servers fork()
// for that: a child has the heap as it was, changes its own pages, and ends. Here a worker's heap
// is a clone of a snapshot, so workers can be threads, and instead of ending they go back.
//
// In turns and in one run: clones that are restored or thrown away, with both of libcow's
// mechanisms, in threads and in preforked processes; fork() for each request; a copy for each.

#include <unistd.h>

#include <cow/cow.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "measured.hpp"
#include "memory.hpp"
#include "worker_pool/crew.hpp"
#include "worker_pool/dictionary.hpp"
#include "worker_pool/warm_heap.hpp"
#include "worker_pool/workers.hpp"

namespace {

using examples::Board;
using examples::claim;
using examples::Dictionary;
using examples::Request;
using examples::WarmHeap;
using examples::Worker;

constexpr unsigned kWorkers = 4;

/// A way to have workers, and what it gave in each turn.
struct Way {
  std::string name;
  bool as_processes;
  bool goes_back;
  std::function<std::unique_ptr<Worker>()> make;
  std::vector<double> requests_a_second{};
  std::uint64_t wrong = 0;
  double mebibytes = 0;
};

template <typename Kind, typename... Arguments>
std::function<std::unique_ptr<Worker>()> maker(const Arguments&... arguments) {
  return [&arguments...] { return std::make_unique<Kind>(arguments...); };
}

std::vector<Way> make_ways(const WarmHeap& warm) {
  using examples::CloningWorker;
  using examples::RestoringWorker;
  std::vector<Way> ways;
  const auto add_libcow = [&](const std::string& who, const cow::Snapshot& from) {
    ways.push_back({"restore, threads, " + who, false, true, maker<RestoringWorker>(warm, from)});
    ways.push_back({"restore, processes, " + who, true, true, maker<RestoringWorker>(warm, from)});
    ways.push_back(
        {"a clone each, threads, " + who, false, true, maker<CloningWorker>(warm, from)});
  };
  add_libcow("handler", warm.handler());
  if (warm.kernel()) add_libcow("kernel", *warm.kernel());
  ways.push_back({"fork() each", true, true, maker<examples::ForkingWorker>(warm)});
  ways.push_back({"a copy each, threads", false, true, maker<examples::CopyingWorker>(warm)});
  ways.push_back({"never goes back, threads", false, false, maker<examples::KeepingWorker>(warm)});
  return ways;
}

void serve(Worker& worker, Board& board, const std::vector<Request>& requests) {
  const Request& request = requests[board.next_request++ % requests.size()];
  worker.serve([&](Dictionary& dictionary) {
    if (examples::handle(dictionary, request) != request.score) ++board.wrong;
    ++board.served;
  });
}

/// All workers serve for some time; how many requests a second.
void take_turn(Way& way, const std::vector<Request>& requests, std::chrono::milliseconds time) {
  const examples::SharedBoard board;
  const auto body = [&](unsigned) {
    const std::unique_ptr<Worker> worker = way.make();
    serve(*worker, *board, requests);
    board->meet(0);
    const auto end = std::chrono::steady_clock::now() + time;
    do serve(*worker, *board, requests);
    while (std::chrono::steady_clock::now() < end);
    board->meet(1);
  };
  const examples::Crew crew(kWorkers, way.as_processes, body);
  board->await(kWorkers);
  const std::uint64_t before = board->served;
  const double seconds = examples::seconds_of([&] {
    board->release(0, kWorkers);
    board->await(kWorkers);
  });
  way.requests_a_second.push_back(static_cast<double>(board->served - before) / seconds);
  board->release(1, kWorkers);
  way.wrong += board->wrong;
  claim(board->wrong == 0 || !way.goes_back, "every answer is right: " + way.name);
}

/// All workers hold the changes of a request at the same time. None sees those of the others, and
/// the processes are weighed at this moment: what they hold more than before there were workers.
void hold(Way& way, const std::vector<Request>& requests) {
  const examples::SharedBoard board;
  cow::trim();  // what libcow keeps for its next copies would be counted before
  const std::size_t before = examples::memory_of({::getpid()});
  const auto mark_of = [](unsigned worker) { return "worker-" + std::to_string(worker); };
  const auto body = [&](unsigned worker) {
    const std::unique_ptr<Worker> made = way.make();
    made->serve([&](Dictionary& dictionary) {
      examples::handle(dictionary, requests[worker % requests.size()]);
      examples::count_in(dictionary, mark_of(worker));
      board->holders[worker] = ::getpid();
      board->meet(0);
      for (unsigned other = 0; other < kWorkers; ++other) {
        const bool knows = examples::knows(dictionary, mark_of(other));
        if (knows != (other == worker)) ++board->seen_of_others;
      }
      board->meet(1);
    });
  };
  const examples::Crew crew(kWorkers, way.as_processes, body);
  board->await(kWorkers);
  std::set<pid_t> processes(crew.children().begin(), crew.children().end());
  processes.insert(::getpid());
  for (unsigned worker = 0; worker < kWorkers; ++worker) processes.insert(board->holders[worker]);
  const std::size_t held = examples::memory_of(processes);
  way.mebibytes = (static_cast<double>(held) - static_cast<double>(before)) / (1 << 20);
  board->release(0, kWorkers);
  board->await(kWorkers);
  board->release(1, kWorkers);
  claim(board->seen_of_others == 0, "no worker sees what another one changed: " + way.name);
}

/// Pages of all requests together, each on a clone of its own.
struct Pages {
  std::size_t changed = 0;
  std::size_t copied = 0;  ///< by libcow; where the kernel copies, it does not say
};

/// What requests change, and that a restore brings all of it back.
Pages count_pages(const WarmHeap& warm, const cow::Snapshot& from,
                  const std::vector<Request>& requests) {
  Pages pages;
  for (const Request& request : requests) {
    cow::Region heap = cow::Region::from_snapshot(from);
    examples::handle(warm.dictionary(heap.data()), request);
    for (const cow::PageRange range : cow::diff(from, heap.snapshot())) {
      pages.changed += range.page_count;
    }
    const cow::RegionStats stats = heap.stats();
    pages.copied += stats.pages_copied + stats.pages_zero_filled;
    heap.restore(from);
    claim(std::memcmp(heap.data(), warm.plain().data(), warm.used_bytes()) == 0,
          "a restored heap is the warmed-up one");
  }
  return pages;
}

/// That a wrong answer would be noticed: the same request, without going back in between.
void claim_that_keeping_shows(const WarmHeap& warm, const Request& request) {
  examples::KeepingWorker worker(warm);
  std::uint64_t second = request.score;
  worker.serve([&](Dictionary& dictionary) { examples::handle(dictionary, request); });
  worker.serve([&](Dictionary& dictionary) { second = examples::handle(dictionary, request); });
  claim(second != request.score, "an answer from a heap that was changed is another one");
}

struct Load {
  std::size_t heap_bytes;
  std::size_t words;  ///< in a request
  int turns;
};

void run_load(const Load& load, std::chrono::milliseconds time) {
  const WarmHeap warm(load.heap_bytes);
  const std::vector<Request> requests = examples::make_requests(8, load.words, warm.words());
  claim_that_keeping_shows(warm, requests.front());
  const Pages pages = count_pages(warm, warm.handler(), requests);
  claim(0 < pages.changed && pages.changed <= pages.copied, "each page that changes was copied");
  if (warm.kernel()) {
    claim(count_pages(warm, *warm.kernel(), requests).changed == pages.changed,
          "both mechanisms see the same pages change");
  } else {
    std::printf("Without the kernel's mechanism: %s\n", warm.without_kernel().c_str());
  }

  std::vector<Way> ways = make_ways(warm);
  for (Way& way : ways) hold(way, requests);
  for (int turn = 0; turn < load.turns; ++turn) {
    for (Way& way : ways) take_turn(way, requests, time);
  }
  for (const auto* const from : {&warm.handler(), warm.kernel() ? &*warm.kernel() : nullptr}) {
    claim(from == nullptr ||
              std::memcmp(from->bytes().data(), warm.plain().data(), warm.used_bytes()) == 0,
          "the template is what it was before the first request");
  }

  const auto each = static_cast<double>(requests.size());
  std::printf("\n%u workers, a heap of %.0f MiB, %zu words a request\n"
              "(a request changes %.1f pages of %zu; the handler copies %.1f)\n",
              kWorkers, static_cast<double>(warm.used_bytes()) / (1 << 20), load.words,
              static_cast<double>(pages.changed) / each,
              warm.used_bytes() / warm.handler().page_bytes(),
              static_cast<double>(pages.copied) / each);
  std::printf("  %-34s %12s %12s %8s\n", "a worker's heap", "requests/s", "more MiB", "wrong");
  for (const Way& way : ways) {
    std::printf("  %-34s %12.1f %12.1f %8llu\n", way.name.c_str(),
                examples::median(way.requests_a_second), way.mebibytes,
                static_cast<unsigned long long>(way.wrong));
  }
}

}  // namespace

int main(int count, char** arguments) {
  const bool quick = examples::is_quick(count, arguments, examples::kUsageOfWorkerPool);
  const std::size_t heap_bytes = std::size_t{quick ? 16U : 100U} << 20;
  try {
    std::printf("%s\n", examples::machine().c_str());
    // The other two are not what libcow is for.
    const Load few_pages{heap_bytes, 16, quick ? 1 : 5};
    const Load small_heap{std::size_t{1} << 20, 16, quick ? 1 : 5};
    const Load most_pages{heap_bytes, heap_bytes / (quick ? 8'000 : 1'000), quick ? 1 : 3};
    for (const Load& load : {few_pages, small_heap, most_pages}) {
      run_load(load, std::chrono::milliseconds(quick ? 20 : 500));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("\nEvery answer was right but those of workers that never went back, no worker saw\n"
              "what another one changed, and the templates are what they were.\n");
}
