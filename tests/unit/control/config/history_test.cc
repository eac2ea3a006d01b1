// Generations of configuration: applied, on trial, confirmed, gone back to. No clock runs.
#include "control/config/history.h"

#include "control_fixture.h"

namespace mcplane::control {
namespace {

constexpr std::uint64_t kTrialNs = 60 * kNsPerSecond;

ConfigDocument document(std::uint32_t window, const std::string& mtu = "1500") {
  Settings settings;
  settings.breaker.window = window;
  ConfigDocument made;
  made.text = "window " + std::to_string(window);
  made.origin = "f";
  made.settings = std::make_shared<const Settings>(settings);
  made.values = {{"appliance.mtu", mtu, "f:1", false}, {"breaker.window", std::to_string(window), "f:2", true}};
  return made;
}

ConfigAuthor author(std::uint64_t unix_s = 1'000) { return {.by = "op", .how = "apply", .unix_s = unix_s}; }

std::uint32_t window(const ConfigHistory& history) { return history.running().document.settings->breaker.window; }

TEST(ConfigHistory, EachAppliedTextIsAGeneration) {
  ConfigHistory history(document(10));
  EXPECT_EQ(history.running().number, 1U);
  EXPECT_EQ(history.running().author.how, "start");
  history.apply(document(20), author(), 0);
  EXPECT_EQ(history.running().number, 2U);
  EXPECT_EQ(history.running().author.by, "op");
  EXPECT_EQ(history.running().author.unix_s, 1'000U);
  EXPECT_EQ(window(history), 20U);
  EXPECT_FALSE(history.trial_left_ns(0));
  EXPECT_FALSE(history.tick(1'000 * kTrialNs));
  EXPECT_EQ(history.kept().size(), 2U);
}

TEST(ConfigHistory, UnconfirmedTrialGoesBackByItself) {
  ConfigHistory history(document(10));
  history.apply(document(20), author(), 5, kTrialNs);
  EXPECT_EQ(window(history), 20U);
  EXPECT_EQ(history.trial_left_ns(5), kTrialNs);
  EXPECT_FALSE(history.tick(4 + kTrialNs));
  EXPECT_EQ(window(history), 20U);
  EXPECT_TRUE(history.tick(5 + kTrialNs));
  EXPECT_EQ(window(history), 10U);
  EXPECT_EQ(history.running().number, 3U);
  EXPECT_EQ(history.running().author.how, "not confirmed, back to 1");
  EXPECT_EQ(history.running().author.unix_s, 1'060U);
  EXPECT_FALSE(history.tick(6 + 2 * kTrialNs));
  EXPECT_FALSE(history.confirm());
}

TEST(ConfigHistory, ConfirmedTrialStays) {
  ConfigHistory history(document(10));
  EXPECT_FALSE(history.confirm());
  history.apply(document(20), author(), 0, kTrialNs);
  EXPECT_TRUE(history.confirm());
  EXPECT_FALSE(history.confirm());
  EXPECT_FALSE(history.tick(2 * kTrialNs));
  EXPECT_EQ(window(history), 20U);
}

TEST(ConfigHistory, SecondTrialGoesBackToWhatWasConfirmed) {
  ConfigHistory history(document(10));
  history.apply(document(20), author(), 0, kTrialNs);
  history.apply(document(30), author(), kTrialNs / 2, kTrialNs);
  EXPECT_FALSE(history.tick(kTrialNs)) << "the second trial has its own time";
  EXPECT_TRUE(history.tick(kTrialNs / 2 + kTrialNs));
  EXPECT_EQ(window(history), 10U);
}

TEST(ConfigHistory, ChangeForGoodEndsATrial) {
  ConfigHistory history(document(10));
  history.apply(document(20), author(), 0, kTrialNs);
  history.apply(document(30), author(), 1);
  EXPECT_FALSE(history.tick(2 * kTrialNs));
  EXPECT_EQ(window(history), 30U);
}

TEST(ConfigHistory, RollsBackToTheOneBeforeOrByNumber) {
  ConfigHistory history(document(10));
  EXPECT_FALSE(history.roll_back(std::nullopt, author(), 0));
  history.apply(document(20), author(), 0);
  history.apply(document(30), author(), 0);
  EXPECT_TRUE(history.roll_back(std::nullopt, author(), 0));
  EXPECT_EQ(window(history), 20U);
  EXPECT_EQ(history.running().number, 4U);
  EXPECT_EQ(history.running().author.how, "rollback to 2");
  EXPECT_TRUE(history.roll_back(1, author(), 0));
  EXPECT_EQ(window(history), 10U);
  EXPECT_FALSE(history.roll_back(6, author(), 0));
  EXPECT_EQ(history.running().number, 5U);
}

TEST(ConfigHistory, RollbackEndsATrial) {
  ConfigHistory history(document(10));
  history.apply(document(20), author(), 0, kTrialNs);
  history.apply(document(30), author(), 0, kTrialNs);
  EXPECT_TRUE(history.roll_back(std::nullopt, author(), 1));
  EXPECT_EQ(window(history), 10U);
  EXPECT_FALSE(history.tick(2 * kTrialNs));
}

TEST(ConfigHistory, KeepsABoundedNumberAndTheFallbackBesides) {
  ConfigHistory history(document(10));
  for (std::uint32_t i = 0; i < 2 * ConfigHistory::kKept; ++i) history.apply(document(20 + i), author(), i, kTrialNs);
  EXPECT_EQ(history.kept().size(), ConfigHistory::kKept);
  EXPECT_FALSE(history.roll_back(1, author(), 0)) << "no longer kept";
  EXPECT_TRUE(history.tick(2 * kTrialNs));
  EXPECT_EQ(window(history), 10U);
}

TEST(ConfigHistory, RestartKeysHoldAsStartedAndArePending) {
  ConfigHistory history(document(10, "1500"));
  EXPECT_TRUE(history.pending().empty());
  history.apply(document(20, "9000"), author(), 0);
  EXPECT_EQ(history.values()[0].value, "1500");
  EXPECT_EQ(history.values()[1].value, "20");
  const auto pending = history.pending();
  ASSERT_EQ(pending.size(), 1U);
  EXPECT_EQ(pending[0].key, "appliance.mtu");
  EXPECT_EQ(pending[0].before, "1500");
  EXPECT_EQ(pending[0].after, "9000");
  EXPECT_FALSE(pending[0].hot);
  history.apply(document(20, "1500"), author(), 0);
  EXPECT_TRUE(history.pending().empty());
}

TEST(ConfigHistory, DiffTellsChangedNewAndGoneKeys) {
  const std::vector<ConfigValue> before = {
      {"a", "1", "f:1"}, {"b", "2", "f:2"}, {"c", "3", "f:3"}, {"d", "", "default"}};
  const std::vector<ConfigValue> after = {
      {"a", "1", "default"}, {"b", "5", "f:9"}, {"e", "6", "f:4"}, {"g", "7", "default"}};
  std::string lines;
  for (const ConfigChange& change : changes_between(before, after))
    lines += change.key + ":" + change.before + ">" + change.after + " ";
  EXPECT_EQ(lines, "b:2>5 e:>6 c:3> ");
}

TEST_F(ControlTest, ServesTheRunningGeneration) {
  options.config = document(10);
  start();
  EXPECT_EQ(control->settings()->breaker.window, 10U);
  EXPECT_EQ(control->config_generation(), 1U);
  ASSERT_TRUE(
      control->post([&] { control->config().apply(document(20), author(), control->now_ns(), 2 * kNsPerSecond); }));
  poll();
  EXPECT_EQ(control->settings()->breaker.window, 20U);
  EXPECT_EQ(control->config_generation(), 2U);
  run(1'999);
  EXPECT_EQ(control->config_generation(), 2U);
  run(1);
  EXPECT_EQ(control->settings()->breaker.window, 10U);
  EXPECT_EQ(control->config_generation(), 3U);
}

TEST_F(ControlTest, SettingsAloneCanBeApplied) {
  options.config = document(10);
  start();
  Settings settings;
  settings.breaker.window = 30;
  control->apply(std::make_shared<const Settings>(settings));
  EXPECT_EQ(control->settings()->breaker.window, 30U);
  EXPECT_EQ(control->config_generation(), 2U);
  EXPECT_TRUE(control->config().pending().empty());
}

// Nothing of a worker is in Settings: what is known of it survives.
TEST_F(ControlTest, WorkersAndTheirTasksSurviveAnApply) {
  start();
  const SessionId worker = join_worker(worker_hello());
  ASSERT_EQ(workers_for("generate"), std::vector{WorkerId{0}});
  ASSERT_EQ(shared->workers.try_acquire(WorkerId{0}), worker);
  discard_commands();
  control->apply(std::make_shared<const Settings>());
  hear(worker);
  run(20);
  EXPECT_EQ(workers_for("generate"), std::vector{WorkerId{0}});
  EXPECT_EQ(shared->workers[WorkerId{0}].owner(), worker);
  EXPECT_EQ(shared->workers.try_acquire(WorkerId{0}), worker);
  EXPECT_TRUE(take_commands().empty()) << "no core hears of it";
}

}  // namespace
}  // namespace mcplane::control
