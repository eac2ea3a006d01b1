// Prompts: made again from (seed, number), and telling any change.
#include "loadgen/pattern.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "wire/payload.h"

namespace mcplane::loadgen {
namespace {

std::string prompt_of(std::size_t bytes, std::uint64_t seed, std::uint64_t number) {
  std::string prompt(bytes, '\0');
  PromptPattern(seed, bytes).write(prompt, number);
  return prompt;
}

bool is_prompt(std::string_view answer, std::size_t bytes, std::uint64_t seed, std::uint64_t number) {
  return PromptPattern(seed, bytes).matches(answer, number);
}

TEST(Pattern, StartsWithTheNumberAndIsPrintable) {
  const std::string prompt = prompt_of(301, 9, 0x0123456789abcdefULL);
  EXPECT_EQ(prompt.substr(0, 16), "0123456789abcdef");
  EXPECT_TRUE(std::all_of(prompt.begin(), prompt.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  EXPECT_GT(std::set<char>(prompt.begin() + 16, prompt.end()).size(), 40U);
}

TEST(Pattern, RecognisesItselfAtEveryLength) {
  for (std::size_t bytes = kPromptBytesMin; bytes < 80; ++bytes)
    EXPECT_TRUE(is_prompt(prompt_of(bytes, 5, 77), bytes, 5, 77)) << bytes;
}

TEST(Pattern, RefusesAnyChangedByte) {
  const std::string prompt = prompt_of(61, 5, 77);
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    std::string changed = prompt;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(is_prompt(changed, prompt.size(), 5, 77)) << i;
  }
}

TEST(Pattern, RefusesAnotherTasksOtherRunsAndOtherLengths) {
  const std::string prompt = prompt_of(64, 5, 77);
  EXPECT_FALSE(is_prompt(prompt, 64, 5, 78));
  EXPECT_FALSE(is_prompt(prompt, 64, 6, 77));
  EXPECT_FALSE(is_prompt(prompt.substr(0, 63), 64, 5, 77));
  EXPECT_FALSE(is_prompt(prompt + "x", 64, 5, 77));
  EXPECT_FALSE(is_prompt("", 64, 5, 77));
}

TEST(Pattern, PayloadsReadBackAsTasks) {
  for (const std::size_t bytes : {std::size_t{16}, std::size_t{17}, std::size_t{256}, std::size_t{1'201}}) {
    PayloadWriter writer({3, bytes});
    for (const std::uint64_t number : {0ULL, 1ULL, 1ULL << 40}) {
      const auto task = wire::read_task_payload(writer.write(number));
      ASSERT_TRUE(task.has_value());
      EXPECT_EQ(task->prompt, prompt_of(bytes, 3, number));
      EXPECT_TRUE(task->history.empty());
    }
  }
}

TEST(Pattern, AFrameAroundATextIsWhatTheWriterOfTheWireMakes) {
  for (std::size_t bytes = kPromptBytesMin; bytes < 200; ++bytes) {
    PayloadWriter payloads({3, bytes});
    const auto payload = payloads.write(7);
    const std::string prompt = prompt_of(bytes, 3, 7);
    EXPECT_TRUE(
        std::ranges::equal(payload, wire::write_task_payload({.prompt = prompt, .history = {}, .parameters = {}})));
    EXPECT_EQ(payloads.payload_bytes_max(), payload.size());
    EXPECT_EQ(PromptReader().read(payload), prompt);
    AnswerWriter answers;
    EXPECT_TRUE(std::ranges::equal(answers.write(prompt), wire::write_answer(prompt)));
    EXPECT_EQ(answers.read(wire::write_answer(prompt)), prompt);
  }
}

TEST(Pattern, ReadersTakeWhatTheVerifierTakesAndNothingElse) {
  const PromptReader prompts;
  AnswerWriter answers;
  const std::vector<std::byte> other =
      wire::write_task_payload({.prompt = "hello", .history = {{"user", "x"}}, .parameters = {}});
  EXPECT_EQ(prompts.read(other), "hello");
  const std::string text = prompt_of(40, 3, 7);
  const std::vector<std::byte> answer = wire::write_answer(text),
                               task = wire::write_task_payload({.prompt = text, .history = {}, .parameters = {}});
  for (const auto* const sound : {&answer, &task})
    for (std::size_t i = 0; i < sound->size(); ++i)
      for (const int bit : {1, 128}) {
        std::vector<std::byte> bent = *sound;
        bent[i] ^= static_cast<std::byte>(bit);
        EXPECT_EQ(answers.read(bent), wire::read_answer(bent)) << i;
        EXPECT_EQ(prompts.read(bent), wire::read_prompt(bent)) << i;
        bent.resize(i);
        EXPECT_EQ(answers.read(bent), wire::read_answer(bent)) << i;
        EXPECT_EQ(prompts.read(bent), wire::read_prompt(bent)) << i;
      }
}

TEST(Pattern, UniformSizesCoverTheirRange) {
  const PromptPattern pattern(5, 100, {.form = PromptSizes::Form::kUniform, .bytes_min = 64});
  std::vector<std::size_t> counts(101);
  for (std::uint64_t number = 0; number < 37'000; ++number) ++counts[pattern.bytes_of(number)];
  for (std::size_t bytes = 0; bytes <= 100; ++bytes)
    EXPECT_NEAR(static_cast<double>(counts[bytes]), bytes >= 64 ? 1'000 : 0, bytes >= 64 ? 160 : 0) << bytes;
}

TEST(Pattern, ListedSizesAreDrawnAsOftenAsTheyStandThere) {
  const std::vector<std::uint32_t> listed = {64, 16, 64, 1'000};
  const PromptSizes sizes = {.form = PromptSizes::Form::kList,
                             .list = std::make_shared<const std::vector<std::uint32_t>>(listed)};
  const PromptPattern pattern(5, 1'000, sizes), again(5, 1'000, sizes);
  std::map<std::size_t, int> counts;
  for (std::uint64_t number = 0; number < 40'000; ++number) {
    ++counts[pattern.bytes_of(number)];
    ASSERT_EQ(again.bytes_of(number), pattern.bytes_of(number)) << "a run is a function of its seed";
  }
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_NEAR(counts[16], 10'000, 400);
  EXPECT_NEAR(counts[64], 20'000, 400);
  EXPECT_NEAR(counts[1'000], 10'000, 400);
}

TEST(Pattern, ExponentialSizesHaveTheirMeanAndStayWithinTheirBounds) {
  PromptPattern pattern(5, 4'000, {.form = PromptSizes::Form::kExponential, .mean = 256});
  double sum = 0;
  std::size_t least = 4'000, most = 0;
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    const std::size_t bytes = pattern.bytes_of(number);
    sum += static_cast<double>(bytes);
    least = std::min(least, bytes);
    most = std::max(most, bytes);
  }
  // Those below 16 B are raised to it, and bytes are whole: together less than a byte.
  EXPECT_NEAR(sum / 100'000, 256, 5);
  EXPECT_EQ(least, kPromptBytesMin);
  EXPECT_GT(most, 2'000U);
  pattern.bound(500);
  for (std::uint64_t number = 0; number < 10'000; ++number) ASSERT_LE(pattern.bytes_of(number), 500U);
}

TEST(Pattern, SizesBelongToSeedAndNumber) {
  const PromptSizes sizes{.form = PromptSizes::Form::kUniform, .bytes_min = 16};
  PayloadWriter writer({9, 300, sizes});
  const PromptPattern same(9, 300, sizes), other(10, 300, sizes);
  int matched = 0;
  for (std::uint64_t number = 0; number < 1'000; ++number) {
    const auto prompt = wire::read_prompt(writer.write(number));
    ASSERT_TRUE(prompt);
    EXPECT_TRUE(same.matches(*prompt, number));
    matched += other.matches(*prompt, number) ? 1 : 0;
  }
  EXPECT_EQ(matched, 0);
}

TEST(Pattern, RefusesWordsThatChangedPlaces) {
  std::string prompt = prompt_of(64, 5, 77);
  std::swap_ranges(prompt.begin() + 24, prompt.begin() + 32, prompt.begin() + 40);
  EXPECT_FALSE(is_prompt(prompt, 64, 5, 77));
  prompt = prompt_of(64, 5, 77);
  const std::string other = prompt_of(64, 5, 78);
  std::copy(other.begin() + 24, other.begin() + 32, prompt.begin() + 24);
  EXPECT_FALSE(is_prompt(prompt, 64, 5, 77));
}

TEST(Pattern, AnswersReadBackAsTheirText) {
  AnswerWriter writer;
  for (const std::string_view text : {"", "a", "b", "\4", "four", "a longer one", "", "4444"})
    EXPECT_EQ(wire::read_answer(writer.write(text)), text);
}

TEST(Pattern, TaskIdsAreUuidsAndDiffer) {
  std::set<wire::Id16> ids;
  for (std::uint64_t number = 0; number < 1'000; ++number) {
    const wire::Id16 id = task_id_for(1, number);
    EXPECT_EQ(id[6] >> 4, 8);
    EXPECT_EQ(id[8] >> 6, 2);
    ids.insert(id);
  }
  ids.insert(task_id_for(2, 0));
  EXPECT_EQ(ids.size(), 1'001U);
}

TEST(PromptPattern, PiecesAreKnownAtTheirPlaceOnly) {
  const PromptPattern pattern(5, 1'000);
  std::string prompt(1'000, '\0');
  pattern.write(prompt, 77);
  const std::string_view whole = prompt;
  for (std::size_t at = 0; at < whole.size(); at += 13) {
    EXPECT_TRUE(pattern.matches_at(whole.substr(at, 29), 77, at)) << at;
    EXPECT_FALSE(pattern.matches_at(whole.substr(at, 29), 78, at)) << at;
    EXPECT_FALSE(pattern.matches_at(whole.substr(at, 29), 77, at + 1)) << at;
  }
  EXPECT_FALSE(pattern.matches_at(prompt + "a", 77, 0));
}

}  // namespace
}  // namespace mcplane::loadgen
