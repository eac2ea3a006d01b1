// The schedule of health probes and what answers make of a worker, without control.
#include "control/workers/probes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace mcplane::control {
namespace {

constexpr WorkerId kWorker{3};
constexpr std::uint64_t kInterval = 1'000'000;

ProbeSettings settings_of(double jitter = 0.1) {
  return {.interval_ns = kInterval, .timeout_ns = kInterval / 2, .rise = 2, .fall = 3, .jitter = jitter};
}

class ProbesTest : public ::testing::Test {
 protected:
  // Asks when it is time and answers at once; when that was.
  std::uint64_t ask(bool good) {
    for (;; now_ns += kInterval / 100)
      if (const auto due = probes.take_due(now_ns)) {
        EXPECT_TRUE(probes.on_answer(due->worker, due->number, good, good ? "yes" : "no", now_ns));
        return now_ns;
      }
  }
  Health health() { return probes.find(kWorker)->health; }

  std::uint64_t now_ns = 5 * kInterval;
  Probes probes{settings_of(), Random(1)};
};

TEST_F(ProbesTest, TheFirstGoodAnswerIsEnoughForANewWorker) {
  probes.begin(kWorker, now_ns);
  for (int i = 0; i < 5; ++i) {
    ask(false);
    EXPECT_EQ(health(), Health::kAwaited) << i;
  }
  EXPECT_EQ(probes.find(kWorker)->said, "no");
  const std::uint64_t at = ask(true);
  EXPECT_EQ(health(), Health::kUp);
  EXPECT_EQ(probes.find(kWorker)->since_ns, at);
}

TEST_F(ProbesTest, FallAndRiseCountAnswersInARow) {
  probes.begin(kWorker, now_ns);
  ask(true);
  for (const bool good : {false, false, true, false, false}) ask(good);
  EXPECT_EQ(health(), Health::kUp);
  const std::uint64_t down = ask(false);
  EXPECT_EQ(health(), Health::kDown);
  for (const bool good : {true, false, true}) ask(good);
  EXPECT_EQ(health(), Health::kDown);
  EXPECT_EQ(probes.find(kWorker)->since_ns, down);
  ask(true);
  EXPECT_EQ(health(), Health::kUp);
}

TEST_F(ProbesTest, IntervalsVaryByTheJitterAndNoMore) {
  probes.begin(kWorker, now_ns);
  std::uint64_t last = ask(true), least = ~std::uint64_t{0}, most = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t at = ask(true);
    least = std::min(least, at - last);
    most = std::max(most, at - last);
    last = at;
  }
  EXPECT_GE(least, kInterval * 90 / 100);
  EXPECT_LE(least, kInterval * 92 / 100);
  EXPECT_LE(most, kInterval * 111 / 100);
  EXPECT_GE(most, kInterval * 108 / 100);
}

TEST_F(ProbesTest, ThoseThatCameTogetherAreNotAskedTogether) {
  constexpr std::uint32_t kWorkers = 10'000, kTenths = 10;
  for (std::uint32_t i = 0; i < kWorkers; ++i) probes.begin(WorkerId{i}, now_ns);
  for (std::uint32_t tenth = 0; tenth < kTenths; ++tenth) {
    now_ns += kInterval / kTenths;
    std::uint32_t asked = 0;
    while (const auto due = probes.take_due(now_ns)) {
      ++asked;
      probes.on_answer(due->worker, due->number, true, "yes", now_ns);
    }
    EXPECT_NEAR(asked, kWorkers / kTenths, kWorkers / 50) << tenth;
  }
}

TEST_F(ProbesTest, NoMoreThanSoManyAreAskedAtOnceAndNoneIsLeftOut) {
  constexpr std::uint32_t kWorkers = 1'000;
  for (std::uint32_t i = 0; i < kWorkers; ++i) probes.begin(WorkerId{i}, now_ns);
  now_ns += kInterval;
  std::map<WorkerId, int> asked;
  for (std::uint32_t round = 0; round < 4; ++round) {
    std::vector<Probes::Question> open;
    while (const auto due = probes.take_due(now_ns)) open.push_back(*due);
    EXPECT_EQ(open.size(), std::min<std::size_t>(Probes::kAskedMax, kWorkers - round * Probes::kAskedMax));
    for (const auto& question : open) {
      ++asked[question.worker];
      EXPECT_TRUE(probes.on_answer(question.worker, question.number, true, "yes", now_ns));
    }
  }
  EXPECT_EQ(asked.size(), kWorkers);
}

TEST_F(ProbesTest, AQuestionThatIsNeverAnsweredIsNoFailure) {
  probes.begin(kWorker, now_ns);
  ask(true);
  now_ns += 2 * kInterval;
  const auto lost = probes.take_due(now_ns);
  ASSERT_TRUE(lost);
  now_ns += settings_of().timeout_ns + Probes::kGiveUpNs - 1;
  EXPECT_FALSE(probes.take_due(now_ns)) << "it is still under way";
  now_ns += 1;
  EXPECT_FALSE(probes.take_due(now_ns)) << "an interval later";
  EXPECT_FALSE(probes.on_answer(kWorker, lost->number, false, "no", now_ns)) << "too late";
  EXPECT_EQ(health(), Health::kUp);
  EXPECT_EQ(probes.find(kWorker)->in_a_row, 0U);
  now_ns += 2 * kInterval;
  const auto next = probes.take_due(now_ns);
  ASSERT_TRUE(next);
  EXPECT_NE(next->number, lost->number);
}

TEST_F(ProbesTest, AnswersToOtherQuestionsAreIgnored) {
  probes.begin(kWorker, now_ns);
  EXPECT_FALSE(probes.on_answer(kWorker, 0, true, "yes", now_ns)) << "none was asked";
  now_ns += kInterval;
  const auto due = probes.take_due(now_ns);
  ASSERT_TRUE(due);
  EXPECT_FALSE(probes.on_answer(kWorker, due->number + 1, true, "yes", now_ns));
  EXPECT_FALSE(probes.on_answer(WorkerId{4}, due->number, true, "yes", now_ns));
  probes.end(kWorker);
  EXPECT_FALSE(probes.on_answer(kWorker, due->number, true, "yes", now_ns));
  EXPECT_EQ(probes.find(kWorker), nullptr);
  probes.begin(kWorker, now_ns);  // the line's next worker
  EXPECT_FALSE(probes.on_answer(kWorker, due->number, true, "yes", now_ns));
  EXPECT_EQ(health(), Health::kAwaited);
  probes.end(kWorker);
  now_ns += 100 * kInterval;
  EXPECT_FALSE(probes.take_due(now_ns));
}

TEST_F(ProbesTest, ANewIntervalHoldsAtOnce) {
  ProbeSettings slow = settings_of();
  slow.interval_ns = 1'000 * kInterval;
  probes.set(slow, now_ns);
  probes.begin(kWorker, now_ns);
  ask(true);
  probes.set(settings_of(), now_ns);
  now_ns += kInterval;
  EXPECT_TRUE(probes.take_due(now_ns));
}

}  // namespace
}  // namespace mcplane::control
