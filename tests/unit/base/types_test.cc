#include "base/types.h"

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "base/drop_reason.h"
#include "base/random.h"

namespace mcplane {
namespace {

TEST(SessionId, PacksIndexAndGeneration) {
  const SessionId id = SessionId::make(SessionId::kIndexMask, SessionId::kGenerationMax);
  EXPECT_EQ(id.value, 0xffffffffU);
  EXPECT_EQ(id.index(), SessionId::kIndexMask);
  EXPECT_EQ(id.generation(), SessionId::kGenerationMax);
  EXPECT_FALSE(SessionId{});
  EXPECT_TRUE(SessionId::make(0, 1));
}

TEST(TaskToken, PacksShardAndIndex) {
  const TaskToken token = TaskToken::make(ShardId{7}, TaskToken::kIndexMask, 9);
  EXPECT_EQ(token.location, 0x07ffffffU);
  EXPECT_EQ(token.shard(), ShardId{7});
  EXPECT_EQ(token.index(), TaskToken::kIndexMask);
  EXPECT_EQ(token.generation, 9U);
}

TEST(DropReason, EveryNameIsPresentAndUnique) {
  std::set<std::string_view> names(kDropReasonNames.begin(), kDropReasonNames.end());
  EXPECT_EQ(names.size(), kDropReasons);
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(name_of(DropReason::kShortFrame), "short_frame");
  EXPECT_EQ(name_of(DropReason::kUnsupportedType), "unsupported_type");
  EXPECT_EQ(name_of(DropReason::kHandoffFull), "handoff_full");
}

TEST(Random, SameSeedSameSequenceWithinBounds) {
  Random a(1), b(1), c(2);
  std::set<std::uint32_t> seen;
  bool differs = false;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t value = a.below(10);
    EXPECT_EQ(value, b.below(10));
    differs |= value != c.below(10);
    seen.insert(value);
  }
  EXPECT_TRUE(differs);
  EXPECT_EQ(seen.size(), 10U);
  EXPECT_EQ(*seen.rbegin(), 9U);
}

TEST(CheckDeath, NamesTheFactAndItsPlace) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "types_test.cc:[0-9]+: 1 \\+ 1 == 3 does not hold");
}

}  // namespace
}  // namespace mcplane
