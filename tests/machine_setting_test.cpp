// What tests change about the machine comes back, whatever becomes of them. Shown with a file that
// is no setting.
#include "machine_setting.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

/// COW_CHANGE_SETTINGS for the time of a test.
class Permission {
 public:
  explicit Permission(const char* word) {
    if (const char* const now = std::getenv(name); now != nullptr) before_ = now;
    word == nullptr ? ::unsetenv(name) : ::setenv(name, word, 1);
  }
  ~Permission() { before_.has_value() ? ::setenv(name, before_->c_str(), 1) : ::unsetenv(name); }
  Permission(const Permission&) = delete;
  Permission& operator=(const Permission&) = delete;

 private:
  static constexpr const char* name = "COW_CHANGE_SETTINGS";
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("without permission a setting is not changed", "[tests]") {
  const support::Folder folder;
  const std::filesystem::path file = folder / "setting";
  std::ofstream(file) << "before";
  for (const char* word : {static_cast<const char*>(nullptr), "", "0", "yes"}) {
    const Permission permission(word);
    const support::ChangedSetting change(file.string(), "changed", "other");
    CHECK_FALSE(change.is_changed());
    CHECK(content(file) == "before");
  }
  CHECK(content(file) == "before");
}

TEST_CASE("a setting that was changed is put back at the end of the scope", "[tests]") {
  const Permission permission("1");
  const support::Folder folder;
  const std::filesystem::path file = folder / "setting";
  std::ofstream(file) << "before";
  std::optional<support::ForkedChild> child;
  {
    const support::ChangedSetting change(file.string(), "changed", "before");
    CHECK(change.is_changed());
    CHECK(content(file) == "changed");
    // A child that lives on does not keep it changed.
    child.emplace([](support::Peer& peer) {
      peer.hear();
      return std::string();
    });
  }
  CHECK(content(file) == "before");
}

TEST_CASE("a setting is put back when the process that changed it is killed, by any signal",
          "[tests]") {
  const Permission permission("1");
  const support::Folder folder;
  for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGABRT}) {
    CAPTURE(signal);
    const std::filesystem::path file = folder / "setting";
    std::ofstream(file) << "before";
    const support::ChildResult result = support::run_in_child([&]() -> std::string {
      support::die_silently_of_faults();
      std::signal(signal, SIG_DFL);
      const support::ChangedSetting change(file.string(), "changed", "before");
      if (content(file) != "changed") return "not changed";
      ::kill(::getpid(), signal);
      return "still alive";
    });
    CHECK(result.died_of(signal));
    CHECK(support::eventually([&] { return content(file) == "before"; }));
  }
}
