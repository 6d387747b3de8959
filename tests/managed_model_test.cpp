// Objects in regions against the standard library's: random changes to a growing family of clones,
// snapshots and restored regions; and every container in a clone.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

using cow::ManagedRegion;
using cow::ManagedSnapshot;

namespace {

using Texts = cow::map<std::uint32_t, cow::string>;
using Model = std::map<std::uint32_t, std::string>;

/// Empty if both have the same entries, else which differ.
std::string difference(const Model& expected, const Texts& seen) {
  auto here = seen.begin();
  for (const auto& [key, text] : expected) {
    if (here == seen.end() || here->first != key || here->second != text.c_str()) {
      return "entry " + std::to_string(key) + " should be '" + text + "'";
    }
    ++here;
  }
  return here == seen.end() ? "" : "too many entries, such as " + std::to_string(here->first);
}

struct Live {
  ManagedRegion region;
  Model model;

  Texts& texts() { return *region.find<Texts>("texts").first; }
};

void change(Live& live, support::Random& random) {
  Texts& texts = live.texts();
  const auto key = static_cast<std::uint32_t>(random.below(400));
  if (random.one_in(3)) {
    texts.erase(key);
    live.model.erase(key);
    return;
  }
  const std::string text(random.below(200), static_cast<char>(random.between('a', 'z')));
  const auto at = texts.emplace(key, cow::string(live.region.get_allocator<char>())).first;
  at->second.assign(text.c_str());
  live.model[key] = text;
}

template <class Container, class Fill, class Check>
void survives_a_clone(ManagedRegion& region, const char* name, Fill fill, Check check) {
  CAPTURE(name);
  auto* const made = region.construct<Container>(name)(region.get_allocator<char>());
  fill(*made);
  CHECK(check(*made));
  ManagedRegion clone = region.clone();
  const ManagedSnapshot snapshot = region.snapshot();
  region.destroy<Container>(name);
  Container* const cloned = clone.find<Container>(name).first;
  CHECK(check(*cloned));
  CHECK(check(*snapshot.find<Container>(name).first));
  fill(*cloned);
  clone.destroy<Container>(name);
  CHECK(clone.all_memory_deallocated());
}

}  // namespace

TEST_CASE("objects in clones, snapshots and restored regions are those of a model", "[managed]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  std::vector<Live> lives;
  std::vector<std::pair<ManagedSnapshot, Model>> past;
  lives.push_back({ManagedRegion::create(1U << 14, 1U << 22, support::options()), {}});
  lives[0].region.construct<Texts>("texts")(lives[0].region.get_allocator<Texts::value_type>());

  for (std::size_t step = 0; step < support::scaled(3000); ++step) {
    Live& live = lives[random.below(lives.size())];
    for (std::size_t i = random.below(10); i > 0; --i) change(live, random);
    if (random.one_in(20)) past.emplace_back(live.region.snapshot(), live.model);
    if (random.one_in(30) && !past.empty()) {
      const auto& [snapshot, model] = past[random.below(past.size())];
      live.region.restore(snapshot);
      live.model = model;
    }
    if (random.one_in(30) && lives.size() < 8) {
      lives.push_back({live.region.clone(), Model(live.model)});
    }
    if (random.one_in(60) && lives.size() > 1) {
      lives.erase(lives.begin() + static_cast<std::ptrdiff_t>(random.below(lives.size())));
    }
    if (random.one_in(10)) {
      Live& any = lives[random.below(lives.size())];
      REQUIRE(difference(any.model, any.texts()) == "");
    }
  }
  for (Live& live : lives) {
    CHECK(difference(live.model, live.texts()) == "");
    CHECK(live.region.check_sanity());
    CHECK(support::broken_invariant(live.region.region()) == "");
    live.region.destroy<Texts>("texts");
    CHECK(live.region.all_memory_deallocated());
  }
  for (const auto& [snapshot, model] : past) {
    REQUIRE(difference(model, *snapshot.find<Texts>("texts").first) == "");
  }
}

TEST_CASE("every container works in a region, its clone and its snapshot", "[managed]") {
  ManagedRegion region = ManagedRegion::create(1U << 14, 1U << 22, support::options());
  const auto push = [](auto& container) {
    for (int i = 0; i < 1000; ++i) container.push_back(static_cast<char>(i % 100));
  };
  const auto pushed = [](const auto& container) {
    int i = 0;
    for (const auto value : container) {
      if (value != static_cast<char>(i % 100)) return false;
      ++i;
    }
    return i == 1000;
  };
  survives_a_clone<cow::string>(region, "string", push, pushed);
  survives_a_clone<cow::vector<char>>(region, "vector", push, pushed);
  survives_a_clone<cow::vector<double>>(region, "vector of doubles", push, pushed);
  survives_a_clone<cow::deque<int>>(region, "deque", push, pushed);
  survives_a_clone<cow::list<int>>(region, "list", push, pushed);
  survives_a_clone<cow::stable_vector<int>>(region, "stable_vector", push, pushed);
  survives_a_clone<cow::slist<int>>(
      region, "slist",
      [](auto& list) {
        for (int i = 999; i >= 0; --i) list.push_front(i % 100);
      },
      pushed);

  const auto insert = [](auto& set) {
    for (int i = 0; i < 1000; ++i) set.insert(i * 7919 % 1000);
  };
  const auto inserted = [](const auto& set) {
    for (int i = 0; i < 1000; ++i) {
      if (set.count(i) == 0) return false;
    }
    return set.count(1000) == 0;
  };
  survives_a_clone<cow::set<int>>(region, "set", insert, inserted);
  survives_a_clone<cow::multiset<int>>(region, "multiset", insert, inserted);
  survives_a_clone<cow::flat_set<int>>(region, "flat_set", insert, inserted);
  survives_a_clone<cow::unordered_set<int>>(region, "unordered_set", insert, inserted);

  const auto fill_map = [](auto& map) {
    for (int i = 0; i < 1000; ++i) map.emplace(i * 7919 % 1000, i);
  };
  const auto mapped = [](const auto& map) {
    for (int i = 0; i < 1000; ++i) {
      const auto found = map.find(i * 7919 % 1000);
      if (found == map.end() || found->second != i) return false;
    }
    return map.find(1000) == map.end();
  };
  survives_a_clone<cow::map<int, int>>(region, "map", fill_map, mapped);
  survives_a_clone<cow::multimap<int, int>>(region, "multimap", fill_map, mapped);
  survives_a_clone<cow::flat_map<int, int>>(region, "flat_map", fill_map, mapped);
  survives_a_clone<cow::unordered_map<int, int>>(region, "unordered_map", fill_map, mapped);
  CHECK(region.all_memory_deallocated());
}
