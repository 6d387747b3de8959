#include <cow/publish.hpp>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/image_writer.hpp"
#include "api/load.hpp"
#include "base/error.hpp"
#include "os/object_names.hpp"
#include "os/shared_memory.hpp"

namespace cow {

namespace {

// Of what lies in /dev/shm, what is ours. Boost's own objects and those of others keep their names.
constexpr const char* kPrefix = "libcow.";
constexpr std::size_t kMostNameBytes = 200;  // file systems allow 255 with the prefix

constexpr unsigned kReadBits = 0444;
constexpr unsigned kOwnerReads = 0400;
constexpr unsigned kOwnerWrites = 0200;

std::string object_name(const char* call, const std::string& name) {
  const auto refuse = [&](const char* what) {
    throw_invalid_argument(std::string(call) + ": the name of a template " + what);
  };
  if (name.empty()) refuse("is empty; give it at least one letter");
  if (name.size() > kMostNameBytes) refuse("has more than 200 bytes; take a shorter one");
  if (name.find('/') != std::string::npos) {
    refuse("has a slash in it, and there are no folders of templates; take another character");
  }
  if (name.find('\0') != std::string::npos) refuse("has a zero byte in it, which would end it");
  if (name.front() == '.') refuse("begins with a dot; take another character");
  return std::string(kPrefix).append(name);
}

mode_t checked_mode(unsigned mode) {
  if ((mode & ~(kReadBits | kOwnerWrites)) != 0 || (mode & kOwnerReads) == 0) {
    throw_invalid_argument(
        "publish: PublishOptions::mode must let the owner read, may let others read, and nothing "
        "else: take 0600, 0640 or 0644");
  }
  return mode & kReadBits;
}

/// What is filled with all of the snapshot.
template <class File, class... Arguments>
void fill(detail::SnapshotState& from, const auto& use, const Arguments&... arguments) {
  const SaveOptions options;
  begin_control_call(*from.family());
  ImageOutput<File> output = retry_in_shortage(
      [&] { return ImageOutput<File>(from, ImageKind::full, options, arguments...); });
  output.writer.write_all();
  output.writer.finish();
  use(output);
}

// A hole takes memory of whoever looks at it first, and sealed memory keeps those it has: its
// sender would choose how much. What publish() seals has none.
void refuse_holes(const ImageFile& image) {
  const ImageHeader& header = image.header;
  const std::uint64_t end = header.place_of(image.index.end_of_data(), 0).bytes;
  if (end == header.data_offset || image.file.next_hole(header.data_offset) >= end) return;
  image.refuse("there are holes between its data, which take memory of whoever reads them");
}

enum class Holes { allowed, refused };

template <class Open>
std::shared_ptr<detail::RegionState> attach_to(const Open& open, const RegionOptions& options,
                                               Holes holes) {
  begin_control_call();
  return retry_in_shortage([&] {
    std::vector<ImageFile> chain;
    chain.push_back(ImageFile::read(open(), "attach"));
    if (chain.front().header.kind != ImageKind::full) {
      chain.front().refuse(chain.front().is_complete()
                               ? "it is a stream, whose pages lie in any order"
                               : "it holds changes alone, and a template is complete");
    }
    if (holes == Holes::refused) refuse_holes(chain.front());
    return load_images(std::move(chain), {LoadMode::mapped, options},
                       MappedPages::up_to_end_of_data, "attach");
  });
}

}  // namespace

void publish(const std::string& name, const Snapshot& snapshot, const PublishOptions& options) {
  const std::string object = object_name("publish", name);
  const mode_t mode = checked_mode(options.mode);
  const auto name_it = [&](ImageOutput<os::NewNamedObject>& output) {
    if (options.reserve_zeros) output.file.allocate(output.writer.bytes_to_end_of_data());
    output.file.link(mode);
  };
  fill<os::NewNamedObject>(snapshot.state(), name_it, object);
}

int publish(const Snapshot& snapshot) {
  int descriptor = -1;
  fill<os::NewSealedObject>(snapshot.state(), [&](ImageOutput<os::NewSealedObject>& output) {
    output.file.fill_holes(output.writer.begin_of_data(), output.writer.bytes_to_end_of_data());
    descriptor = output.file.seal();
  });
  return descriptor;
}

Region attach(const std::string& name, const RegionOptions& options) {
  const std::string object = object_name("attach", name);
  return Region(
      attach_to([&] { return os::open_trusted_object(object); }, options, Holes::allowed));
}

Region attach(int descriptor, const RegionOptions& options) {
  return Region(
      attach_to([&] { return os::open_sealed_object(descriptor); }, options, Holes::refused));
}

void unpublish(const std::string& name) {
  const std::string object = object_name("unpublish", name);
  const int error = os::remove_object(object.c_str());
  if (error == 0) return;
  const std::string path = std::string("'").append(os::path_of_object(object)).append("'");
  if (error == ENOENT) {
    throw_system_error(ENOENT, "unpublish",
                       path + " is not there: nothing is published under that name here");
  }
  throw_system_error(error, "unpublish",
                     path + " could not be removed" +
                         (error == EACCES || error == EPERM ? "; it is another user's" : ""));
}

}  // namespace cow
