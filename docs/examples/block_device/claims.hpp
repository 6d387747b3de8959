#pragma once

// What the disk promises, claimed through its clients.

#include <cow/cow.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "model.hpp"
#include "protocol_claims.hpp"
#include "stage.hpp"

namespace examples {

/// Whether each `length` bytes are the same word all along.
inline bool has_whole_requests(const Bytes& disk, std::size_t length) {
  std::vector<std::uint64_t> words(length / sizeof(std::uint64_t));
  for (std::size_t at = 0; at < disk.size(); at += length) {
    std::memcpy(words.data(), disk.data() + at, length);
    if (!std::equal(words.begin() + 1, words.end(), words.begin())) return false;
  }
  return true;
}

/// Writers store to all of the disk, a request of several pages at a time with one number in all of
/// its words. Snapshots are taken meanwhile, and the disk is put back.
inline void claim_snapshots_stay(cow::Mechanism mechanism, int snapshots) {
  constexpr std::size_t size = 1 << 20;
  constexpr std::size_t length = 1 << 16;
  Stage stage(size, mechanism);
  std::atomic<std::uint64_t> requests{0};
  const auto store = [&](const std::stop_token& stop) {
    nbd::Client client = stage.connect();
    while (!stop.stop_requested()) {
      const std::uint64_t number = ++requests;
      const std::vector<std::uint64_t> words(length / sizeof number, number);
      Bytes bytes(length);
      std::memcpy(bytes.data(), words.data(), length);
      claim(client.write(number * length % size, bytes) == Error::none, "writes succeed");
    }
  };
  std::jthread first(store);
  std::jthread second(store);
  std::vector<Bytes> shown;
  const auto label_of = [](std::size_t index) { return "s" + std::to_string(index); };
  for (std::size_t i = 0; i < static_cast<std::size_t>(snapshots); ++i) {
    for (const std::uint64_t seen = requests; requests < seen + 20;) std::this_thread::yield();
    stage.disk.snapshot(label_of(i));
    shown.push_back(stage.connect("disk@" + label_of(i)).read_all());
    claim(has_whole_requests(shown.back(), length),
          "a snapshot has each request as a whole or not at all");
    for (std::size_t j = 0; j <= i; ++j) {
      claim(same(stage.connect("disk@" + label_of(j)).read_all(), shown[j]),
            "what a snapshot's export shows never changes");
    }
    if (i % 2 == 1) stage.disk.restore(label_of(0));
    claim(has_whole_requests(stage.connect().read_all(), length),
          "a request is carried out before a restore or after it");
  }
  for (std::jthread* const writer : {&first, &second}) {
    writer->request_stop();
    writer->join();
  }
  claim(!same(stage.connect().read_all(), shown.front()), "the live disk did change");
  stage.disk.restore(label_of(0));
  claim(same(stage.connect().read_all(), shown.front()), "restore brings back every byte");
}

/// The number of pages with data in an image: docs/file-format.md.
inline std::uint64_t pages_in_image(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(48);
  std::uint64_t pages = 0;
  for (int shift = 0; shift < 64; shift += 8) {
    pages |= static_cast<std::uint64_t>(stream.get()) << shift;
  }
  claim(stream.good(), "an image has a header");
  return pages;
}

/// A backup after writes to some pages has these and no others.
inline void claim_deltas_are_exact(cow::Mechanism mechanism) {
  constexpr std::size_t size = 8 << 20;
  Stage stage(size, mechanism);
  const std::size_t page = stage.disk.page_bytes();
  Random random(1);
  nbd::Client client = stage.connect();
  Bytes all = random_bytes(size, random);
  claim(client.write(0, all) == Error::none, "a disk is filled");
  const auto folder = stage.folder.path() / "backups";
  std::vector<std::filesystem::path> files{stage.disk.backup(folder).file};
  claim(pages_in_image(files[0]) == size / page, "the first backup has every page");
  claim(stage.disk.backup(folder).file.empty(), "without a write there is nothing to save");
  for (const std::size_t count : {1U, 10U, 100U, 1000U}) {
    const auto chosen = choose(count, size / page, random);
    for (const std::size_t i : chosen) {
      Bytes bytes = random_bytes(page, random);
      claim(client.write(i * page, bytes) == Error::none, "a page is written");
      std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(i * page));
    }
    const Saved saved = stage.disk.backup(folder);
    files.push_back(saved.file);
    claim(saved.pages == count && pages_in_image(saved.file) == count,
          "a delta has exactly the pages that were written");
  }
  Bytes few(2, std::byte{7});
  claim(client.write(page - 1, few) == Error::none, "two bytes are written, in two pages");
  std::copy(few.begin(), few.end(), all.begin() + static_cast<std::ptrdiff_t>(page - 1));
  files.push_back(stage.disk.backup(folder).file);
  claim(pages_in_image(files.back()) == 2, "two bytes across a page's end are two pages");
  claim(same(cow::Region::load(files).bytes(), all), "the chain loads as the disk is");
}

/// What was flushed is found by the next process, and the chain does not grow without bounds.
inline void claim_flushes_are_kept(cow::Mechanism mechanism, int flushes) {
  constexpr std::size_t size = 1 << 20;
  Stage stage(size, mechanism);
  const auto store = stage.folder.path() / "store";
  stage.disk.store_in(store, false);
  nbd::Client client = stage.connect();
  Random random(2);
  std::size_t most_files = 0;
  for (int i = 0; i < flushes; ++i) {
    Bytes bytes = random_bytes(250'000, random);
    const std::uint64_t offset = random() % (size - bytes.size());
    if (i % 2 == 0) {
      claim(client.write(offset, bytes, nbd::force_unit_access) == Error::none, "FUA is obeyed");
    } else {
      claim(client.write(offset, bytes) == Error::none, "a write succeeds");
      claim(client.ask(Command::flush, 0, 0) == Error::none, "a flush succeeds");
    }
    const auto files = Chain::files(store);
    most_files = std::max(most_files, files.size());
    claim(same(cow::Region::load(files).bytes(), client.read_all()), "what was flushed is kept");
  }
  claim(most_files < 8, "a store is brought together when deltas outgrow the disk");

  // The next process goes on with the chain, by a delta.
  Disk next(cow::Region::load(Chain::files(store)));
  next.store_in(store, true);
  const auto before = Chain::files(store).size();
  next.flush();
  claim(Chain::files(store).size() == before, "a flush without a write saves nothing");
  next.write(0, Bytes(1, std::byte{1}));
  next.flush();
  claim(cow::Region::load(Chain::files(store)).bytes()[0] == std::byte{1}, "the chain goes on");

  std::filesystem::remove_all(store);
  Bytes bytes(10, std::byte{2});
  claim(client.write(0, bytes, nbd::force_unit_access) == Error::input_output,
        "a flush that cannot be is an error");
  Bytes read(10);
  claim(client.read(0, read) == Error::none && same(read, bytes), "the disk goes on");
}

inline void claim_all(cow::Mechanism mechanism, bool quick) {
  {
    Stage stage(std::size_t{4} << 20, mechanism);
    stage.disk.snapshot("first");
    claim_options(stage);
    claim_requests(stage);
    claim_half_a_write_is_none(stage);
  }
  claim_snapshots_stay(mechanism, quick ? 5 : 30);
  claim_deltas_are_exact(mechanism);
  claim_flushes_are_kept(mechanism, quick ? 10 : 100);
  for (std::uint64_t seed = 1; seed <= (quick ? 1U : 20U); ++seed) {
    Model(mechanism, seed).run(quick ? 200 : 400);
  }
  std::printf("claims hold, mechanism %s\n", name_of(mechanism));
}

}  // namespace examples
