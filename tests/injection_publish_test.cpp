// Every system call and every allocation fails in turn in publish and attach.

#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"
#include "template_support.hpp"

using cow::Region;
using injection::Scenario;
using injection::Tally;
using injection::Window;
using injection::World;

namespace {

using Bytes = std::vector<std::byte>;

void report(const Tally& tally) {
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
  if (!tally.skipped.empty()) WARN("skipped: " << tally.skipped);
}

void check_attach(void (*attach)(World&), std::string (*verify)(World&)) {
  const Scenario scenario{[](World&) {}, attach, verify};
  report(injection::loop_over_call(
      injection::all_plans(),
      [&](const Window& window, bool stores_first) {
        return injection::complaint_about_call(scenario, window, stores_first);
      },
      &injection::judge_survivor));
}

/// Scenarios are plain functions: what they read lies here, and every child has it.
struct Published {
  Published() {
    Region region = Region::create(24 * support::page_bytes(), support::options());
    for (const std::size_t at : {0u, 1u, 7u, 20u}) support::store(region, at, 5);
    bytes = support::plain_copy(region.bytes());
    cow::publish(name, region.snapshot());
    sent.emplace(region.snapshot());
  }
  support::TemplateName name;
  std::optional<support::SentTemplate> sent;
  Bytes bytes;
};
std::optional<Published> g_published;

std::string verify_attached(World& world) {
  std::string wrong = support::broken_invariant(*world.made);
  if (wrong.empty()) {
    wrong = support::difference(g_published->bytes, std::as_const(*world.made).bytes());
  }
  world.add(std::move(*world.made));
  world.made.reset();
  return wrong;
}

/// What `publish` makes of a snapshot is there in full, or not at all.
std::string complaint_about_publish(const Window& window, bool by_name) {
  const support::TemplateName name;
  std::string wrong;
  {
    World world(24);
    const World::Past& past = world.pasts[0];
    const injection::Held before = injection::Held::now();
    int sent = -1;
    const auto publish = [&] {
      by_name ? cow::publish(name, past.snapshot) : (void)(sent = cow::publish(past.snapshot));
    };
    const std::exception_ptr error = window.run(publish);
    if (error) wrong = injection::complaint_about(error);
    const std::size_t published = by_name && !error ? 1 : 0;
    if (wrong.empty() && !window.refused("unlink") &&
        support::shared_objects(name).size() != published) {
      wrong = "something else is left in /dev/shm";
    }
    if (error) publish();
    {
      const Region attached = by_name ? cow::attach(name) : cow::attach(sent);
      if (sent >= 0) ::close(sent);
      if (wrong.empty()) wrong = support::difference(past.bytes, attached.bytes());
      if (by_name) cow::unpublish(name);
    }
    if (wrong.empty()) wrong = before.difference(injection::Held::now());
    if (wrong.empty()) wrong = world.store_everywhere();
    if (wrong.empty()) wrong = world.complaint_about_unseen();
    if (wrong.empty()) wrong = world.drop_everything(window.refused("fallocate"));
  }
  return wrong;
}

void check_publish(bool by_name) {
  report(injection::loop_over_call(
      injection::all_plans(),
      [&](const Window& window, bool) { return complaint_about_publish(window, by_name); },
      &injection::judge_survivor));
}

}  // namespace

TEST_CASE("attach by name among failures throws and leaves nothing, or is right", "[api]") {
  g_published.emplace();
  check_attach(
      [](World& world) { world.made = cow::attach(g_published->name, support::options()); },
      verify_attached);
  g_published.reset();
}

TEST_CASE("attach by descriptor among failures throws and leaves nothing, or is right", "[api]") {
  g_published.emplace();
  check_attach(
      [](World& world) {
        world.made = cow::attach(g_published->sent->number(), support::options());
      },
      verify_attached);
  g_published.reset();
}

TEST_CASE("publish by name among failures throws and leaves nothing, or is complete", "[api]") {
  check_publish(true);
}

TEST_CASE("publish by descriptor among failures throws and leaves nothing, or is complete",
          "[api]") {
  check_publish(false);
}

TEST_CASE("attach as the user who may stand for all unknown ones never blames that user", "[api]") {
  constexpr uid_t kOverflowUser = 65534;  // what it is, unless somebody changed it
  if (::geteuid() != 0 && ::geteuid() != kOverflowUser) {
    WARN("skipped: this is another user, and may not become that one");
    return;
  }
  std::string users;
  std::getline(std::ifstream("/proc/self/uid_map"), users);
  if (users.find("4294967295") == std::string::npos) {
    WARN("skipped: here that user does stand for others");
    return;
  }
  const support::TemplateName name;
  const Region published = support::filled(5, 3);
  cow::publish(name, published.snapshot());
  if (::geteuid() == 0) REQUIRE(::chown(name.path().c_str(), kOverflowUser, kOverflowUser) == 0);
  const auto attach_and_look = [&](const Window& window, bool) -> std::string {
    if (::setgid(kOverflowUser) != 0 || ::setuid(kOverflowUser) != 0) return "no such user here";
    support::stay_readable();
    std::optional<Region> attached;
    support::Refusal refused;
    (void)window.run(
        [&] { refused = support::refusal_of([&] { attached = support::attach(name); }); });
    if (attached) return support::shows(attached->bytes(), 3) ? "" : "other bytes";
    if (!window.injects_errors())
      return "a call that only took longer is refused: " + refused.words;
    return refused.says("does not know") ? "the owner is blamed: " + refused.words : "";
  };
  report(injection::loop_over_call(injection::all_plans(), attach_and_look,
                                   &injection::judge_survivor));
}
