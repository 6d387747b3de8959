// Instructions that store in unusual ways: to two pages at once, again and again, only perhaps.
// Each is run on a region and on plain memory with the same bytes, which must then be the same.

#include <sys/auxv.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 24;
constexpr std::size_t boundary_page = 8;  // the forms are given the address of its first byte

/// Stores around `boundary`, the first byte of a page with eight pages before and more behind.
using Form = std::function<void(std::byte* boundary)>;

/// Memory outside of any region, aligned to a page like a region.
class PlainMemory {
 public:
  explicit PlainMemory(std::span<const std::byte> bytes) : storage_(bytes.size() * 2) {
    const std::size_t align = support::page_bytes();
    begin_ = storage_.data() +
             (align - reinterpret_cast<std::uintptr_t>(storage_.data()) % align) % align;
    std::memcpy(begin_, bytes.data(), bytes.size());
    size_ = bytes.size();
  }
  [[nodiscard]] std::byte* data() { return begin_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {begin_, size_}; }

 private:
  std::vector<std::byte> storage_;
  std::byte* begin_;
  std::size_t size_;
};

/// Empty if `form` leaves the same bytes in `region` as in plain memory.
std::string difference_after(Region& region, const Form& form) {
  PlainMemory plain(region.bytes());
  const std::size_t boundary = boundary_page * support::page_bytes();
  form(plain.data() + boundary);
  form(region.data() + boundary);
  const std::string difference = support::difference(plain.bytes(), region.bytes());
  return difference.empty() ? support::broken_invariant(region) : difference;
}

/// How many pages a form faults on.
struct Faults {
  std::uint64_t least;
  std::uint64_t most = least;
};

/// Runs `form` on pages that move, on pages that stay, and on zero pages.
void check(const char* name, Faults expected, const Form& form) {
  CAPTURE(name);
  const auto create = [] {
    return Region::create(pages * support::page_bytes(), support::single_page_options());
  };
  const auto check_filled = [&](Region& region) {
    const std::uint64_t before = region.stats().faults;
    CHECK(difference_after(region, form) == "");
    const std::uint64_t faults = region.stats().faults - before;
    if (!support::kernel_copies()) CHECK(faults >= expected.least);
    CHECK(faults <= expected.most);
  };
  Region moves = create();
  support::fill(moves.bytes(), 1);
  const Region clone = moves.clone();
  check_filled(moves);
  CHECK(support::shows(clone.bytes(), 1));

  Region stays = create();
  support::fill(stays.bytes(), 1);
  const Snapshot snapshot = stays.snapshot();
  check_filled(stays);
  CHECK(support::shows(snapshot.bytes(), 1));

  Region zero = create();
  CHECK(difference_after(zero, form) == "");
}

std::size_t two_pages() { return 2 * support::page_bytes(); }

/// Bytes that differ from what the regions hold.
const std::array<std::byte, 64> new_bytes = [] {
  std::array<std::byte, 64> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(0x40 + i);
  return bytes;
}();

}  // namespace

TEST_CASE("copies and fills of the C library that run through several pages lose nothing",
          "[fault]") {
  check("memcpy", {4}, [](std::byte* boundary) {
    std::vector<std::byte> source(two_pages() + 10);
    support::fill(source, 2);
    std::memcpy(boundary - support::page_bytes() - 5, source.data(), source.size());
  });
  check("memset", {4}, [](std::byte* boundary) {
    std::memset(boundary - support::page_bytes() - 5, 0x5a, two_pages() + 10);
  });
  check("memmove down", {4}, [](std::byte* boundary) {
    std::memmove(boundary - support::page_bytes() - 5, boundary - 3, two_pages() + 10);
  });
  check("memmove up", {4}, [](std::byte* boundary) {
    std::memmove(boundary - 5, boundary - support::page_bytes(), two_pages() + 10);
  });
}

TEST_CASE("a compare-and-swap that fails leaves the bytes and tells the value it found",
          "[fault]") {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::word_at(region, 3) = 41;
  const Snapshot snapshot = region.snapshot();
  std::atomic_ref<std::uint64_t> word(support::word_at(region, 3));
  std::uint64_t expected = 40;
  CHECK_FALSE(word.compare_exchange_strong(expected, 99, support::release_order));
  CHECK(expected == 41);
  CHECK(word.load() == 41);
  CHECK(word.compare_exchange_strong(expected, 42, support::release_order));
  CHECK(word.exchange(43, support::release_order) == 42);
  CHECK(word.fetch_add(2, support::release_order) == 43);
  CHECK(word.load() == 45);
  CHECK(support::read_word(snapshot.bytes(), 3 * support::page_bytes()) == 41);
}

#if defined(__x86_64__)

TEST_CASE("a store that straddles two pages takes two faults and is whole", "[fault]") {
  check("mov", {2}, [](std::byte* boundary) {
    asm volatile("movq %0, (%1)" : : "r"(0x0102030405060708), "r"(boundary - 3) : "memory");
  });
  check("movnti", {2}, [](std::byte* boundary) {
    asm volatile("movnti %0, (%1)" : : "r"(0x0102030405060708), "r"(boundary - 3) : "memory");
  });
  check("movups", {2}, [](std::byte* boundary) {
    asm volatile("movups (%0), %%xmm0; movups %%xmm0, (%1)"
                 :
                 : "r"(new_bytes.data()), "r"(boundary - 7)
                 : "xmm0", "memory");
  });
  // The mask leaves out the bytes of the first page. The processor may fault there all the same.
  check("maskmovdqu", {1, 2}, [](std::byte* boundary) {
    const std::array<std::uint64_t, 2> mask{0, ~std::uint64_t{0}};
    asm volatile("movups (%0), %%xmm0; movups (%1), %%xmm1; maskmovdqu %%xmm1, %%xmm0"
                 :
                 : "r"(new_bytes.data()), "r"(mask.data()), "D"(boundary - 8)
                 : "xmm0", "xmm1", "memory");
  });
}

TEST_CASE("string instructions go on where the fault stopped them", "[fault]") {
  check("rep movsb", {4}, [](std::byte* boundary) {
    std::vector<std::byte> source(two_pages() + 10);
    support::fill(source, 3);
    const std::byte* from = source.data();
    std::byte* to = boundary - support::page_bytes() - 5;
    std::size_t count = source.size();
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  });
  check("rep movsb backwards", {4}, [](std::byte* boundary) {
    std::vector<std::byte> source(two_pages() + 10);
    support::fill(source, 3);
    const std::byte* from = source.data() + source.size() - 1;
    std::byte* to = boundary + support::page_bytes() + 4;
    std::size_t count = source.size();
    asm volatile("std; rep movsb; cld" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  });
  check("rep stosq", {4}, [](std::byte* boundary) {
    std::byte* to = boundary - support::page_bytes() - 5;
    std::size_t count = two_pages() / 8 + 1;
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x1122334455667788) : "memory");
  });
}

TEST_CASE("vector stores that straddle pages, and those with a mask, are whole", "[fault]") {
  if (!__builtin_cpu_supports("avx")) {
    WARN("skipped: this processor has no AVX");
    return;
  }
  check("vmovdqu, 32 bytes", {2}, [](std::byte* boundary) {
    asm volatile("vmovups (%0), %%ymm0; vmovups %%ymm0, (%1); vzeroupper"
                 :
                 : "r"(new_bytes.data()), "r"(boundary - 13)
                 : "xmm0", "memory");
  });
  check("vmaskmovps", {1, 2}, [](std::byte* boundary) {
    const std::array<std::uint32_t, 8> mask{0, 0, 0, 0, ~0u, ~0u, 0, ~0u};
    asm volatile("vmovups (%0), %%ymm0; vmovups (%1), %%ymm1;"
                 "vmaskmovps %%ymm0, %%ymm1, (%2); vzeroupper"
                 :
                 : "r"(new_bytes.data()), "r"(mask.data()), "r"(boundary - 16)
                 : "xmm0", "xmm1", "memory");
  });
}

namespace {

__attribute__((target("avx512f"))) void store_64_bytes(std::byte* to) {
  _mm512_storeu_si512(to, _mm512_loadu_si512(new_bytes.data()));
}

__attribute__((target("avx512f"))) void compress(std::byte* to) {
  _mm512_mask_compressstoreu_epi32(to, 0xaffe, _mm512_loadu_si512(new_bytes.data()));
}

/// One word to each of 16 pages, and two of them to the same.
__attribute__((target("avx512f"))) void scatter(std::byte* boundary) {
  std::array<std::int32_t, 16> offsets;
  for (std::int32_t i = 0; i < 16; ++i) {
    offsets[static_cast<std::size_t>(i)] =
        (i * 4 % 15 - 7) * static_cast<std::int32_t>(support::page_bytes()) + 8 * i;
  }
  _mm512_i32scatter_epi32(boundary, _mm512_loadu_si512(offsets.data()),
                          _mm512_loadu_si512(new_bytes.data()), 1);
}

}  // namespace

TEST_CASE("an AVX-512 scatter goes on after each of its faults", "[fault]") {
  if (!__builtin_cpu_supports("avx512f")) {
    WARN("skipped: this processor has no AVX-512");
    return;
  }
  check("64 bytes", {2}, [](std::byte* boundary) { store_64_bytes(boundary - 13); });
  check("compress", {2}, [](std::byte* boundary) { compress(boundary - 14); });
  check("scatter", {15}, scatter);
}

#elif defined(__aarch64__)

TEST_CASE("stores of pairs and of vectors that straddle two pages are whole", "[fault]") {
  check("str", {2}, [](std::byte* boundary) {
    asm volatile("str %0, [%1]" : : "r"(0x0102030405060708), "r"(boundary - 3) : "memory");
  });
  check("stp", {2}, [](std::byte* boundary) {
    asm volatile("stp %0, %1, [%2]"
                 :
                 : "r"(0x01020304), "r"(0x05060708), "r"(boundary - 8)
                 : "memory");
  });
  check("stp of vectors", {2}, [](std::byte* boundary) {
    asm volatile("ldp q0, q1, [%0]\n stp q0, q1, [%1]"
                 :
                 : "r"(new_bytes.data()), "r"(boundary - 16)
                 : "v0", "v1", "memory");
  });
  check("stnp", {2}, [](std::byte* boundary) {
    asm volatile("stnp %0, %1, [%2]"
                 :
                 : "r"(0x01020304), "r"(0x05060708), "r"(boundary - 8)
                 : "memory");
  });
  check("st1 of four vectors", {2}, [](std::byte* boundary) {
    asm volatile("ld1 {v0.16b-v3.16b}, [%0]\n st1 {v0.16b-v3.16b}, [%1]"
                 :
                 : "r"(new_bytes.data()), "r"(boundary - 29)
                 : "v0", "v1", "v2", "v3", "memory");
  });
}

TEST_CASE("a store that moves its address register moves it once", "[fault]") {
  check("stp with a pre-index", {2}, [](std::byte* boundary) {
    std::byte* at = boundary + 8;
    asm volatile("stp %1, %2, [%0, #-16]!"
                 : "+r"(at)
                 : "r"(0x01020304), "r"(0x05060708)
                 : "memory");
    CHECK(at == boundary - 8);
  });
  check("str with a post-index", {1}, [](std::byte* boundary) {
    std::byte* at = boundary;
    asm volatile("str %1, [%0], #24" : "+r"(at) : "r"(0x01020304) : "memory");
    CHECK(at == boundary + 24);
  });
}

TEST_CASE("an exclusive store that faults is tried again", "[fault]") {
  check("ldxr and stxr", {1}, [](std::byte* boundary) {
    std::uint64_t value = 0;
    std::uint32_t failed = 0;
    asm volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                 : "=&r"(value), "=&r"(failed)
                 : "r"(boundary)
                 : "memory");
  });
}

TEST_CASE("an atomic instruction that faults acts once", "[fault]") {
  if ((::getauxval(AT_HWCAP) & HWCAP_ATOMICS) == 0) {
    WARN("skipped: this processor has no atomic instructions");
    return;
  }
  check("ldadd", {1}, [](std::byte* boundary) {
    std::uint64_t before = 0;
    asm volatile(".arch_extension lse\n ldaddal %1, %0, [%2]"
                 : "=&r"(before)
                 : "r"(std::uint64_t{5}), "r"(boundary)
                 : "memory");
  });
}

TEST_CASE("DC ZVA, which zeroes a whole block, zeroes all of it", "[fault]") {
  if (support::is_emulated()) {
    WARN("skipped: qemu loses bytes of a DC ZVA that faults");
    return;
  }
  std::uint64_t dczid = 0;
  asm("mrs %0, dczid_el0" : "=r"(dczid));
  if ((dczid & 16) != 0) {
    WARN("skipped: DC ZVA is forbidden here");
    return;
  }
  check("dc zva", {1}, [](std::byte* boundary) {
    asm volatile("dc zva, %0" : : "r"(boundary) : "memory");
  });
  check("memset to 0", {4}, [](std::byte* boundary) {
    std::memset(boundary - support::page_bytes() - 5, 0, two_pages() + 10);
  });
}

#endif
