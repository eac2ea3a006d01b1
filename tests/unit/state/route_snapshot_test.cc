// Resolution of a selector to pools.
#include "state/route_snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mcplane::state {
namespace {

using Names = std::vector<std::string_view>;

std::uint32_t add_pool(RouteSnapshot& snapshot, const Names& actions, const Names& models, const Names& tags) {
  const auto ids = [&](const Names& names) {
    std::vector<NameId> numbers;
    for (const auto name : names) numbers.push_back(snapshot.intern(name));
    std::ranges::sort(numbers);
    return numbers;
  };
  return snapshot.add_pool({ids(actions), ids(models), ids(tags), {}});
}

std::vector<std::uint32_t> resolve(const RouteSnapshot& snapshot, std::string_view action, std::string_view model,
                                   const Names& tags) {
  RouteSnapshot::PoolList pools{};
  const std::size_t count = snapshot.resolve(action, model, tags, pools);
  return {pools.begin(), pools.begin() + static_cast<std::ptrdiff_t>(count)};
}

struct Case {
  const char* what;
  std::string_view action, model;
  Names tags;
  std::vector<std::uint32_t> pools;
};

TEST(RouteSnapshot, ResolvesByActionModelAndTags) {
  RouteSnapshot snapshot;
  add_pool(snapshot, {"generate"}, {"llama"}, {});
  add_pool(snapshot, {"generate", "embed"}, {"tiny", "llama"}, {"eu"});
  add_pool(snapshot, {"embed"}, {}, {"eu", "fast"});
  const std::vector<Case> cases = {
      {"action alone", "generate", "", {}, {0, 1}},
      {"another action", "embed", "", {}, {1, 2}},
      {"model narrows", "generate", "tiny", {}, {1}},
      {"model of all", "generate", "llama", {}, {0, 1}},
      {"pool without models serves none by name", "embed", "llama", {}, {1}},
      {"tag narrows", "embed", "", {"fast"}, {2}},
      {"all tags are needed", "embed", "", {"eu", "fast"}, {2}},
      {"tag and model", "generate", "llama", {"eu"}, {1}},
      {"tag nobody has with this action", "generate", "", {"fast"}, {}},
      {"unknown action", "paint", "", {}, {}},
      {"unknown model", "generate", "gpt", {}, {}},
      {"unknown tag", "generate", "", {"mars"}, {}},
      {"a model is no action", "llama", "", {}, {}},
      {"an action is no tag", "generate", "", {"embed"}, {}},
      {"empty action", "", "", {}, {}},
      {"more tags than a selector has", "embed", "", Names(9, "eu"), {}},
      {"as many as it has", "embed", "", Names(8, "eu"), {1, 2}},
  };
  for (const auto& tested : cases)
    EXPECT_EQ(resolve(snapshot, tested.action, tested.model, tested.tags), tested.pools) << tested.what;
}

TEST(RouteSnapshot, ShadowPoolsAreForShadowTasksOnly) {
  RouteSnapshot snapshot;
  add_pool(snapshot, {"generate"}, {}, {"eu"});
  const NameId generate = snapshot.intern("generate"), us = snapshot.intern("us");
  snapshot.add_pool({.actions = {generate}, .models = {}, .tags = {us}, .load = {}, .shadow = true});
  EXPECT_EQ(resolve(snapshot, "generate", "", {}), std::vector<std::uint32_t>{0});
  EXPECT_TRUE(resolve(snapshot, "generate", "", {"us"}).empty()) << "whatever the tags say";
  RouteSnapshot::PoolList pools{};
  ASSERT_EQ(snapshot.resolve("generate", "", {}, pools, true), 1U);
  EXPECT_EQ(pools[0], 1U);
  const std::vector<std::string_view> eu = {"eu"};
  EXPECT_EQ(snapshot.resolve("generate", "", eu, pools, true), 0U);
}

TEST(RouteSnapshot, OfARouteShadowTasksHaveTheChoiceAmongWorkersAlone) {
  const RouteRule rule{.policy = Policy::kSession,
                       .imbalance = 2,
                       .shared_limit = 3,
                       .limit = {.interval_ns = 1, .burst_ns = 1, .concurrency = 1},
                       .mirror = kMirrorWhole};
  const RouteRule shadow = rule.for_shadow();
  EXPECT_EQ(shadow.policy, Policy::kSession);
  EXPECT_EQ(shadow.imbalance, 2);
  EXPECT_EQ(shadow.shared_limit, kNoSharedLimit);
  EXPECT_FALSE(shadow.limit.any());
  EXPECT_EQ(shadow.mirror, 0U);
}

TEST(RouteSnapshot, ResolvesToEightPoolsAtMost) {
  RouteSnapshot snapshot;
  for (int i = 0; i < 12; ++i) add_pool(snapshot, {"generate"}, {}, {});
  EXPECT_EQ(resolve(snapshot, "generate", "", {}), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(RouteSnapshot, EmptyOneServesNothing) { EXPECT_TRUE(resolve(RouteSnapshot{}, "generate", "", {}).empty()); }

TEST(RouteSnapshot, InternsANameOnce) {
  RouteSnapshot snapshot;
  const NameId first = snapshot.intern("generate");
  EXPECT_NE(snapshot.intern("embed"), first);
  EXPECT_EQ(snapshot.intern("generate"), first);
}

}  // namespace
}  // namespace mcplane::state
