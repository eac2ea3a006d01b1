// A worker's gate under threads: permits are exact over all cores, and who opened a round shuts out the one before.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "state/outcomes.h"
#include "state/skill_board.h"
#include "state/worker_table.h"

namespace mcplane::state {
namespace {

constexpr WorkerId kWorker{0};
constexpr std::uint32_t kCores = 2;

TEST(GateThreads, NoMoreTasksGetInThanThereArePermits) {
  constexpr std::uint32_t kRounds = 300, kNeutralEvery = 3;
  WorkerTable table(1, kCores);
  WorkerLine& line = table[kWorker];
  line.bound = 64;
  line.admits = 1;
  line.session = SessionId::make(3, 7).value;
  // By round: acquires, without those whose permit is given back. A round's permits are all taken before the next.
  std::vector<std::atomic<std::uint32_t>> taken(256);
  std::atomic<bool> over{false};
  std::latch ready(kCores + 1);
  const auto core = [&] {
    ready.arrive_and_wait();
    for (std::uint32_t turn = 0; !over.load(); ++turn) {
      std::uint16_t round = kNoRound;
      if (!table.try_acquire(kWorker, round)) {
        std::this_thread::yield();
        continue;
      }
      const bool neutral = turn % kNeutralEvery == 0;
      if (!neutral) taken[round].fetch_add(1);
      table.release(kWorker, neutral ? round : kNoRound);
    }
  };
  std::vector<std::thread> cores;
  for (std::uint32_t i = 0; i < kCores; ++i) cores.emplace_back(core);
  ready.arrive_and_wait();
  for (std::uint32_t i = 1; i <= kRounds; ++i) {
    const auto round = static_cast<GateRound>(i);
    const auto permits = static_cast<std::uint8_t>(1 + i % 5);
    line.admits = 1U + round;
    while (line.outstanding() != 0) std::this_thread::yield();
    taken[round] = 0;
    table.set_gate(kWorker, {.round = round, .metered = true, .permits = permits});
    while (taken[round].load() < permits || line.outstanding() != 0) std::this_thread::yield();
    ASSERT_EQ(taken[round].load(), permits) << "round " << i;
  }
  over = true;
  for (auto& thread : cores) thread.join();
  EXPECT_EQ(line.outstanding(), 0U);
}

TEST(GateThreads, NoMoreProbesOfAnActionRunThanThereArePermits) {
  constexpr std::uint32_t kRounds = 300, kNeutralEvery = 3;
  constexpr SkillId kSkill{2};
  SkillBoard board(3, kCores);
  std::vector<std::atomic<std::uint32_t>> taken(256);
  std::atomic<std::uint32_t> now{0};
  std::atomic<bool> over{false};
  std::latch ready(kCores + 1);
  const auto core = [&] {
    ready.arrive_and_wait();
    for (std::uint32_t turn = 0; !over.load(); ++turn) {
      const std::uint32_t round = now.load();
      if (!board.try_enter(kSkill, static_cast<GateRound>(round))) {
        std::this_thread::yield();
        continue;
      }
      const bool neutral = turn % kNeutralEvery == 0;
      if (!neutral) taken[round % 256].fetch_add(1);
      board.leave(kSkill, static_cast<GateRound>(round), neutral);
    }
  };
  std::vector<std::thread> cores;
  for (std::uint32_t i = 0; i < kCores; ++i) cores.emplace_back(core);
  ready.arrive_and_wait();
  for (std::uint32_t i = 1; i <= kRounds; ++i) {
    const auto permits = static_cast<std::uint8_t>(1 + i % 5);
    taken[i % 256] = 0;
    board.set_gate(kSkill, static_cast<GateRound>(i), permits);
    now = i;
    while (board.probes_run(kSkill)) std::this_thread::yield();
    ASSERT_EQ(taken[i % 256].load(), permits) << "round " << i;
  }
  over = true;
  for (auto& thread : cores) thread.join();
}

TEST(OutcomeThreads, ControlHearsOfEachFailure) {
  constexpr std::uint32_t kFailures = 50'000, kWorkers = 130;
  Outcomes outcomes(kWorkers);
  std::atomic<bool> over{false};
  std::thread core([&] {
    for (std::uint32_t i = 0; i < kFailures; ++i) outcomes.add_failure(WorkerId{i % kWorkers});
    over = true;
  });
  std::vector<std::uint16_t> heard(kWorkers);
  std::uint32_t sum = 0;
  const auto listen = [&](WorkerId worker) {
    const std::uint16_t count = outcomes.read(worker).count();
    sum += static_cast<std::uint16_t>(count - heard[raw(worker)]);
    heard[raw(worker)] = count;
  };
  while (!over.load()) outcomes.take_told(listen);
  core.join();
  outcomes.take_told(listen);
  EXPECT_EQ(sum, kFailures);
}

}  // namespace
}  // namespace mcplane::state
