// A region that one worker alone stores to: a clone of a shared region, of another private one, or
// of a snapshot.
#pragma once

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "soak/page_hashes.hpp"
#include "support.hpp"

namespace soak {

class PrivateRegion {
 public:
  /// `hashes` are what its bytes must hash to; without them, whatever they are now.
  PrivateRegion(cow::Region region, std::uint64_t family, PageHashes hashes);
  PrivateRegion(cow::Region region, std::uint64_t family);

  [[nodiscard]] cow::Region& region() { return region_; }
  [[nodiscard]] std::uint64_t family() const { return family_; }
  [[nodiscard]] const PageHashes& hashes() const { return hashes_; }

  /// Stores somewhere, in one of several ways. Allocates nothing.
  void store(support::Random& random);
  /// Bytes begin … end-1 were stored to.
  void note_store(std::size_t begin, std::size_t end) { hashes_.set(region_.bytes(), begin, end); }
  /// The bytes have become those with these hashes.
  void follow(PageHashes hashes) { hashes_ = std::move(hashes); }

  /// Empty if every byte is what was stored there last.
  [[nodiscard]] std::string difference() const { return hashes_.difference(region_.bytes()); }

 private:
  cow::Region region_;
  std::uint64_t family_;
  PageHashes hashes_;
};

}  // namespace soak
