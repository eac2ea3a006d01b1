// Frames turned round on an in-memory port: tasks in one frame and in parts, what is counted, and that no buffer is
// lost.
#include "loadgen/reflector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "port_world.h"
#include "support/allocations.h"

namespace mcplane::loadgen {
namespace {

Options reflecting(std::uint32_t clients, std::uint16_t window, std::uint64_t prompt_bytes) {
  Options options;
  options.broker = FakeWorld::broker_endpoint();
  options.reflect = true;
  options.clients = clients;
  options.workers = 3;
  options.window = window;
  options.warmup_ns = 2 * kNsPerMs;
  options.duration_ns = 10 * kNsPerMs;
  options.ttl_ns = 500 * kNsPerMs;
  options.prompt_bytes = prompt_bytes;
  return options;
}

class ReflectWorld : public PortWire {
 public:
  explicit ReflectWorld(const Options& given, const Faults& faults = {}, const net::MemoryNic::Options& nic_of = {})
      : PortWire(given, faults, nic_of), reflector(nic, link, given, 1, progress, Clock{&now_ns}) {}

  void step() {
    const std::size_t before = heap_allocations();
    reflector.poll();
    allocations_in_polls += heap_allocations() - before;
    exchange();
  }
  void begin() {
    const std::uint64_t give_up_ns = now_ns + 10 * kNsPerSecond;
    while (reflector.fleet().registered() < options.endpoints() && now_ns < give_up_ns) step();
    reflector.fleet().begin(now_ns);
  }
  Tally run() {
    begin();
    while (!reflector.fleet().done()) step();
    Tally tally = reflector.fleet().close(now_ns);
    for (int i = 0; i < 10; ++i) step();
    return tally;
  }

  Reflector<net::MemoryNic, Clock> reflector;
  std::size_t allocations_in_polls = 0;
};

void expect_reflected(const Tally& tally) {
  EXPECT_GT(tally.delivered(), 100U);
  EXPECT_EQ(tally.delivered(), tally.sent);
  EXPECT_EQ(tally.lost() + tally.mismatched + tally.refused(), 0U);
  EXPECT_EQ(tally.repeated_frames + tally.dropped_frames, 0U);
  EXPECT_GT(tally.measured, 0U);
  EXPECT_GT(tally.latency.count(), 0U);
}

TEST(Reflector, TasksOfOneFrame) {
  ReflectWorld world(reflecting(8, 4, 256));
  expect_reflected(world.run());
  EXPECT_EQ(world.reflector.fleet().parts(), 1U);
  EXPECT_EQ(world.reflector.counts().rx_dropped + world.reflector.counts().tx_dropped, 0U);
}

TEST(Reflector, TasksInParts) {
  ReflectWorld world(reflecting(4, 2, 300'000));
  expect_reflected(world.run());
  EXPECT_GT(world.reflector.fleet().parts(), 200U);
}

// The last part has one byte, or is as long as the others.
TEST(Reflector, PartsOfAnyLastLength) {
  const std::size_t room = 1'500 - 28 - wire::kLeadBytes;
  const std::size_t around = send_bytes(reflecting(1, 1, 4'000)) - wire::kLeadBytes - 4'000;
  for (const std::size_t message : {room, room + 4, 2 * room, 2 * room + 4, 70 * room}) {
    ReflectWorld world(reflecting(4, 2, message - around));
    expect_reflected(world.run());
    EXPECT_EQ(world.reflector.fleet().parts(), (message + room - 1) / room);
  }
}

TEST(Reflector, EveryBufferComesBack) {
  for (const std::uint64_t prompt_bytes : {256ULL, 100'000ULL}) {
    ReflectWorld world(reflecting(4, 4, prompt_bytes));
    world.run();
    EXPECT_EQ(world.nic.buffers_free() + world.reflector.kept_packets(), world.nic.buffers_total());
    EXPECT_EQ(world.nic.free_errors(), 0U);
  }
}

TEST(Reflector, AFullTransmitRingDelaysAndLosesNothing) {
  ReflectWorld world(reflecting(16, 4, 256), {}, {.tx_capacity = 5});
  expect_reflected(world.run());
}

// Sessions live on for a goodbye, and what was counted is taken away.
TEST(Reflector, NoProgressIsPublishedBehindALoadsEnd) {
  ReflectWorld world(reflecting(4, 4, 256));
  expect_reflected(world.run());
  for (const std::uint64_t until_ns = world.now_ns + 2 * kNsPerSecond; world.now_ns < until_ns;) world.step();
  EXPECT_EQ(world.progress.updates.load(), 0U);
}

TEST(Reflector, ATaskAllocatesNothing) {
  ReflectWorld world(reflecting(8, 4, 256));
  world.begin();
  for (int i = 0; i < 500; ++i) world.step();
  world.allocations_in_polls = 0;
  const std::uint32_t before = world.broker.sends_seen();
  for (int i = 0; i < 500; ++i) world.step();
  EXPECT_GT(world.broker.sends_seen(), before + 1'000);
  EXPECT_EQ(world.allocations_in_polls, 0U);
}

Options at_rate(double per_second, std::uint32_t clients, std::uint64_t prompt_bytes = 256) {
  Options options = reflecting(clients, 1, prompt_bytes);
  options.rate_per_second = per_second;
  options.warmup_ns = 0;
  return options;
}

// Whole tasks, and those in parts.
TEST(Reflector, AnOpenLoopSendsByTheSchedule) {
  for (const auto& [prompt_bytes, per_second] : {std::pair{256ULL, 200'000.0}, std::pair{30'000ULL, 20'000.0}})
    for (const Arrivals arrivals : {Arrivals::kConstant, Arrivals::kPoisson}) {
      Options options = at_rate(per_second, 8, prompt_bytes);
      options.arrivals = arrivals;
      options.check_every = 1;
      ReflectWorld world(options);
      const Tally tally = world.run();
      expect_reflected(tally);
      EXPECT_EQ(tally.sent, tally.offered);
      EXPECT_EQ(tally.skipped, 0U);
      EXPECT_NEAR(static_cast<double>(tally.sent), per_second * 0.01, 5 * std::sqrt(per_second * 0.01));
    }
}

// They are counted, and the schedule goes on.
TEST(Reflector, AnOpenLoopSkipsWhatFindsNoSlot) {
  Options options = at_rate(100'000'000, 1);
  options.duration_ns = kNsPerMs;
  ReflectWorld world(options);
  const Tally tally = world.run();
  EXPECT_GT(tally.skipped, 100U);
  EXPECT_EQ(tally.offered, tally.sent + tally.skipped);
  EXPECT_EQ(tally.delivered(), tally.sent);
}

TEST(Reflector, WhatASlotWasSentIsAcknowledgedWhenItHasNothingToSend) {
  Options options = at_rate(200, 2);
  options.duration_ns = 100 * kNsPerMs;
  ReflectWorld world(options);
  const Tally tally = world.run();
  EXPECT_GE(tally.sent, 15U);
  EXPECT_EQ(tally.delivered(), tally.sent);
  EXPECT_GE(world.broker.outcomes_known() + 2, tally.sent) << "all but those of the end";
  EXPECT_LE(world.broker.outcomes_known(), tally.sent);
}

TEST(Reflector, WhatIsLostIsCounted) {
  Options options = reflecting(8, 4, 256);
  options.ttl_ns = 5 * kNsPerMs;
  ReflectWorld world(options, {.lose_every = 100});
  const Tally tally = world.run();
  EXPECT_EQ(tally.sent, tally.delivered() + tally.lost());
  EXPECT_GT(tally.lost(), 20U) << "a slot whose task is lost waits to the end, so that all but a few do";
  EXPECT_LE(tally.lost(), 32U);
}

// Whole tasks, and those in parts: their first, and the answer.
TEST(Reflector, WhatIsLostOrAskedForAgainIsWrittenAgain) {
  for (const std::uint64_t prompt_bytes : {256ULL, 30'000ULL}) {
    Options options = reflecting(8, 4, prompt_bytes);
    options.check_every = 1;
    ReflectWorld world(options, {.miss_every = 50, .ask_every = 3});
    expect_reflected(world.run());
  }
}

TEST(Reflector, TracesOfTheBrokerGoNoFurther) {
  ReflectWorld world(reflecting(8, 4, 256), {.sample_every = 3});
  expect_reflected(world.run());
}

TEST(Reflector, RefusedTasksAreCountedAndTheirSlotsGoOn) {
  ReflectWorld world(reflecting(8, 4, 256), {.reject_every = 10});
  const Tally tally = world.run();
  EXPECT_GT(tally.of(Ending::kQueueFull), 10U);
  EXPECT_EQ(tally.sent, tally.delivered() + tally.of(Ending::kQueueFull));
}

TEST(Reflector, AnAnswerThatComesTwiceEndsNothing) {
  ReflectWorld world(reflecting(8, 4, 256), {.duplicate_every = 10});
  const Tally tally = world.run();
  EXPECT_GT(tally.repeated_frames, 10U);
  EXPECT_EQ(tally.delivered(), tally.sent);
}

TEST(Reflector, AWrongByteShowsAndGoesNoFurther) {
  Options options = reflecting(8, 4, 256);
  options.check_every = 1;
  ReflectWorld world(options, {.corrupt_every = 10});
  const Tally tally = world.run();
  EXPECT_GT(tally.delivered(), 200U);
  EXPECT_NEAR(static_cast<double>(tally.mismatched), static_cast<double>(tally.delivered()) / 10, 4);
}

// Of one payload in Options::check_every the bytes are looked at.
TEST(Reflector, AnotherTasksAnswerIsNoMatch) {
  ReflectWorld world(reflecting(1, 1, 256));
  world.begin();
  for (int i = 0; i < 3; ++i) world.step();
  std::vector<std::byte> aligned(2 + wire::kLeadBytes + 64);
  const auto datagram = std::span(aligned).subspan(2);
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Deliver);
  header.mutate_session(SessionId::make(1, 1).value);
  header.mutate_boot_id(77);
  header.mutate_attempt(1);
  header.mutate_message_length(64);
  for (std::uint32_t sequence = 1; sequence < 20; ++sequence) {
    header.mutate_sequence(sequence);
    world.nic.inject(world.frame_to(kBasePort, datagram));
  }
  EXPECT_EQ(world.run().mismatched, 1U) << "of the sequence that is out, without its task's id";
}

}  // namespace
}  // namespace mcplane::loadgen
