// The parts of the program `cow` that are pure functions: what a fault's number says, lines of
// /proc/self/maps, numbers as text, the steps of a store, and who won.

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tool/comparison.hpp"
#include "tool/fault_decode.hpp"
#include "tool/maps_line.hpp"
#include "tool/observed_store.hpp"
#include "tool/quantity.hpp"

using namespace cow::tool;

namespace {

/// The value of the field with this name; nothing if it is not among them.
std::optional<std::uint64_t> value_of(const std::vector<FaultField>& fields,
                                      const std::string& name) {
  for (const FaultField& field : fields) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

std::string meaning_of(const std::vector<FaultField>& fields, const std::string& name) {
  for (const FaultField& field : fields) {
    if (field.name == name) return field.meaning;
  }
  return {};
}

}  // namespace

TEST_CASE("x86-64: 7 is a user's write to a present page", "[tool]") {
  const auto fields = decode_x86_error_code(7);
  REQUIRE(fields.size() == 4);
  CHECK(value_of(fields, "P") == 1U);
  CHECK(value_of(fields, "W") == 1U);
  CHECK(value_of(fields, "U") == 1U);
  CHECK(value_of(fields, "I") == 0U);
  CHECK(meaning_of(fields, "P") == "the page is present: its protection said no");
  CHECK(meaning_of(fields, "W") == "the access was a write");
}

TEST_CASE("x86-64: 6 is a write to a page that nobody has touched here yet", "[tool]") {
  const auto fields = decode_x86_error_code(6);
  CHECK(value_of(fields, "P") == 0U);
  CHECK(value_of(fields, "W") == 1U);
  CHECK(meaning_of(fields, "P") == "no page-table entry yet: never touched at this address");
}

TEST_CASE("x86-64: rare bits are named only where they are set", "[tool]") {
  CHECK_FALSE(value_of(decode_x86_error_code(7), "PK").has_value());
  const auto bits = GENERATE(
      table<unsigned, const char*>({{3, "RSVD"}, {5, "PK"}, {6, "SS"}, {15, "SGX"}, {31, "RMP"}}));
  const auto fields = decode_x86_error_code(std::uint64_t{1} << std::get<0>(bits));
  CHECK(fields.size() == 5);
  CHECK(value_of(fields, std::get<1>(bits)) == 1U);
}

TEST_CASE("arm64: a store to a read-only page is a permission fault with WnR set", "[tool]") {
  // EC 0x24, IL, WnR, DFSC 0x0f.
  const auto fields = decode_arm64_esr(0x9200004f);
  REQUIRE(fields.size() == 3);
  CHECK(value_of(fields, "EC") == 0x24U);
  CHECK(value_of(fields, "WnR") == 1U);
  CHECK(value_of(fields, "DFSC") == 0x0fU);
  CHECK(meaning_of(fields, "EC") == "data abort from user mode");
  CHECK(meaning_of(fields, "DFSC") == "permission fault, level 3: the protection said no");
}

TEST_CASE("arm64: cache maintenance is named, as WnR is set for it too", "[tool]") {
  const auto fields = decode_arm64_esr(0x9200014f);
  CHECK(value_of(fields, "WnR") == 1U);
  CHECK(value_of(fields, "CM") == 1U);
}

TEST_CASE("arm64: what is not a data abort has no WnR and no DFSC", "[tool]") {
  const auto fields = decode_arm64_esr(0x82000006);
  REQUIRE(fields.size() == 1);
  CHECK(fields.front().meaning == "instruction abort from user mode");
}

TEST_CASE("arm64: every status code has a description", "[tool]") {
  CHECK(describe_dfsc(0x07) == "translation fault, level 3: no page-table entry yet");
  CHECK(describe_dfsc(0x09) == "access flag fault, level 1");
  CHECK(describe_dfsc(0x11) == "synchronous tag check fault");
  for (std::uint64_t dfsc = 0; dfsc < 64; ++dfsc) CHECK_FALSE(describe_dfsc(dfsc).empty());
}

TEST_CASE("an architecture that is not known has no fields", "[tool]") {
  CHECK(decode_fault(Architecture::other, 7).empty());
  CHECK(decode_fault(Architecture::x86_64, 7) == decode_x86_error_code(7));
  CHECK(decode_fault(Architecture::arm64, 0x9200004f) == decode_arm64_esr(0x9200004f));
}

TEST_CASE("a bit is printed as a digit, a wide field with all its hexadecimal digits", "[tool]") {
  CHECK(assignment_text({"P", 1, 1, ""}) == "P = 1");
  CHECK(assignment_text({"DFSC", 0x0f, 6, ""}) == "DFSC = 0x0f");
  CHECK(assignment_text({"EC", 0x24, 6, ""}) == "EC = 0x24");
}

TEST_CASE("every page state has a name of its own", "[tool]") {
  using cow::PageState;
  CHECK(std::string(name_of(PageState::zero)) == "zero");
  CHECK(std::string(name_of(PageState::shared)) == "shared");
  CHECK(std::string(name_of(PageState::sole_owner)) == "sole owner");
  CHECK(std::string(name_of(PageState::private_page)) == "private");
}

TEST_CASE("a line of /proc/self/maps says where in the file a page is", "[tool]") {
  const auto line = parse_maps_line(
      "7f5c60342000-7f5c60352000 rw-s 00cc6000 00:01 1042                 /memfd:cow (deleted)");
  REQUIRE(line.has_value());
  CHECK(line->begin == 0x7f5c60342000);
  CHECK(line->end == 0x7f5c60352000);
  CHECK(line->permissions == "rw-s");
  CHECK(line->offset == 0xcc6000);
  CHECK(line->text == "7f5c60342000-7f5c60352000 rw-s 00cc6000 00:01 1042 /memfd:cow (deleted)");
  CHECK(line->text.substr(line->offset_column, line->offset_width) == "00cc6000");
  CHECK(line->covers(0x7f5c60342000));
  CHECK(line->covers(0x7f5c60351fff));
  CHECK_FALSE(line->covers(0x7f5c60352000));
  CHECK_FALSE(line->covers(0x7f5c60341fff));
  CHECK(line->file_offset_of(0x7f5c60345000) == 0xcc9000);
}

TEST_CASE("lines without a name and with long offsets are read too", "[tool]") {
  const auto anonymous = parse_maps_line("7ffd1000-7ffd2000 ---p 00000000 00:00 0 \n");
  REQUIRE(anonymous.has_value());
  CHECK(anonymous->text == "7ffd1000-7ffd2000 ---p 00000000 00:00 0");
  const auto far = parse_maps_line("7ffd1000-7ffd2000 r--s 40021d3000 00:01 7 /memfd:cow");
  REQUIRE(far.has_value());
  CHECK(far->offset == 0x40021d3000);
  CHECK(far->offset_width == 10);
}

TEST_CASE("what is not a line of /proc/self/maps is not taken for one", "[tool]") {
  const std::string text = GENERATE(
      as<std::string>{}, "", " ", "7f00", "7f00-", "7f00-8f00", "7f00-8f00 rw", "7f00-8f00 rw-s",
      "7f00-8f00 rw-s ", "7f00-8f00 rw-s x 00:01 1", "7f00-8f00 rw-s 0", "8f00-7f00 rw-s 0 00:01 1",
      "7f00-7f00 rw-s 0 00:01 1", "g-h rw-s 0 00:01 1", "ffffffffffffffffff-0 rw-s 0 00:01 1");
  CAPTURE(text);
  CHECK_FALSE(parse_maps_line(text).has_value());
}

TEST_CASE("numbers are printed as people read them", "[tool]") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(with_commas(std::numeric_limits<std::uint64_t>::max()) == "18,446,744,073,709,551,615");
  CHECK(hex(0) == "0x0");
  CHECK(hex(0x7f5c60342000) == "0x7f5c60342000");
  CHECK(counted(1, "page") == "1 page");
  CHECK(counted(2000, "page") == "2,000 pages");
}

TEST_CASE("sizes and times have the unit that suits them", "[tool]") {
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(1) == "1 byte");
  CHECK(bytes_text(1023) == "1,023 bytes");
  CHECK(bytes_text(1024) == "1 KiB");
  CHECK(bytes_text(6831736) == "6.5 MiB");
  CHECK(bytes_text((std::uint64_t{1} << 20) - 1) == "1.0 MiB");
  CHECK(bytes_text(std::uint64_t{64} << 20) == "64 MiB");
  CHECK(bytes_text(std::uint64_t{3} << 40) == "3 TiB");
  CHECK(time_cell(999'999, 8) == "999,999");
  CHECK(time_cell(1'011'274, 8) == "1.0 ms");
  CHECK(time_cell(1'011'274, 9) == "1,011,274");
  CHECK(time_text(0) == "0 ns");
  CHECK(time_text(999) == "999 ns");
  CHECK(time_text(1'500) == "1.5 us");
  CHECK(time_text(45'123'000) == "45.1 ms");
  CHECK(time_text(2'500'000'000) == "2.5 s");
}

TEST_CASE("a file's name cannot send anything but text to the terminal", "[tool]") {
  CHECK(printable("/tmp/a file") == "/tmp/a file");
  CHECK(printable("a\x1b[31mb\nc\x7f") == "a?[31mb?c?");
  CHECK(printable("/tmp/\xc3\xa9") == "/tmp/\xc3\xa9");
  CHECK(printable("a\xc2\x9b"
                  "31m\xe2\x80\xae"
                  "b\xe2\x81\xa6") == "a?31m?b?");
  CHECK(printable("\xc2\xa0\xe2\x80\x94\xe2\x80") == "\xc2\xa0\xe2\x80\x94\xe2\x80");
}

TEST_CASE("the steps of a store add up to its time", "[tool]") {
  TimedStore store;
  store.before_ns = 100;
  store.record.entered_ns = 1'800;
  store.record.located_ns = 1'900;
  store.record.allocated_ns = 2'700;
  store.record.copied_ns = 3'900;
  store.record.mapped_ns = 8'000;
  store.after_ns = 8'700;
  const StepTimes times = step_times(store);
  CHECK(times.deliver == 1'700);
  CHECK(times.locate == 100);
  CHECK(times.fault == 1'800);
  CHECK(times.allocate == 800);
  CHECK(times.copy == 1'200);
  CHECK(times.map == 4'100);
  CHECK(times.resume == 700);
  CHECK(times.total == 8'600);
  CHECK(times.fault + times.allocate + times.copy + times.map + times.resume == times.total);
}

TEST_CASE("a median is taken for each step by itself", "[tool]") {
  std::vector<StepTimes> samples(3);
  samples[0].copy = 10, samples[1].copy = 30, samples[2].copy = 20;
  samples[0].total = 900, samples[1].total = 100, samples[2].total = 500;
  const StepTimes median = median_step_times(samples);
  CHECK(median.copy == 20);
  CHECK(median.total == 500);
  CHECK(median.map == 0);
}

TEST_CASE("the faster total wins, and less than 5 % apart is a draw", "[tool]") {
  ComparisonRow row;
  row.lazy = {10, 90, 0};
  row.eager = {990, 10, 0};
  CHECK(row.winner() == Winner::lazy);
  CHECK(std::lround(row.ratio() * 100) == 1000);
  row.eager = {30, 20, 0};
  CHECK(row.winner() == Winner::eager);
  CHECK(std::lround(row.ratio() * 100) == 200);
  row.eager = {94, 10, 0};
  CHECK(row.winner() == Winner::draw);
}

TEST_CASE("a fraction of the pages is rounded and never none", "[tool]") {
  CHECK(pages_to_edit(16384, 0.001) == 16);
  CHECK(pages_to_edit(16384, 1.0) == 16384);
  CHECK(pages_to_edit(1, 0.001) == 1);
  CHECK(pages_to_edit(3, 1.0) == 3);
}
