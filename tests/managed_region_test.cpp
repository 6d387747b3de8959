// Objects in a region: found, cloned with everything they refer to, looked at in the past, and
// brought back.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using cow::ManagedRegion;
using cow::ManagedSnapshot;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

ManagedRegion new_region(std::size_t bytes = mib) {
  return ManagedRegion::create(bytes, support::options());
}

/// An object graph: strings in vectors in a map.
using Lines = cow::vector<cow::string>;
using Book = cow::map<cow::string, Lines>;

Book& make_book(ManagedRegion& region) {
  return *region.construct<Book>("book")(region.get_allocator<Book::value_type>());
}

void add_line(ManagedRegion& region, Book& book, const std::string& chapter,
              const std::string& line) {
  const auto any = region.get_allocator<char>();
  const auto found = book.emplace(cow::string(chapter.c_str(), any), Lines(any)).first;
  found->second.emplace_back(line.c_str(), any);
}

using PlainBook = std::map<std::string, std::vector<std::string>>;

PlainBook plain(const Book& book) {
  PlainBook copy;
  for (const auto& [chapter, lines] : book) {
    for (const cow::string& line : lines) copy[chapter.c_str()].emplace_back(line.c_str());
  }
  return copy;
}

struct Point {
  int x = 0;
  int y = 0;
};

template <class Iterator>
std::vector<std::string> names(Iterator begin, Iterator end) {
  std::vector<std::string> all;
  for (; begin != end; ++begin) all.emplace_back(begin->name(), begin->name_length());
  return all;
}

}  // namespace

TEST_CASE("objects in a region are found by their name, with their number", "[managed]") {
  ManagedRegion region = new_region();
  Point* const one = region.construct<Point>("one")(Point{1, 2});
  Point* const many = region.construct<Point>("many")[5](Point{3, 4});
  Point* const unique = region.construct<Point>(cow::unique_instance)(Point{5, 6});
  Point* const nameless = region.construct<Point>(cow::anonymous_instance)(Point{7, 8});

  CHECK(region.find<Point>("one") == std::pair(one, std::size_t{1}));
  CHECK(region.find<Point>("many") == std::pair(many, std::size_t{5}));
  CHECK(region.find<Point>(cow::unique_instance) == std::pair(unique, std::size_t{1}));
  CHECK(region.find<Point>("none") == std::pair<Point*, std::size_t>(nullptr, 0));
  CHECK(std::as_const(region).find<Point>("one").first->y == 2);
  CHECK(many[4].x == 3);
  CHECK(nameless->x == 7);
  CHECK(ManagedRegion::get_instance_name(one) == std::string("one"));
  CHECK(ManagedRegion::get_instance_length(many) == 5);
  for (const Point* point : {one, many, unique, nameless}) {
    CHECK(region.belongs_to_segment(point));
    CHECK(region.get_address_from_handle(region.get_handle_from_address(point)) == point);
  }
  CHECK_FALSE(region.belongs_to_segment(&region));
}

TEST_CASE("arrays in a region take their arguments from iterators", "[managed]") {
  ManagedRegion region = new_region();
  const int values[] = {3, 1, 4};
  int* const made = region.construct_it<int>("digits")[3](&values[0]);
  CHECK(std::equal(made, made + 3, &values[0]));
  CHECK(region.find_or_construct_it<int>("digits")[3](&values[0]) == made);
}

TEST_CASE("a name in a region is taken once", "[managed]") {
  ManagedRegion region = new_region();
  int* const first = region.construct<int>("n")(1);
  CHECK_THROWS_AS(region.construct<int>("n")(2), boost::interprocess::interprocess_exception);
  CHECK(region.construct<int>("n", std::nothrow)(2) == nullptr);
  CHECK(region.find_or_construct<int>("n")(2) == first);
  CHECK(region.find_or_construct<int>("n", std::nothrow)(2) == first);
  CHECK(*first == 1);
  CHECK(region.destroy<int>("n"));
  CHECK_FALSE(region.destroy<int>("n"));
  CHECK(*region.find_or_construct<int>("n")(2) == 2);
}

TEST_CASE("a region whose objects are destroyed is empty again", "[managed]") {
  ManagedRegion region = new_region();
  CHECK(region.all_memory_deallocated());
  const std::size_t free_bytes = region.get_free_memory();
  Book& book = make_book(region);
  for (int i = 0; i < 1000; ++i)
    add_line(region, book, std::to_string(i % 40), std::string(50, 'x'));
  auto* const numbers = region.construct<int>(cow::anonymous_instance)[100](7);
  region.construct<Point>(cow::unique_instance)();
  {
    const auto owner = std::unique_ptr<int, ManagedRegion::deleter<int>>(
        region.construct<int>("owned")(1), region.get_deleter<int>());
  }
  CHECK_FALSE(region.all_memory_deallocated());
  CHECK(region.check_sanity());

  CHECK(region.destroy<Book>("book"));
  CHECK(region.destroy<Point>(cow::unique_instance));
  region.destroy_ptr(numbers);
  CHECK(region.find<int>("owned").first == nullptr);
  CHECK(region.all_memory_deallocated());
  CHECK(region.get_free_memory() == free_bytes);
}

TEST_CASE("a constructor that throws leaves neither name nor memory in the region", "[managed]") {
  struct Fussy {
    explicit Fussy(int& left) {
      if (--left < 0) throw std::runtime_error("no more");
    }
  };
  ManagedRegion region = new_region();
  int left = 3;
  CHECK_THROWS_AS(region.construct<Fussy>("fussy")[5](left), std::runtime_error);
  CHECK(region.find<Fussy>("fussy").first == nullptr);
  left = 0;
  CHECK_THROWS_AS(region.construct<Fussy>(cow::anonymous_instance)(left), std::runtime_error);
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("the named objects of a region can be gone through", "[managed]") {
  ManagedRegion region = new_region();
  for (const char* name : {"pear", "fig", "apple"}) region.construct<int>(name)(1);
  region.construct<Point>(cow::unique_instance)();
  const std::vector<std::string> expected = {"fig", "pear", "apple"};
  CHECK(names(region.named_begin(), region.named_end()) == expected);
  CHECK(region.get_num_named_objects() == 3);
  CHECK(region.get_num_unique_objects() == 1);
  CHECK(std::distance(region.unique_begin(), region.unique_end()) == 1);
  CHECK(region.named_begin()->value() == region.find<int>("fig").first);

  const ManagedSnapshot snapshot = region.snapshot();
  region.destroy<int>("fig");
  CHECK(names(snapshot.named_begin(), snapshot.named_end()) == expected);
  CHECK(snapshot.get_num_named_objects() == 3);
  CHECK(snapshot.get_num_unique_objects() == 1);
  CHECK(names(region.named_begin(), region.named_end()) ==
        std::vector<std::string>{"pear", "apple"});
}

TEST_CASE("a clone is the whole object graph at an address of its own", "[managed]") {
  ManagedRegion original = new_region();
  Book& book = make_book(original);
  for (int i = 0; i < 500; ++i) {
    add_line(original, book, "chapter " + std::to_string(i % 30), "line " + std::to_string(i));
  }
  const PlainBook before = plain(book);

  ManagedRegion clone = original.clone();
  Book* const cloned = clone.find<Book>("book").first;
  REQUIRE(cloned != nullptr);
  CHECK(clone.belongs_to_segment(cloned));
  CHECK(clone.get_handle_from_address(cloned) == original.get_handle_from_address(&book));
  CHECK(plain(*cloned) == before);
  for (const auto& [chapter, lines] : *cloned) {
    REQUIRE(clone.belongs_to_segment(chapter.data()));
    for (const cow::string& line : lines) REQUIRE(clone.belongs_to_segment(line.data()));
  }

  add_line(clone, *cloned, "new", "only in the clone");
  book.clear();
  PlainBook expected = before;
  expected["new"] = {"only in the clone"};
  CHECK(plain(*cloned) == expected);
  CHECK(book.empty());
  CHECK(original.check_sanity());
  CHECK(clone.check_sanity());
  CHECK(support::broken_invariant(original.region()) == "");
  CHECK(support::broken_invariant(clone.region()) == "");
}

TEST_CASE("an eager clone is the whole object graph too", "[managed]") {
  ManagedRegion original = new_region();
  add_line(original, make_book(original), "a", "b");
  ManagedRegion clone = original.clone(cow::CloneMode::eager);
  CHECK(plain(*clone.find<Book>("book").first) == PlainBook{{"a", {"b"}}});
}

TEST_CASE("objects outlive the regions they were cloned from", "[managed]") {
  std::optional<ManagedRegion> region = new_region();
  make_book(*region);
  PlainBook expected;
  for (int generation = 0; generation < 20; ++generation) {
    ManagedRegion next = region->clone();
    region.emplace(std::move(next));
    Book& book = *region->find<Book>("book").first;
    REQUIRE(plain(book) == expected);
    const std::string text = std::to_string(generation);
    add_line(*region, book, text, text);
    expected[text] = {text};
  }
  CHECK(plain(*region->find<Book>("book").first) == expected);
}

TEST_CASE("a lookup in a region writes nothing", "[managed]") {
  ManagedRegion region = new_region();
  Book& book = make_book(region);
  for (int i = 0; i < 300; ++i) add_line(region, book, std::to_string(i), "line");
  for (int i = 0; i < 300; ++i) region.construct<int>(std::to_string(i).c_str())(i);
  region.construct<Point>(cow::unique_instance)();
  const ManagedRegion clone = region.clone();
  const cow::RegionStats before = region.region().stats();

  std::size_t found = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(i);
    found += region.find<int>(name.c_str()).second;
    found += clone.find<int>(name.c_str()).second;
    found += book.count(cow::string(name.c_str(), book.get_allocator()));
  }
  CHECK(region.find<Point>(cow::unique_instance).second == 1);
  CHECK(region.find<int>("none").second == 0);
  CHECK(region.get_num_named_objects() == 301);
  CHECK(region.check_sanity());
  CHECK(found == 900);

  const cow::RegionStats after = region.region().stats();
  CHECK(after.faults == before.faults);
  CHECK(after.pages_writable == 0);
  CHECK(clone.region().stats().faults == 0);
}

TEST_CASE("a snapshot shows the objects of its moment, read-only", "[managed]") {
  ManagedRegion region = new_region();
  Book& book = make_book(region);
  add_line(region, book, "a", "first");
  const ManagedSnapshot first = region.snapshot();
  add_line(region, book, "b", "second");
  const ManagedSnapshot second = region.snapshot();
  region.destroy<Book>("book");

  const std::pair<const Book*, std::size_t> found = first.find<Book>("book");
  REQUIRE(found.first != nullptr);
  CHECK(found.second == 1);
  CHECK(plain(*found.first) == PlainBook{{"a", {"first"}}});
  CHECK(plain(*second.find<Book>("book").first) == PlainBook{{"a", {"first"}}, {"b", {"second"}}});
  CHECK(second.find<Book>("none").first == nullptr);
  CHECK(first.get_size() == region.get_size());
  CHECK(first.get_free_memory() > second.get_free_memory());
  CHECK(cow::diff(first.snapshot(), second.snapshot()) != std::vector<cow::PageRange>{});
}

TEST_CASE("restore returns to a snapshot's objects at the same addresses", "[managed]") {
  ManagedRegion region = new_region();
  Book& book = make_book(region);
  add_line(region, book, "a", "kept");
  const cow::string* const line = &book.begin()->second.front();
  const ManagedSnapshot snapshot = region.snapshot();
  const std::size_t free_bytes = region.get_free_memory();

  region.construct<int>("new")(1);
  region.destroy<Book>("book");
  region.restore(snapshot);
  CHECK(region.find<Book>("book").first == &book);
  CHECK(region.find<int>("new").first == nullptr);
  CHECK(region.get_free_memory() == free_bytes);
  CHECK(&book.begin()->second.front() == line);
  CHECK(*line == "kept");
  CHECK(region.check_sanity());
}

TEST_CASE("a region made from a snapshot has its objects and may change them", "[managed]") {
  ManagedRegion region = new_region();
  region.construct<int>("n")(1);
  const ManagedSnapshot snapshot = region.snapshot();
  *region.find<int>("n").first = 2;
  ManagedRegion past = ManagedRegion::from_snapshot(snapshot);
  CHECK(*past.find<int>("n").first == 1);
  past.destroy<int>("n");
  CHECK(*snapshot.find<int>("n").first == 1);
  CHECK(*region.find<int>("n").first == 2);
}

TEST_CASE("a managed region that was moved from says so", "[managed]") {
  ManagedRegion region = new_region();
  region.construct<int>("n")(1);
  ManagedRegion other = std::move(region);
  CHECK(*other.find<int>("n").first == 1);
  CHECK_THROWS_AS(region.find<int>("n"), std::logic_error);  // NOLINT: that is the test
  CHECK_THROWS_AS(region.construct<int>("m")(1), std::logic_error);
  CHECK_THROWS_AS(region.clone(), std::logic_error);
  region = std::move(other);
  CHECK(*region.find<int>("n").first == 1);
}

TEST_CASE("a managed region is refused at size 0 and has room for its segment at any other",
          "[managed]") {
  CHECK_THROWS_AS(ManagedRegion::create(0, support::options()), std::invalid_argument);
  CHECK_THROWS_AS(ManagedRegion::create(0, mib, support::options()), std::invalid_argument);
  CHECK_THROWS_AS(ManagedRegion::create(~std::size_t{0}, support::options()),
                  std::invalid_argument);
  ManagedRegion region = ManagedRegion::create(1, support::options());
  CHECK(region.all_memory_deallocated());
  CHECK(region.get_size() <= region.region().size());
  CHECK_THROWS_AS(region.construct<char>("large")[1000](), boost::interprocess::bad_alloc);
  CHECK(region.all_memory_deallocated());
}
