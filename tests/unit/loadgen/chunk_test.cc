// Chunks of streams: made again from what they say, and what the ledger calls lost, double and out of order.
#include "loadgen/chunk.h"

#include <gtest/gtest.h>

#include <string>

#include "base/types.h"
#include "loadgen/chunk_ledger.h"

namespace mcplane::loadgen {
namespace {

constexpr std::uint64_t kSeed = 5;
constexpr StreamShape kShape = {.chunks = 4, .chunk_bytes = 40};

std::string chunk_text(std::uint64_t task, std::uint32_t number, std::uint64_t emitted_ns = 1'000) {
  return std::string(ChunkPattern(kSeed, kShape.chunk_bytes).write({task, number, emitted_ns}));
}

TEST(Chunk, SaysWhichItIsAndWhenItWasEmitted) {
  const std::string text = chunk_text(0xabcdef, 0x1234, 0x123456789abcdefULL);
  EXPECT_EQ(text.substr(0, 32), "0123456789abcdef0000abcdef001234");
  const auto chunk = ChunkPattern(kSeed, kShape.chunk_bytes).read(text);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->task, 0xabcdefU);
  EXPECT_EQ(chunk->number, 0x1234U);
  EXPECT_EQ(chunk->emitted_ns, 0x123456789abcdefULL);
}

TEST(Chunk, AnyOtherByteLengthOrRunIsNone) {
  const std::string text = chunk_text(7, 3);
  const ChunkPattern pattern(kSeed, kShape.chunk_bytes);
  for (std::size_t i = kChunkStampBytes; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(pattern.read(changed)) << i;
  }
  EXPECT_FALSE(pattern.read(text.substr(0, 39)));
  EXPECT_FALSE(pattern.read(text + "x"));
  EXPECT_FALSE(pattern.read(""));
  EXPECT_FALSE(pattern.read("x" + text.substr(1)));
  EXPECT_FALSE(ChunkPattern(kSeed + 1, kShape.chunk_bytes).read(text));
}

TEST(Chunk, APromptSaysItsTask) {
  std::string prompt(20, ' ');
  PromptPattern(kSeed, 20).write(prompt, 77);
  EXPECT_EQ(task_of_prompt(prompt), 77U);
  EXPECT_FALSE(task_of_prompt("hello"));
  EXPECT_FALSE(task_of_prompt("hello, who are you?"));
}

class Ledger : public testing::Test {
 protected:
  Ledger() {
    ledger_.start(0);
    ledger_.begin(0, 9, 0);
  }
  void take(std::uint32_t number) { ledger_.take(0, chunk_text(9, number), 3'000); }
  const ChunkTally& tally() const { return ledger_.tally(); }

  ChunkLedger ledger_{kSeed, kShape, 2};
};

TEST_F(Ledger, EachChunkOnceAndInOrderIsAnAnswer) {
  for (std::uint32_t number = 0; number < 4; ++number) take(number);
  EXPECT_TRUE(ledger_.end(0));
  EXPECT_EQ(tally().received, 4U);
  EXPECT_TRUE(tally().sound());
  EXPECT_EQ(tally().chunk.count(), 4U);
  EXPECT_EQ(tally().chunk.max(), 2'000U);
  EXPECT_EQ(tally().first_chunk.count(), 1U);
  EXPECT_EQ(tally().first_chunk.max(), 3'000U);
}

TEST_F(Ledger, WhatAnAnswerHasNotBroughtIsLost) {
  take(0);
  take(2);
  EXPECT_FALSE(ledger_.end(0));
  EXPECT_EQ(tally().received, 2U);
  EXPECT_EQ(tally().lost, 2U);
  EXPECT_EQ(tally().duplicates + tally().out_of_order, 0U);
}

TEST_F(Ledger, WhatComesBehindALaterOneIsOutOfOrderAndNotLost) {
  for (const std::uint32_t number : {1U, 0U, 3U, 2U}) take(number);
  EXPECT_FALSE(ledger_.end(0));
  EXPECT_EQ(tally().received, 4U);
  EXPECT_EQ(tally().out_of_order, 2U);
  EXPECT_EQ(tally().lost + tally().duplicates, 0U);
}

TEST_F(Ledger, WhatComesAgainIsADuplicate) {
  for (const std::uint32_t number : {0U, 1U, 1U, 2U, 0U, 3U}) take(number);
  EXPECT_FALSE(ledger_.end(0));
  EXPECT_EQ(tally().received, 4U);
  EXPECT_EQ(tally().duplicates, 2U);
  EXPECT_EQ(tally().lost + tally().out_of_order, 0U);
}

TEST_F(Ledger, AnotherTasksChunkIsNoneOfThisOne) {
  for (const std::uint32_t number : {0U, 1U, 2U, 3U}) take(number);
  ledger_.take(0, chunk_text(8, 3), 3'000);
  ledger_.take(0, chunk_text(9, 4), 3'000);
  EXPECT_FALSE(ledger_.end(0));
  EXPECT_TRUE(tally().sound());
  EXPECT_EQ(tally().received, 4U);
}

TEST_F(Ledger, ThePlaceOfAStreamIsUsedAgain) {
  take(1);
  ledger_.begin(0, 10, 0);
  for (std::uint32_t number = 0; number < 4; ++number) ledger_.take(0, chunk_text(10, number), 3'000);
  EXPECT_TRUE(ledger_.end(0)) << "an answer that did not end well misses nothing";
  EXPECT_EQ(tally().lost, 0U);
}

TEST_F(Ledger, OnlyTheMeasuredPartIsTimed) {
  ledger_.start(2'000);
  ledger_.begin(0, 9, 1'999);
  ledger_.take(0, chunk_text(9, 0, 1'999), 5'000);
  ledger_.take(0, chunk_text(9, 1, 2'000), 5'000);
  ledger_.take(0, chunk_text(9, 2, 6'000), 1'000'005'000);
  EXPECT_EQ(tally().received, 3U);
  EXPECT_EQ(tally().first_chunk.count(), 0U);
  EXPECT_EQ(tally().chunk.count(), 2U);
  EXPECT_DOUBLE_EQ(tally().measured_rate(), 2.0);
}

}  // namespace
}  // namespace mcplane::loadgen
