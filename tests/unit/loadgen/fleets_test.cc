// The workload against a fake broker in virtual time: what is counted, when it is sent, and whose latency it is.
#include <gtest/gtest.h>

#include <numeric>

#include "fake_world.h"

namespace mcplane::loadgen {
namespace {

Options closed_loop() {
  Options options;
  options.broker = FakeWorld::broker_endpoint();
  options.clients = 3;
  options.window = 4;
  options.warmup_ns = 5 * kNsPerMs;
  options.duration_ns = 50 * kNsPerMs;
  options.ttl_ns = 200 * kNsPerMs;
  options.prompt_bytes = 64;
  return options;
}

Options open_loop(double rate_per_second) {
  Options options = closed_loop();
  options.rate_per_second = rate_per_second;
  options.warmup_ns = 0;
  options.duration_ns = kNsPerSecond;
  options.ttl_ns = 5 * kNsPerSecond;
  return options;
}

std::uint64_t ended(const Tally& tally) {
  return std::accumulate(tally.endings.begin(), tally.endings.end(), std::uint64_t{0});
}

TEST(Fleets, ClosedLoopKeepsTheWindowBusyAndEveryAnswerIsRight) {
  FakeWorld world(closed_loop(), {});
  const Tally tally = world.run();
  // 12 in flight, 10 us a round trip, 55 ms.
  EXPECT_NEAR(static_cast<double>(tally.sent), 66'000, 200);
  EXPECT_EQ(tally.delivered(), tally.sent);
  EXPECT_EQ(tally.lost() + tally.mismatched + tally.duplicates + tally.refused(), 0U);
  EXPECT_EQ(tally.latency.max(), 2 * FakeWorld::kDelayNs);
  EXPECT_EQ(tally.queued.max(), 3'000U);
  EXPECT_EQ(tally.broker.max(), 2'000U);
  EXPECT_NEAR(tally.measured_rate(), 1.2e6, 1e4);
}

TEST(Fleets, OpenLoopSendsTheWholeScheduleOnTime) {
  FakeWorld world(open_loop(10'000), {});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent, 10'000U);
  EXPECT_EQ(tally.delivered(), 10'000U);
  EXPECT_EQ(tally.late + tally.skipped, 0U);
  EXPECT_EQ(tally.latency.count(), 10'000U);
}

TEST(Fleets, ARunMayEndByTasks) {
  for (Options options : {closed_loop(), open_loop(10'000)}) {
    options.tasks = 333;
    options.warmup_ns = 0;
    FakeWorld world(options, {});
    const Tally tally = world.run();
    EXPECT_EQ(tally.sent, 333U);
    EXPECT_EQ(tally.delivered(), 333U);
    EXPECT_EQ(tally.latency.count(), 333U);
    EXPECT_LT(tally.measured_ns, options.duration_ns);
    EXPECT_GT(tally.measured_ns, 0U);
  }
}

TEST(Fleets, WarmUpIsCountedButNotMeasured) {
  Options options = open_loop(10'000);
  options.warmup_ns = kNsPerSecond;
  FakeWorld world(options, {});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent, 20'000U);
  EXPECT_EQ(tally.latency.count(), 10'000U);
  EXPECT_NEAR(static_cast<double>(tally.measured), 10'000, 2);
}

// Coordinated omission: a generator that waits for answers would send nothing into the silence and report a p99 of 10
// us.
TEST(Fleets, ASilentBrokerShowsInThePercentiles) {
  FakeWorld world(open_loop(1'000), {.silent_from_ns = 500 * kNsPerMs, .silent_until_ns = 1'000 * kNsPerMs});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent, 1'000U);
  EXPECT_EQ(tally.delivered(), 1'000U);
  EXPECT_EQ(tally.skipped, 0U);
  EXPECT_LT(tally.latency.percentile(49), 20'000U);
  EXPECT_NEAR(static_cast<double>(tally.latency.percentile(75)), 250e6, 5e6);
  EXPECT_NEAR(static_cast<double>(tally.latency.percentile(99)), 490e6, 5e6);
}

TEST(Fleets, AStalledGeneratorIsLateAndItsLatencyCountsFromWhenSendsWereDue) {
  Options options = open_loop(1'000);
  options.duration_ns = 100 * kNsPerMs;
  Progress progress;
  std::uint64_t transmitted = 0;
  ClientFleet* sender = nullptr;
  FakeBroker broker{{}};
  std::uint64_t now_ns = FakeWorld::kStartNs;
  // Answers come back at the moment they are asked for: all latency is the generator's own.
  std::vector<std::pair<std::size_t, FakeBroker::Datagram>> replies;
  ClientFleet fleet(
      options, 1,
      [&](std::size_t client, client::Outbox& burst) {
        transmitted += burst.entries().size();
        for (const auto& entry : burst.entries()) {
          std::vector<std::byte> bytes(2);
          bytes.insert(bytes.end(), entry.datagram.begin(), entry.datagram.end());
          for (auto& reply : broker.handle(std::span(bytes).subspan(2), entry.to))
            replies.emplace_back(client, std::move(reply));
        }
        burst.clear();
      },
      progress);
  sender = &fleet;
  const auto answer_all = [&] {
    for (auto batch = std::exchange(replies, {}); !batch.empty(); batch = std::exchange(replies, {}))
      for (const auto& [client, reply] : batch) {
        sender->on_datagram(client, reply.view(), FakeWorld::broker_endpoint(), now_ns);
        sender->on_burst_end(client, now_ns);
      }
  };
  for (; fleet.registered() < options.clients; now_ns += kNsPerMs) {
    fleet.on_time(now_ns);
    answer_all();
  }
  fleet.begin(now_ns);
  now_ns += 50 * kNsPerMs;  // the thread did not run
  for (; !fleet.done(); now_ns += kNsPerMs) {
    fleet.on_time(now_ns);
    answer_all();
  }
  const Tally& tally = fleet.close(now_ns);
  EXPECT_EQ(tally.sent, 100U);
  EXPECT_EQ(tally.late, 49U);
  EXPECT_EQ(tally.latency.max(), 50 * kNsPerMs);
  EXPECT_GT(transmitted, tally.sent);
}

TEST(Fleets, AFullBrokerIsSkippedNotWaitedFor) {
  Options options = open_loop(10'000);
  FakeWorld world(options, {.silent_from_ns = 0, .silent_until_ns = 900 * kNsPerMs, .slot_limit = 100});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent + tally.skipped, 10'000U);
  EXPECT_NEAR(static_cast<double>(tally.skipped), 9'000 - 300, 2);
  EXPECT_EQ(tally.delivered(), tally.sent);
}

TEST(Fleets, LostTasksAreCountedOnceEach) {
  FakeWorld world(open_loop(1'000), {.lose_every = 100});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent, 1'000U);
  EXPECT_EQ(tally.lost(), 10U);
  EXPECT_EQ(tally.of(Ending::kNoAnswer), 10U);
  EXPECT_EQ(tally.delivered(), 990U);
  EXPECT_EQ(ended(tally), tally.sent);
}

Options streaming(std::uint64_t interval_ns) {
  Options options = open_loop(1'000);
  options.duration_ns = 100 * kNsPerMs;
  options.workers = 2;
  options.worker_slots = 100;
  options.stream = {.chunks = 200, .chunk_bytes = 48, .interval_ns = interval_ns};
  return options;
}

TEST(Fleets, ChunksComeInOrderAtTheirPace) {
  FakeWorld world(streaming(kNsPerMs), {});
  const Tally tally = world.run();
  ASSERT_TRUE(tally.chunks);
  EXPECT_EQ(tally.delivered(), 100U);
  EXPECT_EQ(tally.mismatched + tally.lost() + tally.refused(), 0U);
  EXPECT_EQ(tally.chunks->received, 100U * 200);
  EXPECT_TRUE(tally.chunks->sound());
  EXPECT_EQ(tally.chunks->chunk.max(), 2 * FakeWorld::kDelayNs);
  EXPECT_EQ(tally.chunks->first_chunk.max(), 4 * FakeWorld::kDelayNs);
  EXPECT_EQ(tally.latency.count(), 100U);
  EXPECT_NEAR(static_cast<double>(tally.latency.percentile(50)), 199e6, 2e6);
  // One a millisecond each: 100 streams that begin one behind the other.
  EXPECT_NEAR(tally.chunks->measured_rate(), 100 * 200 / 0.298, 500);
}

// Coordinated omission, as above: most of what was due in the silence was not even written.
TEST(Fleets, AStreamThatIsHeldUpCountsFromItsPace) {
  Options options = streaming(kNsPerMs);
  options.tasks = 1;
  FakeWorld world(options, {.silent_from_ns = 20 * kNsPerMs, .silent_until_ns = 150 * kNsPerMs});
  const Tally tally = world.run();
  EXPECT_EQ(tally.chunks->received, 200U);
  EXPECT_TRUE(tally.chunks->sound());
  EXPECT_NEAR(static_cast<double>(tally.chunks->chunk.percentile(50)), 30e6, 3e6);
  EXPECT_NEAR(static_cast<double>(tally.chunks->chunk.max()), 130e6, 2e6);
}

TEST(Fleets, StreamsWithoutAPaceGoAsFastAsTheirClientTakesThem) {
  FakeWorld world(streaming(0), {});
  const Tally tally = world.run();
  ASSERT_TRUE(tally.chunks);
  EXPECT_EQ(tally.delivered(), 100U);
  EXPECT_EQ(tally.mismatched, 0U);
  EXPECT_EQ(tally.chunks->received, 100U * 200);
  EXPECT_TRUE(tally.chunks->sound());
  EXPECT_LT(tally.latency.max(), 20 * kNsPerMs);
}

TEST(Fleets, AStreamWaitsForItsServiceTime) {
  Options options = streaming(kNsPerMs);
  options.stream.chunks = 3;
  options.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = 7 * kNsPerMs};
  FakeWorld world(options, {});
  const Tally tally = world.run();
  EXPECT_EQ(tally.chunks->received, 300U);
  EXPECT_EQ(tally.chunks->first_chunk.max(), 7 * kNsPerMs + 4 * FakeWorld::kDelayNs);
}

TEST(Fleets, AWrongByteOfAChunkIsAMismatchAndALostChunk) {
  FakeWorld world(streaming(kNsPerMs), {.corrupt_every = 10'000});
  const Tally tally = world.run();
  EXPECT_EQ(tally.delivered(), 100U);
  EXPECT_EQ(tally.mismatched, 2U);
  EXPECT_EQ(tally.chunks->lost, 2U);
  EXPECT_EQ(tally.chunks->received, 100U * 200 - 2);
}

TEST(Fleets, AWrongByteIsAMismatch) {
  FakeWorld world(open_loop(1'000), {.corrupt_every = 50});
  const Tally tally = world.run();
  EXPECT_EQ(tally.delivered(), 1'000U);
  EXPECT_EQ(tally.mismatched, 20U);
}

TEST(Fleets, AnswersThatStoodInAreCountedApartAndNotCompared) {
  FakeWorld world(open_loop(1'000), {.degrade_every = 50});
  const Tally tally = world.run();
  EXPECT_EQ(tally.degraded(), 20U);
  EXPECT_EQ(tally.delivered(), 980U);
  EXPECT_EQ(tally.latency.count(), tally.delivered());
  EXPECT_EQ(tally.refused() + tally.lost() + tally.mismatched, 0U);
  EXPECT_EQ(ended(tally), tally.sent);
}

TEST(Fleets, RepeatedFramesAreNoDuplicates) {
  FakeWorld world(open_loop(1'000), {.duplicate_every = 10});
  const Tally tally = world.run();
  EXPECT_EQ(tally.delivered(), 1'000U);
  EXPECT_EQ(tally.duplicates, 0U);
  EXPECT_EQ(tally.repeated_frames, 100U);
}

TEST(Fleets, RejectsAreCountedByReasonAndPauseAClosedLoop) {
  Options options = closed_loop();
  options.clients = 1;
  options.window = 1;
  options.warmup_ns = 0;
  options.duration_ns = 200 * kNsPerMs;
  FakeWorld world(options, {.reject_every = 1});
  const Tally tally = world.run();
  EXPECT_EQ(tally.of(Ending::kQueueFull), tally.sent);
  EXPECT_EQ(tally.refused(), tally.sent);
  // retry_after is 20 ms: ten sends, not twenty thousand.
  EXPECT_NEAR(static_cast<double>(tally.sent), 10, 1);
}

TEST(Fleets, NobodyThereMeansNobodyRegistered) {
  FakeWorld world(closed_loop(), {.never_answers = true});
  world.run_until_registered();
  EXPECT_EQ(world.clients().registered(), 0U);
}

TEST(Fleets, StopEndsEarlyAndStillAwaitsWhatIsInFlight) {
  FakeWorld world(closed_loop(), {});
  world.run_until_registered();
  world.clients().begin(world.now_ns());
  world.advance_to(world.now_ns() + 20 * kNsPerMs);
  world.clients().stop(world.now_ns());
  world.advance_to(world.now_ns() + 2 * kNsPerMs);
  ASSERT_TRUE(world.clients().done());
  const Tally& tally = world.clients().close(world.now_ns());
  EXPECT_EQ(tally.delivered(), tally.sent);
  EXPECT_EQ(tally.measured_ns, 15 * kNsPerMs);
}

TEST(Fleets, ProgressIsPublishedOnceASecond) {
  Options options = open_loop(1'000);
  options.duration_ns = 3 * kNsPerSecond + 10 * kNsPerMs;
  FakeWorld world(options, {});
  world.run();
  EXPECT_EQ(world.progress().updates.load(), 3U);
  EXPECT_NEAR(static_cast<double>(world.progress().rate.load()), 1'000, 5);
}

// Sessions live on, for the next load or until they are closed, and what was counted is taken away.
TEST(Fleets, NoProgressIsPublishedBehindALoadsEnd) {
  Options options = open_loop(1'000);
  options.duration_ns = kNsPerSecond + 10 * kNsPerMs;
  FakeWorld world(options, {});
  world.run_until_registered();
  world.clients().begin(world.now_ns());
  world.advance_to(world.now_ns() + kNsPerSecond + 100 * kNsPerMs);
  ASSERT_TRUE(world.clients().done());
  EXPECT_GT(world.clients().take_tally().delivered(), 1'000U);
  world.advance_to(world.now_ns() + 2 * kNsPerSecond);
  EXPECT_EQ(world.progress().updates.load(), 1U);
  EXPECT_NEAR(static_cast<double>(world.progress().rate.load()), 1'000, 10);
}

TEST(Fleets, InProcessWorkersEchoThroughTheBroker) {
  Options options = open_loop(2'000);
  options.workers = 4;
  FakeWorld world(options, {});
  const Tally tally = world.run();
  EXPECT_EQ(world.broker().routes_made(), 2'000U);
  EXPECT_EQ(tally.delivered(), 2'000U);
  EXPECT_EQ(tally.mismatched + tally.lost(), 0U);
  EXPECT_EQ(tally.latency.max(), 4 * FakeWorld::kDelayNs);
}

TEST(Fleets, AWorkersSlotsWorkSideBySideAndNoMore) {
  Options options = closed_loop();
  options.clients = 1;
  options.window = 8;
  options.workers = 1;
  options.worker_slots = 4;
  options.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = 10 * kNsPerMs};
  options.warmup_ns = 0;
  options.duration_ns = 100 * kNsPerMs;
  FakeWorld world(options, {});
  const Tally tally = world.run();
  // Eight tasks on four slots of 10 ms: 400 a second, each waiting one round for its slot.
  EXPECT_NEAR(static_cast<double>(tally.delivered()), 44, 4);
  EXPECT_NEAR(static_cast<double>(tally.latency.percentile(90)), 20e6, 0.3e6);
  EXPECT_EQ(tally.delivered(), tally.sent);
}

TEST(Fleets, AFaultyWorkerAnswersWithErrors) {
  Options options = open_loop(2'000);
  options.workers = 4;
  options.faulty_workers = {.form = FaultyWorkers::Form::kFail, .count = 1};
  options.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = kNsPerMs};
  FakeWorld world(options, {});
  const Tally tally = world.run();
  EXPECT_EQ(tally.of(Ending::kWorkerError), 500U);
  EXPECT_EQ(tally.delivered(), 1'500U);
  EXPECT_EQ(world.worker_tasks().all.load(), 2'000U);
  EXPECT_EQ(world.worker_tasks().faulty.load(), 500U);
  EXPECT_EQ(tally.rejected.count(), 0U) << "a worker's error is no reject";
}

TEST(Fleets, OrItTakesTimesAsLong) {
  Options options = open_loop(100);
  options.workers = 4;
  options.faulty_workers = {.form = FaultyWorkers::Form::kSlow, .count = 1, .times = 10};
  options.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = kNsPerMs};
  FakeWorld world(options, {});
  const Tally tally = world.run();
  EXPECT_EQ(tally.delivered(), 100U);
  EXPECT_EQ(tally.worker.max(), 10 * kNsPerMs);
  EXPECT_LE(tally.worker.percentile(75), kNsPerMs + kNsPerMs / 50);
  EXPECT_EQ(world.worker_tasks().faulty.load(), 25U);
}

TEST(Fleets, TheTimeLinesIntervalsAreAsLongAsAsked) {
  Options options = open_loop(1'000);
  options.interval_ns = 100 * kNsPerMs;
  FakeWorld world(options, {});
  const Tally tally = world.run();
  ASSERT_GE(tally.intervals.size(), 10U);
  std::uint64_t sent = 0;
  for (const Interval& interval : tally.intervals) sent += interval.sent;
  EXPECT_EQ(sent, tally.sent);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(static_cast<double>(tally.intervals[i].from_ns), static_cast<double>(i) * 100e6, 20e6);
    EXPECT_EQ(tally.intervals[i].p99_ns, 2 * FakeWorld::kDelayNs);
  }
}

TEST(Fleets, TheSameSeedSendsTheSameTasks) {
  Options options = open_loop(1'000);
  options.arrivals = Arrivals::kPoisson;
  const Tally first = FakeWorld(options, {}).run();
  const Tally second = FakeWorld(options, {}).run();
  options.seed = 2;
  const Tally other = FakeWorld(options, {}).run();
  EXPECT_EQ(first.sent, second.sent);
  EXPECT_NE(first.sent, other.sent);
  EXPECT_NEAR(static_cast<double>(first.sent), 1'000, 160);
}

}  // namespace
}  // namespace mcplane::loadgen
