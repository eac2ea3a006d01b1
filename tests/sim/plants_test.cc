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
@TABLE@
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
