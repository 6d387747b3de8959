#pragma once

// Ways to have a disk with snapshots, each served over NBD to the same client: this one, and what
// people do today with files and qemu.

#include <stdlib.h>

#include <cow/cow.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "process.hpp"
#include "stage.hpp"

namespace examples {

/// A disk that has one snapshot at a time. The calls give the seconds that it took.
class Side {
 public:
  Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  virtual ~Side() = default;

  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual nbd::Client connect() const = 0;
  /// Nobody is connected to the disk in this call, nor in restore().
  virtual double snapshot() = 0;
  virtual double restore() = 0;
  /// Saves to the disk what changed since the snapshot, in `bytes` of files, or as much as it has
  /// to; nothing where there is no way to.
  virtual std::optional<double> back_up(std::uintmax_t& bytes) = 0;
  /// Memory of the serving process for the disk and its snapshot.
  [[nodiscard]] virtual std::size_t memory() const = 0;
};

/// This program as a server, told what to do on its input.
class RegionSide final : public Side {
 public:
  RegionSide(std::size_t size, cow::Mechanism mechanism) : mechanism_(mechanism) {
    ::setenv("COW_MECHANISM", name_of(mechanism), 1);
    server_ = std::make_unique<Conversation>(
        std::vector<std::string>{"/proc/self/exe", "serve", socket().string(), "--size",
                                 std::to_string(size), "--store", folder_.path() / "store"});
    ::unsetenv("COW_MECHANISM");
  }
  [[nodiscard]] std::string name() const override {
    return std::string("libcow, ") + name_of(mechanism_);
  }
  [[nodiscard]] nbd::Client connect() const override { return {socket(), "disk"}; }

  double snapshot() override {
    if (has_snapshot_) server_->ask("drop s");
    has_snapshot_ = true;
    const double seconds = seconds_of([&] { server_->ask("snapshot s"); });
    server_->ask("backup " + backups() + " s");  // what the next one is a delta to
    return seconds;
  }
  double restore() override {
    return seconds_of([&] { server_->ask("restore s"); });
  }
  std::optional<double> back_up(std::uintmax_t& bytes) override {
    std::string answer;
    const double seconds = seconds_of([&] { answer = server_->ask("backup " + backups()); });
    std::string file;
    std::istringstream(answer.substr(3)) >> file >> bytes;
    return seconds;
  }
  [[nodiscard]] std::size_t memory() const override {
    std::size_t bytes = 0;
    std::istringstream(server_->ask("memory").substr(3)) >> bytes;
    return bytes;
  }

 private:
  [[nodiscard]] std::filesystem::path socket() const { return folder_.path() / "nbd"; }
  [[nodiscard]] std::string backups() const { return folder_.path() / "backups"; }

  cow::Mechanism mechanism_;
  Folder folder_;
  std::unique_ptr<Conversation> server_;
  bool has_snapshot_ = false;
};

/// A file behind qemu-nbd.
class FileSide : public Side {
 public:
  [[nodiscard]] nbd::Client connect() const override { return {socket(), ""}; }
  [[nodiscard]] std::size_t memory() const override {
    return memory_bytes("Pss", server_->id());  // not the page cache, which may be given back
  }

 protected:
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.path() / name; }
  [[nodiscard]] std::filesystem::path socket() const { return folder_.path() / "nbd"; }

  void serve(const std::string& image, const std::string& format) {
    server_ = std::make_unique<Process>(std::vector<std::string>{
        "qemu-nbd", "--persistent", "--cache=writeback", "--format=" + format, "--shared=8",
        "--socket=" + socket().string(), image});
    for (int i = 0; i < 1000; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      try {
        (void)connect();
        return;
      } catch (const std::system_error&) {  // not there yet
      }
    }
    claim(false, "qemu-nbd serves " + image);
  }

  void stop() {
    server_.reset();
    std::filesystem::remove(socket());
  }

  static void create_raw(const std::string& image, std::size_t size) {
    std::ofstream(image, std::ios::binary).close();
    std::filesystem::resize_file(image, size);
  }

 private:
  Folder folder_;
  std::unique_ptr<Process> server_;
};

/// Copies of the whole file; with reflinks, where the file system has them, of nothing.
class CopySide final : public FileSide {
 public:
  CopySide(std::size_t size, bool by_reflink) : by_reflink_(by_reflink) {
    create_raw(file("disk.img"), size);
    serve(file("disk.img"), "raw");
  }
  [[nodiscard]] std::string name() const override {
    return by_reflink_ ? "raw file, reflink" : "raw file, cp";
  }
  double snapshot() override { return copy("disk.img", "then.img"); }
  double restore() override { return copy("then.img", "disk.img"); }
  std::optional<double> back_up(std::uintmax_t& bytes) override {
    const double copying = copy("disk.img", "backup.img");
    bytes = std::filesystem::file_size(file("backup.img"));
    return copying + seconds_of([&] { run({"sync", file("backup.img")}); });
  }

 private:
  [[nodiscard]] double copy(const std::string& from, const std::string& to) const {
    const std::string how = by_reflink_ ? "always" : "never";
    return seconds_of([&] { run({"cp", "--reflink=" + how, file(from), file(to)}); });
  }

  bool by_reflink_;
};

/// Whether the folder for temporary files has reflinks.
inline bool has_reflinks() {
  const Folder folder;
  const auto from = folder.path() / "from";
  std::ofstream(from) << "some bytes\n";
  const pid_t process =
      start({"sh", "-c", R"(cp --reflink=always "$0" "$0.copy" 2>/dev/null)", from.string()});
  int status = 0;
  return ::waitpid(process, &status, 0) == process && status == 0;
}

/// A snapshot within a qcow2 file.
class InternalSide final : public FileSide {
 public:
  explicit InternalSide(std::size_t size) {
    run({"qemu-img", "create", "-q", "-f", "qcow2", image(), std::to_string(size)});
    serve(image(), "qcow2");
  }
  [[nodiscard]] std::string name() const override { return "qcow2, internal"; }
  double snapshot() override {
    stop();
    if (has_snapshot_) run({"qemu-img", "snapshot", "-d", "s", image()});
    has_snapshot_ = true;
    return call("-c");
  }
  double restore() override {
    stop();
    return call("-a");
  }
  std::optional<double> back_up(std::uintmax_t& bytes) override {
    bytes = 0;
    return {};
  }

 private:
  [[nodiscard]] std::string image() const { return file("disk.qcow2"); }
  double call(const std::string& what) {
    const double seconds = seconds_of([&] { run({"qemu-img", "snapshot", what, "s", image()}); });
    serve(image(), "qcow2");
    return seconds;
  }

  bool has_snapshot_ = false;
};

/// A qcow2 file over the disk as it was, which takes what is written from then on.
class OverlaySide final : public FileSide {
 public:
  explicit OverlaySide(std::size_t size) {
    create_raw(file("base.img"), size);
    create_overlay();
  }
  [[nodiscard]] std::string name() const override { return "qcow2, overlay"; }
  /// What was written goes to the base beforehand, so that there is one overlay at a time.
  double snapshot() override {
    stop();
    run({"qemu-img", "commit", "-q", overlay()});
    return create_overlay();
  }
  double restore() override {
    stop();
    return create_overlay();
  }
  std::optional<double> back_up(std::uintmax_t& bytes) override {
    const double seconds = seconds_of([&] {
      run({"cp", overlay(), file("backup.qcow2")});
      run({"sync", file("backup.qcow2")});
    });
    bytes = std::filesystem::file_size(file("backup.qcow2"));
    return seconds;
  }

 private:
  [[nodiscard]] std::string overlay() const { return file("disk.qcow2"); }
  double create_overlay() {
    const double seconds = seconds_of([&] {
      run({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", file("base.img"),
           overlay()});
    });
    serve(overlay(), "qcow2");
    return seconds;
  }
};

}  // namespace examples
