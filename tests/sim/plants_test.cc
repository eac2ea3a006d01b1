// Each bug that can be planted in the code under test, at the seed that found it. A change of production code changes
// what a seed does: then the next seeds are tried, and a plant that none of them finds is a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "run.h"
#include "swarm.h"

namespace mcplane::sim {
namespace {

struct Find {
  PlantedBug plant;
  std::uint64_t seed;
  const char* oracle;  // how its words begin
};

constexpr std::uint64_t kSeedsMore = 400;

constexpr Find kFinds[] = {
    {PlantedBug::kSkipSlotDedup, 1, "3 at most once"},
    {PlantedBug::kAcceptStaleSequence, 2, "3 at most once"},
    {PlantedBug::kLeakWorkerSlot, 1, "4, 5, 8, 10, 12 full sweep"},
    {PlantedBug::kReleaseSlotTwice, 1, "5 outstanding within bound"},
    {PlantedBug::kAckResultEarly, 9, "every task is delivered"},
    {PlantedBug::kTakeAnyResult, 5, "4 every task is in one state"},
    {PlantedBug::kForgetReject, 2, "4, 5, 8, 10, 12 full sweep"},
    {PlantedBug::kCancelOnce, 2, "4 everything drains"},
    {PlantedBug::kFailOverAnyTask, 37, "3 at most once"},
    {PlantedBug::kDenyAfterAttempt, 15, "3 executed=no"},
    {PlantedBug::kRouteExpired, 23, "6 no ROUTE without time"},
    {PlantedBug::kTtlNotSpent, 2, "6 time in the broker counts"},
    {PlantedBug::kResendOtherToken, 9, "every task is delivered"},
    {PlantedBug::kFreeTwice, 1, "10 buffers"},
    {PlantedBug::kLeakDuplicate, 1, "4, 8, 10, 12 nothing is left"},
    {PlantedBug::kMiscountWaiting, 2, "12 every frame is counted once"},
    {PlantedBug::kLeakHandoff, 31, "12 every frame is counted once"},
    {PlantedBug::kSweepSkips, 2, "4 everything drains"},
    {PlantedBug::kAcceptOverBound, 2, "5 outstanding within bound"},
    {PlantedBug::kCacheBySelector, 20, "9 the answer to this task"},
    {PlantedBug::kDegradeBusy, 5, "7 degraded while nobody is in"},
    {PlantedBug::kRouteToDraining, 3622, "7 no ROUTE to who was taken out"},
    {PlantedBug::kOutcomeTwice, 1, "1 outcome in time"},
    {PlantedBug::kForeignOutcome, 25, "8 RESULT of the live attempt"},
    {PlantedBug::kDenyMoved, 313, "3 executed=no"},
    {PlantedBug::kLoseFullAcks, 248, "nothing is sent twice without need"},
    {PlantedBug::kStaleWelcome, 9145, "1 an exchange is one task's"},
    {PlantedBug::kSendOnce, 9, "every task is delivered"},
    {PlantedBug::kAckOtherSlot, 9, "every task is delivered"},
    {PlantedBug::kResendAnyTask, 15, "3 at most once"},
    {PlantedBug::kNoDeadline, 2, "1 outcome in time"},
    {PlantedBug::kSkipRouteDedup, 1, "3 what a worker refused it cannot run"},
    {PlantedBug::kWindowOffByOne, 1, "3 what a worker refused it cannot run"},
    {PlantedBug::kDropHeld, 9, "every task is delivered"},
    {PlantedBug::kRunAfterStop, 1, "3 what a worker refused it cannot run"},
    {PlantedBug::kLeaseIgnoresLink, 4062, "no eviction without a link"},
    {PlantedBug::kKeepInstance, 21, "1 an exchange is one task's"},
    {PlantedBug::kOverlappingSlots, 133, "silence"},
    {PlantedBug::kRouteToOpen, 13, "7 no ROUTE past a breaker"},
    {PlantedBug::kPermitTwice, 13, "7 no ROUTE past a breaker"},
    {PlantedBug::kShadowAnywhere, 4, "13 shadow and production are apart"},
    {PlantedBug::kEndAtAnyPart, 41, "5 outstanding within bound"},
    {PlantedBug::kPartsAsTheyCome, 11, "9 the answer to this task"},
    {PlantedBug::kNeverProbe, 59, "nothing is left"},
    {PlantedBug::kGrantNoMore, 509, "nothing is sent twice without need"},
    {PlantedBug::kStopsAtOnce, 1067, "5 outstanding within bound"},
    {PlantedBug::kDeliverMirrored, 4, "13 answers to copies are dropped"},
    {PlantedBug::kEventToWholeGroup, 1, "14 events"},
    {PlantedBug::kEventToOther, 1, "14 events"},
    {PlantedBug::kShareUncounted, 1, "10 buffers"},
    {PlantedBug::kAckUnpublished, 11, "14 events"},
    {PlantedBug::kKeepSubscription, 1, "14 events"},
};

class PlantTest : public ::testing::TestWithParam<Find> {};

std::string broken_by(PlantedBug plant, std::uint64_t seed) {
  Options options = draw(seed);
  options.plant = plant;
  return run(options).broken;
}

TEST_P(PlantTest, IsFound) {
  const Find& find = GetParam();
  std::string broken = broken_by(find.plant, find.seed);
  if (!broken.empty()) {
    EXPECT_EQ(broken.substr(0, std::string_view(find.oracle).size()), find.oracle) << broken;
    EXPECT_EQ(run(draw(find.seed)).broken, "") << "the seed breaks without the plant";
    return;
  }
  for (std::uint64_t more = 1; more <= kSeedsMore && broken.empty(); ++more)
    broken = broken_by(find.plant, find.seed + more);
  EXPECT_NE(broken, "") << "not found from seed " << find.seed << " on";
}

INSTANTIATE_TEST_SUITE_P(All, PlantTest, ::testing::ValuesIn(kFinds), [](const auto& test) {
  std::string name(kPlantedBugNames[static_cast<std::size_t>(test.param.plant)]);
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Plants, AllAreReplayed) {
  std::set<PlantedBug> replayed;
  for (const Find& find : kFinds) replayed.insert(find.plant);
  EXPECT_EQ(replayed.size(), static_cast<std::size_t>(PlantedBug::kCount) - 1);
  EXPECT_GE(replayed.size(), 25U);
}

}  // namespace
}  // namespace mcplane::sim
