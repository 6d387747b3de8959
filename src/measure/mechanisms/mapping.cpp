#include "measure/mechanisms/mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace cow::measure {

void refused(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Descriptor open_to_read(const std::string& name) {
  Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) {
    throw std::system_error(errno, std::generic_category(), "open: " + name);
  }
  return file;
}

Descriptor make_memory_file(std::size_t bytes) {
  Descriptor file(::memfd_create("cow_measure", MFD_CLOEXEC));
  if (file.number() < 0) refused("memfd_create");
  if (::ftruncate(file.number(), static_cast<off_t>(bytes)) != 0) refused("ftruncate");
  return file;
}

std::size_t bytes_of(const Descriptor& file) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) refused("fstat");
  return static_cast<std::size_t>(status.st_size);
}

Mapping::Mapping(std::size_t bytes, int protection, int flags, int descriptor) {
  void* memory = ::mmap(nullptr, bytes, protection, flags, descriptor, 0);
  if (memory == MAP_FAILED) refused("mmap");
  bytes_ = {static_cast<std::byte*>(memory), bytes};
  // Fails where the kernel has no huge pages, which is what was asked for.
  static_cast<void>(::madvise(memory, bytes, MADV_NOHUGEPAGE));
}

Mapping Mapping::anonymous(std::size_t bytes) {
  return Mapping(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

Mapping Mapping::shared(const Descriptor& file, std::size_t bytes) {
  return Mapping(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number());
}

Mapping Mapping::of_copies(const Descriptor& file, std::size_t bytes) {
  return Mapping(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.number());
}

Mapping Mapping::read_only(const Descriptor& file, std::size_t bytes) {
  return Mapping(bytes, PROT_READ, MAP_SHARED, file.number());
}

Mapping::Mapping(Mapping&& other) noexcept
    : bytes_(std::exchange(other.bytes_, std::span<std::byte>())) {}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

void store_to_every_page(std::span<std::byte> bytes) {
  const std::size_t page_bytes = host_page_bytes();
  for (std::size_t at = page_bytes / 2; at < bytes.size(); at += page_bytes) {
    *reinterpret_cast<volatile std::uint64_t*>(&bytes[at]) = at / page_bytes + 1;
  }
}

Mapping plain_memory(const MemoryOptions& options) {
  if (!options.file.empty()) {
    const Descriptor file = open_to_read(options.file);
    return Mapping::of_copies(file, bytes_of(file));
  }
  Mapping memory = Mapping::anonymous(options.bytes);
  store_to_every_page(memory.bytes());
  return memory;
}

Descriptor filled_file(const MemoryOptions& options) {
  if (!options.file.empty()) return open_to_read(options.file);
  Descriptor file = make_memory_file(options.bytes);
  store_to_every_page(Mapping::shared(file, options.bytes).bytes());
  return file;
}

}  // namespace cow::measure
