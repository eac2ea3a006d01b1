// The containers below the engines, each against a plain model of what it is to be.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "base/random.h"
#include "client/kept_results.h"
#include "client/resend_queue.h"
#include "client/route_window.h"

namespace mcplane::client {
namespace {

// Against the set of all numbers marked, near the wrap of 32 bits as elsewhere.
TEST(RouteWindow, RemembersTheLast1024AndTakesWhatIsOlderForSeen) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    RouteWindow window;
    const std::uint64_t start = seed % 2 == 0 ? 5'000 : 0xffff'fc00;
    // Serial numbers cannot tell a step of more than half their range from one back.
    for (std::uint64_t number = 0; number < start; number += 0x4000'0000)
      window.mark(static_cast<std::uint32_t>(number));
    window.mark(static_cast<std::uint32_t>(start));
    std::set<std::uint64_t> marked = {start};
    std::uint64_t highest = start;
    for (int step = 0; step < 2'000; ++step) {
      const std::uint32_t reach = random.below(8) == 0 ? 3'000 : 40;
      const std::uint64_t number = highest + random.below(reach) - random.below(reach);
      const bool seen = marked.contains(number) || number + RouteWindow::kNumbers <= highest;
      ASSERT_EQ(window.seen(static_cast<std::uint32_t>(number)), seen) << "seed " << seed << " step " << step;
      if (random.below(3) == 0) continue;
      window.mark(static_cast<std::uint32_t>(number));
      marked.insert(number);
      highest = std::max(highest, number);
      ASSERT_TRUE(window.seen(static_cast<std::uint32_t>(number)));
    }
  }
}

TEST(RouteWindow, NumberZeroIsNobodys) {
  const RouteWindow window;
  EXPECT_TRUE(window.seen(0));
  EXPECT_FALSE(window.seen(1));
}

TEST(TimedList, IsADequeFromWhichAnyMayBeTaken) {
  constexpr std::uint32_t kIndexes = 40;
  Random random(5);
  TimedNodes nodes(kIndexes);
  TimedList list;
  std::deque<std::pair<std::uint32_t, std::uint64_t>> model;
  std::uint64_t now_ns = 1'000'000;
  for (int step = 0; step < 50'000; ++step) {
    now_ns += random.below(5'000) * std::uint64_t{1'000};
    const std::uint32_t index = random.below(kIndexes);
    const auto found = std::ranges::find(model, index, [](const auto& entry) { return entry.first; });
    if (found != model.end()) {
      list.erase(nodes, index);
      model.erase(found);
    } else {
      list.push_back(nodes, index, now_ns);
      model.emplace_back(index, now_ns);
    }
    ASSERT_EQ(list.empty(), model.empty());
    ASSERT_EQ(list.first_ns(nodes), model.empty() ? TimedList::kNever : model.front().second);
    std::uint32_t at = list.first();
    for (const auto& [expected, time_ns] : model) {
      ASSERT_EQ(at, expected);
      at = TimedList::next(nodes, at);
    }
    ASSERT_EQ(at, TimedList::kNone);
  }
}

TEST(ResendQueue, OneRoundDoublesTheWaitOnce) {
  constexpr std::uint64_t kPto = 10'000'000, kStart = 1'000'000'000;
  TimedNodes nodes(3);
  ResendQueue queue;
  for (std::uint32_t i = 0; i < 3; ++i) queue.push(nodes, i, kStart + i * 1'000'000);
  EXPECT_EQ(queue.take_due(nodes, kStart + kPto - 1, kPto), ResendQueue::kNone);
  const auto resend_at = [&](std::uint64_t now_ns) {
    std::vector<std::uint32_t> due;
    for (std::uint32_t i; (i = queue.take_due(nodes, now_ns, kPto)) != ResendQueue::kNone; due.push_back(i)) {
    }
    for (const std::uint32_t i : due) queue.push(nodes, i, now_ns);
    return due;
  };
  using Due = std::vector<std::uint32_t>;
  EXPECT_EQ(resend_at(kStart + kPto), Due{0});
  EXPECT_EQ(resend_at(kStart + kPto + 2'000'000), (Due{1, 2}));  // of the same round
  EXPECT_EQ(queue.next_ns(nodes, kPto), kStart + 3 * kPto);
  EXPECT_EQ(resend_at(kStart + 3 * kPto + 2'000'000), (Due{0, 1, 2}));
  EXPECT_EQ(queue.next_ns(nodes, kPto), kStart + 7 * kPto + 2'000'000);
  queue.on_news();
  EXPECT_EQ(queue.next_ns(nodes, kPto), kStart + 4 * kPto + 2'000'000);
}

// Against a plain map, through collisions and growth.
TEST(KeptResults, AreFoundByNumberAndByToken) {
  KeptResults kept;
  std::map<std::uint32_t, std::pair<TaskToken, std::size_t>> model;
  std::size_t model_bytes = 0;
  Random random(3);
  for (std::uint32_t number = 1; number < 30'000; ++number) {
    const TaskToken token{random.below(50), random.below(3)};
    const bool known = std::ranges::any_of(model, [&](const auto& entry) { return entry.second.first == token; });
    ASSERT_EQ(kept.find(token, 1) != nullptr, known);
    ASSERT_EQ(kept.find(token, 2), nullptr);
    if (!known && model.size() < 60) {
      const std::size_t bytes = 98 + random.below(1'000);
      kept.add(token, 1, number, bytes);
      model[number] = {token, bytes};
      model_bytes += bytes;
    } else if (!model.empty()) {
      const auto victim = std::next(model.begin(), random.below(static_cast<std::uint32_t>(model.size())));
      const KeptResult* const found = kept.find(victim->first);
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(found->token, victim->second.first);
      ASSERT_EQ(found, kept.find(found->token, 1));
      kept.erase(*found);
      model_bytes -= victim->second.second;
      model.erase(victim);
    }
    ASSERT_EQ(kept.size(), model.size());
    ASSERT_EQ(kept.bytes(), model_bytes);
  }
  EXPECT_LE(kept.records(), 60U);  // storage is used again
  kept.clear();
  EXPECT_EQ(kept.size() + kept.bytes(), 0U);
}

}  // namespace
}  // namespace mcplane::client
