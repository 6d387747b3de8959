// save, save_delta and load: what was saved comes back, byte by byte, and takes no more room than
// it has to.

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::LoadMode;
using cow::LoadOptions;
using cow::PageRange;
using cow::Region;
using cow::Snapshot;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

constexpr LoadMode kModes[] = {LoadMode::copied, LoadMode::mapped};

LoadOptions in_mode(LoadMode mode) {
  LoadOptions options;
  options.mode = mode;
  return options;
}

/// Pages with bytes, pages of zeros that were stored, pages nobody stored to, in several leaves.
Region mixed_region(std::size_t pages, std::uint64_t seed) {
  Region region = Region::create(pages * support::page_bytes() - 100, support::options());
  support::Random random(seed);
  for (std::size_t page = 0; page < pages; ++page) {
    if (random.one_in(3))
      support::store(region, page, random.one_in(4) ? 0u : static_cast<unsigned>(1 + page % 255),
                     7);
  }
  return region;
}

std::string check_loaded(const std::vector<std::filesystem::path>& files, const Bytes& expected) {
  for (const LoadMode mode : kModes) {
    Region region = Region::load(files, in_mode(mode));
    std::string wrong = support::difference(expected, region.bytes());
    if (wrong.empty()) wrong = support::broken_invariant(region);
    if (!wrong.empty()) return wrong;
    Bytes stored = expected;
    for (std::size_t at = 0; at < stored.size(); at += 3 * support::page_bytes() / 2) {
      region.bytes()[at] = stored[at] = std::byte{0x77};
    }
    wrong = support::difference(stored, region.bytes());
    if (wrong.empty()) wrong = support::broken_invariant(region);
    if (!wrong.empty()) return "after stores: " + wrong;
  }
  return "";
}

}  // namespace

TEST_CASE("what is saved comes back, whatever the size", "[api]") {
  const Folder folder;
  for (const std::size_t pages : {1u, 2u, 511u, 512u, 513u, 1300u}) {
    const Region region = mixed_region(pages, pages);
    const Bytes bytes = support::plain_copy(region.bytes());
    region.snapshot().save(folder / "image.cow");
    CAPTURE(pages);
    CHECK(check_loaded({folder / "image.cow"}, bytes) == "");
    CHECK(folder.names() == std::vector<std::string>{"image.cow"});
  }
  CHECK(Region::load(folder / "image.cow").size() == 1300 * support::page_bytes() - 100);
}

TEST_CASE("a region of zeros is saved in next to nothing", "[api][handler]") {
  const Folder folder;
  Region region = Region::create(4000 * support::page_bytes(), support::options());
  support::store(region, 77, 1);
  support::store(region, 2000, 0);  // a frame of zeros
  region.snapshot().save(folder / "image.cow");
  CHECK(std::filesystem::file_size(folder / "image.cow") > 4000 * support::page_bytes());
  CHECK(support::bytes_on_disk(folder / "image.cow") <= 2 * support::page_bytes() + 65536);
  const std::size_t before = cow::process_stats().bytes_in_use;
  const Region loaded = Region::load(folder / "image.cow");
  CHECK(cow::process_stats().bytes_in_use == before + support::page_bytes());
  CHECK(loaded.stats().pages_zero == 4000 - 512);  // as after a store: those beside it have frames
  CHECK(support::difference(region.bytes(), loaded.bytes()) == "");
}

TEST_CASE("a chain of deltas comes back as the last snapshot, and each prefix as its own",
          "[api]") {
  const Folder folder;
  const std::size_t pages = 1200;
  Region region = mixed_region(pages, 5);
  std::vector<Snapshot> snapshots{region.snapshot()};
  std::vector<std::filesystem::path> files{folder / "0"};
  std::vector<Bytes> contents{support::plain_copy(region.bytes())};
  snapshots[0].save(files[0]);
  support::Random random(support::seed());
  for (std::size_t step = 1; step < 6; ++step) {
    for (std::size_t i = 0; i < 40 * step; ++i) {
      const std::size_t page = random.below(pages);
      // A page that becomes zeros, now and then, and one that gets the bytes it had.
      support::store(region, page, random.one_in(3) ? 0u : static_cast<unsigned>(random.below(256)),
                     7);
    }
    snapshots.push_back(region.snapshot());
    contents.push_back(support::plain_copy(region.bytes()));
    files.push_back(folder / std::to_string(step));
    snapshots[step].save_delta(snapshots[step - 1], files[step]);
    CHECK(support::bytes_on_disk(files[step]) <= 40 * step * support::page_bytes() + 131072);
  }
  for (std::size_t count = files.size(); count > 0; --count) {
    CAPTURE(count);
    CHECK(check_loaded({files.begin(), files.begin() + static_cast<std::ptrdiff_t>(count)},
                       contents[count - 1]) == "");
  }
}

TEST_CASE("a delta of nothing is a file without pages", "[api]") {
  const Folder folder;
  Region region = mixed_region(600, 6);
  const Snapshot before = region.snapshot();
  const Snapshot after = region.snapshot();
  before.save(folder / "full");
  after.save_delta(before, folder / "delta");
  CHECK(std::filesystem::file_size(folder / "delta") <= 2 * support::page_bytes() + 65536);
  CHECK(check_loaded({folder / "full", folder / "delta"}, support::plain_copy(region.bytes())) ==
        "");
}

TEST_CASE("after a load, the chain goes on from a snapshot taken before anything is stored",
          "[api]") {
  const Folder folder;
  Region first = mixed_region(700, 7);
  first.snapshot().save(folder / "full");
  for (const LoadMode mode : kModes) {
    Region region = Region::load(folder / "full", in_mode(mode));
    const Snapshot loaded = region.snapshot();
    const Snapshot again = region.snapshot();
    for (const std::size_t page : {0u, 1u, 600u}) support::flip(region, page);
    const Snapshot changed = region.snapshot();
    changed.save_delta(loaded, folder / "delta");
    const Bytes bytes = support::plain_copy(region.bytes());
    CHECK(check_loaded({folder / "full", folder / "delta"}, bytes) == "");
    changed.save_delta(again, folder / "delta");
    CHECK(check_loaded({folder / "full", folder / "delta"}, bytes) == "");
    // What was taken after a store, or under a lease, is something else.
    support::flip(region, 5);
    region.snapshot().save_delta(changed, folder / "next");
    CHECK(check_loaded({folder / "full", folder / "delta", folder / "next"},
                       support::plain_copy(region.bytes())) == "");
    CHECK_THROWS_AS(Region::load({folder / "full", folder / "next"}), std::system_error);
  }
  Region leased = Region::load(folder / "full");
  { const cow::WriteLease lease = leased.write_lease(0, 1); }
  const Snapshot after_lease = leased.snapshot();
  after_lease.save_delta(after_lease, folder / "delta");
  CHECK_THROWS_AS(Region::load({folder / "full", folder / "delta"}), std::system_error);
}

TEST_CASE("a file that replaces the one a region is mapped from does not change the region",
          "[api]") {
  const Folder folder;
  Region region = mixed_region(600, 8);
  const Bytes bytes = support::plain_copy(region.bytes());
  region.snapshot().save(folder / "image.cow");
  Region mapped = Region::load(folder / "image.cow", in_mode(LoadMode::mapped));
  support::flip(mapped, 3);
  const Bytes changed = support::plain_copy(mapped.bytes());
  mapped.snapshot().save(folder / "image.cow");  // over the file that it is mapped from
  CHECK(support::difference(changed, mapped.bytes()) == "");
  CHECK(check_loaded({folder / "image.cow"}, changed) == "");
}

TEST_CASE("clones, snapshots and children of a mapped image see its zero pages", "[api]") {
  const Folder folder;
  Region region = Region::create(1500 * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < 1500; page += 3) support::store(region, page, 5);
  const Snapshot base = region.snapshot();
  base.save(folder / "full");
  for (std::size_t page = 0; page < 1500; page += 6) support::store(region, page, 0);
  region.snapshot().save_delta(base, folder / "delta");
  Region mapped = Region::load({folder / "full", folder / "delta"}, in_mode(LoadMode::mapped));
  support::store(mapped, 7, 9);
  support::store(mapped, 12, 9);
  const Bytes bytes = support::plain_copy(mapped.bytes());
  const Snapshot snapshot = mapped.snapshot();
  Region lazy = mapped.clone();
  Region eager = mapped.clone(cow::CloneMode::eager);
  for (Region* copy : {&lazy, &eager}) {
    CHECK(support::difference(bytes, copy->bytes()) == "");
    support::flip(*copy, 600);
    CHECK(support::broken_invariant(*copy) == "");
  }
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    support::flip(mapped, 18);
    mapped.restore(snapshot);
    return support::difference(bytes, mapped.bytes());
  });
  CHECK(child.complaint == "");
  support::flip(mapped, 18);
  mapped.restore(snapshot);
  CHECK(support::difference(bytes, mapped.bytes()) == "");
  CHECK(support::broken_invariant(mapped) == "");
}

TEST_CASE("a snapshot is saved as it was, while threads store and further snapshots come and go",
          "[api]") {
  const Folder folder;
  const std::size_t pages = 3000;
  Region region = mixed_region(pages, 9);
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      support::Random random(writer);
      while (!done) support::store(region, random.below(pages), writer, writer);
    });
  }
  std::string wrong;
  Snapshot base = region.snapshot();
  base.save(folder / "full");
  for (std::size_t round = 0; wrong.empty() && round < support::scaled(20); ++round) {
    const Snapshot snapshot = region.snapshot();
    cow::SaveOptions options;
    options.progress = [&](const cow::SaveProgress&) {
      (void)region.snapshot();
      return true;
    };
    snapshot.save(folder / "now", options);
    snapshot.save_delta(base, folder / "delta", options);
    const Region full = Region::load(folder / "now");
    const Region chain = Region::load({folder / "full", folder / "delta"});
    wrong = support::difference(snapshot.bytes(), full.bytes());
    if (wrong.empty()) wrong = support::difference(snapshot.bytes(), chain.bytes());
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(wrong == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a child made by fork can save what it has, also under the lock of nobody", "[api]") {
  const Folder folder;
  Region region = mixed_region(900, 10);
  const Snapshot snapshot = region.snapshot();
  support::flip(region, 2);
  const Bytes bytes = support::plain_copy(snapshot.bytes());
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    support::flip(region, 3);
    snapshot.save(folder / "full");
    region.snapshot().save_delta(snapshot, folder / "delta");
    const Region loaded = Region::load({folder / "full", folder / "delta"});
    return support::difference(region.bytes(), loaded.bytes());
  });
  CHECK(child.complaint == "");
  CHECK(check_loaded({folder / "full"}, bytes) == "");
}

TEST_CASE("progress is told up to the end, and can stop a save without a trace", "[api]") {
  const Folder folder;
  Region region = mixed_region(2000, 11);
  const Snapshot snapshot = region.snapshot();
  support::write_file(folder / "image.cow", Bytes(9, std::byte{1}));
  const std::size_t descriptors = support::open_descriptors();
  cow::SaveOptions options;
  cow::SaveProgress last;
  options.progress = [&](const cow::SaveProgress& progress) {
    last = progress;
    return false;
  };
  try {
    snapshot.save(folder / "image.cow", options);
    FAIL("a save that was stopped returned");
  } catch (const std::system_error& error) {
    CHECK(error.code().value() == ECANCELED);
  }
  options.progress = [](const cow::SaveProgress&) -> bool { throw std::range_error("mine"); };
  CHECK_THROWS_AS(snapshot.save(folder / "image.cow", options), std::range_error);
  CHECK(folder.names() == std::vector<std::string>{"image.cow"});
  CHECK(support::read_file(folder / "image.cow") == Bytes(9, std::byte{1}));
  CHECK(support::open_descriptors() == descriptors);
  options.progress = [&](const cow::SaveProgress& progress) {
    CHECK(progress.pages_done >= last.pages_done);
    last = progress;
    return true;
  };
  last = {};
  snapshot.save(folder / "image.cow", options);
  CHECK(last.pages_done == 2000);
  CHECK(last.pages_total == 2000);
  CHECK(last.bytes_written > 0);
}

TEST_CASE("a save that cannot be made says so with the file's name and leaves nothing behind",
          "[api]") {
  const Folder folder;
  Region region = mixed_region(20, 12);
  const Snapshot snapshot = region.snapshot();
  const auto refusal = [&](const std::filesystem::path& path) {
    return support::words_of<std::system_error>([&] { snapshot.save(path); });
  };
  CHECK(refusal(folder / "no" / "image").find("image") != std::string::npos);
  CHECK(refusal(folder.path()).find("is a folder") != std::string::npos);
  CHECK(refusal(folder.path() / "").find("is not the name of a file") != std::string::npos);
  CHECK(refusal("/dev/null").find("is a device") != std::string::npos);
  Region other = mixed_region(20, 13);
  CHECK_THROWS_AS(snapshot.save_delta(other.snapshot(), folder / "delta"), std::invalid_argument);
  CHECK(folder.names().empty());

  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    const rlimit small{100000, 100000};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const std::string words =
        support::words_of<std::system_error>([&] { snapshot.save(folder / "image"); });
    return words.find("ulimit -f") != std::string::npos ? "" : words;
  });
  CHECK(child.complaint == "");
  CHECK(folder.names().empty());
}

TEST_CASE("a symbolic link is replaced by a save, and its target is left alone", "[api]") {
  const Folder folder;
  support::write_file(folder / "target", Bytes(3, std::byte{7}));
  std::filesystem::create_symlink("target", folder / "link");
  mixed_region(5, 14).snapshot().save(folder / "link");
  CHECK(support::read_file(folder / "target") == Bytes(3, std::byte{7}));
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(folder / "link")));
}

TEST_CASE("load takes the images' page size, and refuses another", "[api]") {
  const Folder folder;
  cow::RegionOptions options;
  options.granule_bytes = std::max<std::size_t>(support::page_bytes(), 65536);
  Region region = Region::create(10 * options.granule_bytes, options);
  support::fill(region.bytes(), 3);
  region.snapshot().save(folder / "image.cow");
  const Region loaded = Region::load(folder / "image.cow");
  CHECK(loaded.page_bytes() == options.granule_bytes);
  CHECK(support::shows(loaded.bytes(), 3));
  LoadOptions other;
  other.region.granule_bytes = 2 * options.granule_bytes;
  CHECK_THROWS_AS(Region::load(folder / "image.cow", other), std::invalid_argument);
  CHECK_THROWS_AS(Region::load(std::vector<std::filesystem::path>{}), std::invalid_argument);
}

TEST_CASE("loaded frames can be reserved, and then no store asks for more", "[api]") {
  const Folder folder;
  Region region = mixed_region(600, 15);
  region.snapshot().save(folder / "image.cow");
  for (const LoadMode mode : kModes) {
    LoadOptions options = in_mode(mode);
    options.region.reserve_frames = true;
    Region loaded = Region::load(folder / "image.cow", options);
    CHECK(support::difference(region.bytes(), loaded.bytes()) == "");
    for (std::size_t page = 0; page < 600; ++page) support::flip(loaded, page);
    CHECK(support::broken_invariant(loaded) == "");
  }
}

TEST_CASE("a snapshot is saved where there is no /proc", "[api]") {
  const support::Folder folder;
  const auto result = support::run_in_child([&]() -> std::string {
    Region region = Region::create(40 * support::page_bytes(), support::options());
    support::fill(region.bytes(), 3);
    if (::geteuid() != 0 && ::unshare(CLONE_NEWUSER) != 0) return "skipped";
    if (::chroot(folder.path().c_str()) != 0 || ::chdir("/") != 0) return "skipped";
    region.snapshot().save("/image");
    region.snapshot().save("/image");  // over another one, too
    return "";
  });
  if (result.complaint == "skipped") {
    WARN("skipped: chroot is not allowed here");
    return;
  }
  CHECK(result.complaint == "");
  CHECK(folder.names() == std::vector<std::string>{"image"});
  CHECK(support::shows(Region::load(folder / "image").bytes(), 3));
}
