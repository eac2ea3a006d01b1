// What cores tell of their tasks' ends: the word against a plain list, and who is told of.
#include "state/outcomes.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "base/random.h"

namespace mcplane::state {
namespace {

OutcomeWord after(OutcomeWord word, std::uint32_t successes, std::uint32_t failures) {
  for (; successes > 0; --successes) word = word.with_success();
  for (; failures > 0; --failures) word = word.with_failure();
  return word;
}

TEST(OutcomeWord, KnowsTheLastRunAndThirtyTwoBefore) {
  Random random(7);
  OutcomeWord word;
  std::deque<bool> newest_first;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const bool failed = random.below(1 + i % 40) == 0;
    word = failed ? word.with_failure() : word.with_success();
    newest_first.push_front(failed);
    ASSERT_EQ(word.count(), static_cast<std::uint16_t>(i + 1));
    for (std::uint32_t ago = 0; ago < std::min<std::size_t>(word.run() + OutcomeWord::kKept, newest_first.size());
         ++ago)
      ASSERT_EQ(word.failed(ago), newest_first[ago]) << i << ", " << ago << " ago";
  }
}

TEST(OutcomeWord, ARunOfSuccessesLeavesNoOldFailureBehind) {
  const OutcomeWord word = after(after({}, 0, 4), 5'000, 1);
  EXPECT_TRUE(word.failed(0));
  for (std::uint32_t ago = 1; ago < 200; ++ago) EXPECT_FALSE(word.failed(ago)) << ago;
}

TEST(OutcomeWord, WhatIsOlderThanIsKeptWasASuccess) {
  const OutcomeWord word = after({}, 0, 100);
  for (std::uint32_t ago = 0; ago < OutcomeWord::kKept; ++ago) EXPECT_TRUE(word.failed(ago)) << ago;
  EXPECT_FALSE(word.failed(OutcomeWord::kKept));
}

TEST(OutcomeWord, CountsGoRoundWithoutTouchingOutcomes) {
  OutcomeWord word = after({}, 0xffff, 0);
  word = after(word, 0, 3);
  EXPECT_EQ(word.count(), 2U);
  EXPECT_TRUE(word.failed(0) && word.failed(1) && word.failed(2));
  EXPECT_FALSE(word.failed(3));
}

std::set<std::uint32_t> told(Outcomes& outcomes) {
  std::set<std::uint32_t> ids;
  outcomes.take_told([&ids](WorkerId worker) { EXPECT_TRUE(ids.insert(raw(worker)).second) << raw(worker); });
  return ids;
}

TEST(Outcomes, FailuresAndProbesAreTold) {
  constexpr std::uint32_t kWorkers = 10'000;
  Outcomes outcomes(kWorkers);
  for (std::uint32_t id = 0; id < kWorkers; ++id) outcomes.add_success(WorkerId{id});
  EXPECT_TRUE(told(outcomes).empty());
  const std::set<std::uint32_t> failing = {0, 1, 63, 64, 4'095, 4'096, 9'999};
  for (const std::uint32_t id : failing) outcomes.add_failure(WorkerId{id});
  outcomes.add_failure(WorkerId{64});
  EXPECT_EQ(told(outcomes), failing);
  EXPECT_TRUE(told(outcomes).empty());
  outcomes.add_probe(WorkerId{4'097});
  EXPECT_EQ(told(outcomes), std::set<std::uint32_t>{4'097});
  EXPECT_EQ(outcomes.read(WorkerId{64}).count(), 3U);
}

}  // namespace
}  // namespace mcplane::state
