// Clients and workers over one port: registration, tasks, faults of the port, and that no buffer is lost.
#include <gtest/gtest.h>

#include <initializer_list>

#include "port_world.h"

namespace mcplane::loadgen {
namespace {

Options closed_loop(std::uint32_t clients, std::uint32_t workers) {
  Options options;
  options.broker = FakeWorld::broker_endpoint();
  options.clients = clients;
  options.workers = workers;
  options.window = 4;
  options.warmup_ns = 2 * kNsPerMs;
  options.duration_ns = 20 * kNsPerMs;
  options.ttl_ns = 500 * kNsPerMs;
  options.prompt_bytes = 64;
  return options;
}

void expect_all_right(const Tally& tally) {
  EXPECT_GT(tally.delivered(), 0U);
  EXPECT_EQ(tally.delivered(), tally.sent);
  EXPECT_EQ(tally.lost() + tally.mismatched + tally.duplicates + tally.refused(), 0U);
  EXPECT_EQ(tally.repeated_frames + tally.dropped_frames, 0U);
}

TEST(PortShell, ClientsAndWorkersShareAPort) {
  PortWorld world(closed_loop(8, 3));
  const Tally tally = world.run();
  expect_all_right(tally);
  // Two polls a task in a closed loop of 32.
  EXPECT_NEAR(static_cast<double>(tally.sent), 32 * 1'100, 200);
  EXPECT_EQ(world.broker.routes_made(), tally.sent);
  EXPECT_EQ(world.shell.counts().rx_dropped + world.shell.counts().tx_dropped, 0U);
}

TEST(PortShell, ThousandsOfEndpointsEachOnItsOwnPort) {
  Options options = closed_loop(1'500, 500);
  options.window = 1;
  PortWorld world(options);
  world.run_until_registered();
  EXPECT_EQ(world.clients.registered(), 1'500U);
  EXPECT_EQ(world.workers.registered(), 500U);
  expect_all_right(world.run());
}

TEST(PortShell, ASurgeIsLoadOfItsOwn) {
  Options options = closed_loop(4, 2);
  options.rate_per_second = 10'000;
  options.warmup_ns = 20 * kNsPerMs;
  options.duration_ns = 80 * kNsPerMs;
  options.surge = {.clients = 3, .rate_per_second = 50'000, .after_ns = 40 * kNsPerMs, .length_ns = 20 * kNsPerMs};
  PortWorld world(options);
  const Tally tally = world.run();
  const Tally surge = world.surge->take_tally();
  expect_all_right(tally);
  expect_all_right(surge);
  EXPECT_EQ(tally.sent, 1'000U);
  EXPECT_EQ(surge.sent, 1'000U);
  EXPECT_EQ(surge.measured_ns, 20 * kNsPerMs);
  EXPECT_EQ(surge.latency.count(), 1'000U);
  EXPECT_EQ(world.broker.sends_seen(), 2'000U);
}

TEST(PortShell, OpenLoopSendsTheWholeSchedule) {
  Options options = closed_loop(4, 2);
  options.rate_per_second = 50'000;
  options.warmup_ns = 0;
  options.duration_ns = 100 * kNsPerMs;
  PortWorld world(options);
  const Tally tally = world.run();
  expect_all_right(tally);
  EXPECT_EQ(tally.sent, 5'000U);
  EXPECT_EQ(tally.late + tally.skipped, 0U);
}

TEST(PortShell, EveryBufferComesBack) {
  PortWorld world(closed_loop(8, 3));
  world.run();
  world.workers.close(world.now_ns);
  for (int i = 0; i < 10; ++i) world.step();
  EXPECT_EQ(world.nic.buffers_free() + world.shell.empty_packets(), world.nic.buffers_total());
  EXPECT_EQ(world.nic.free_errors(), 0U);
}

TEST(PortShell, ATaskAllocatesNothing) {
  Options options = closed_loop(8, 3);
  options.service_time = {.form = ServiceTime::Form::kExponential, .mean_ns = 50 * kNsPerUs};
  PortWorld world(options);
  world.run_until_registered();
  world.clients.begin(world.now_ns);
  for (int i = 0; i < 500; ++i) world.step();
  world.allocations_in_polls = 0;
  const std::uint32_t before = world.broker.sends_seen();
  for (int i = 0; i < 500; ++i) world.step();
  EXPECT_GT(world.broker.sends_seen(), before + 1'000);
  EXPECT_EQ(world.allocations_in_polls, 0U);
}

TEST(PortShell, AFullTransmitRingDelaysAndLosesNothing) {
  PortWorld world(closed_loop(16, 3), {}, {.tx_capacity = 5});
  expect_all_right(world.run());
  EXPECT_EQ(world.shell.counts().tx_dropped, 0U);
}

TEST(PortShell, WhatFindsNoBufferIsCounted) {
  // Registration needs few; the windows need more than there are.
  Options options = closed_loop(64, 0);
  options.window = 8;
  PortWorld world(options, {}, {.buffers = 96, .tx_capacity = 1});
  world.run_until_registered();
  world.clients.begin(world.now_ns);
  for (int i = 0; i < 2'000; ++i) world.step();
  EXPECT_GT(world.shell.counts().tx_dropped, 0U);
  EXPECT_EQ(world.nic.free_errors(), 0U);
}

TEST(PortShell, NothingIsSentBeforeTheBrokersMacIsKnown) {
  PortWorld world(closed_loop(2, 1));
  world.answer_questions(false);
  for (int i = 0; i < 1'000; ++i) world.step();
  EXPECT_FALSE(world.link.resolved());
  EXPECT_EQ(world.shell.counts().tx_dropped, 0U);
  EXPECT_EQ(world.clients.registered(), 0U);
  world.answer_questions(true);
  world.run_until_registered();
  EXPECT_EQ(world.clients.registered(), 2U);
}

TEST(PortShell, FramesForNobodyAreDroppedAndCounted) {
  PortWorld world(closed_loop(2, 1));
  world.run_until_registered();
  const std::vector<std::byte> datagram(120);
  world.nic.inject(world.frame_to(kBasePort - 1, datagram));
  world.nic.inject(world.frame_to(kBasePort + 3, datagram));
  auto broken = world.frame_to(kBasePort, datagram);
  broken.back() ^= std::byte{1};
  world.nic.inject(broken);
  world.nic.inject(std::vector<std::byte>(7));
  world.step();
  EXPECT_EQ(world.shell.counts().rx_dropped, 4U);
  expect_all_right(world.run());
}

TEST(PortShell, UnsoundDatagramsReachTheirEngineAndNoFurther) {
  PortWorld world(closed_loop(2, 1));
  world.run_until_registered();
  for (std::uint16_t port = kBasePort; port < kBasePort + 3; ++port)
    for (const std::size_t bytes : std::initializer_list<std::size_t>{0, 1, 97, 98, 120})
      world.nic.inject(world.frame_to(port, std::vector<std::byte>(bytes, std::byte{0xff})));
  world.step();
  EXPECT_EQ(world.shell.counts().rx_dropped, 0U);
  const Tally tally = world.run();
  EXPECT_EQ(tally.dropped_frames, 10U) << "those of the two clients";
  EXPECT_EQ(tally.delivered(), tally.sent);
}

TEST(PortShell, AnIdlePollIsNoBusyOne) {
  PortWorld world(closed_loop(1, 1));
  world.run_until_registered();
  for (int i = 0; i < 3; ++i) world.step();
  const PortCounts before = world.shell.counts();
  for (int i = 0; i < 10; ++i) world.step();
  EXPECT_EQ(world.shell.counts().polls, before.polls + 10);
  EXPECT_EQ(world.shell.counts().busy_polls, before.busy_polls);
  world.nic.inject(std::vector<std::byte>(7));
  world.step();
  EXPECT_EQ(world.shell.counts().busy_polls, before.busy_polls + 1);
}

TEST(PortShell, RejectsAreTimedFromTheirSend) {
  Options options = closed_loop(2, 0);
  options.warmup_ns = 0;
  PortWorld world(options, {.reject_every = 2});
  const Tally tally = world.run();
  EXPECT_GT(tally.of(Ending::kQueueFull), 0U);
  EXPECT_EQ(tally.rejected.count(), tally.of(Ending::kQueueFull));
  EXPECT_EQ(tally.rejected.max(), PortWorld::kStepNs);
}

TEST(PortShell, TheTimeOfBusyPollsIsKnown) {
  PortWorld world(closed_loop(1, 1));
  world.run_until_registered();
  for (int i = 0; i < 3; ++i) world.step();
  const std::uint64_t before = world.shell.counts().busy_ns;
  world.nic.inject(std::vector<std::byte>(7));
  for (int i = 0; i < 10; ++i) world.step();
  EXPECT_EQ(world.shell.counts().busy_ns, before + PortWorld::kStepNs);
}

// Prompts of every size, checked, over a port.
TEST(PortShell, PromptsOfManySizes) {
  Options options = closed_loop(8, 3);
  options.prompt_bytes = 1'000;
  options.prompt_sizes = {.form = PromptSizes::Form::kUniform, .bytes_min = 16};
  options.service_time = {.form = ServiceTime::Form::kLognormal, .mean_ns = 50 * kNsPerUs, .sigma = 1};
  PortWorld world(options);
  expect_all_right(world.run());
}

// More endpoints than one address has ports: the second address serves the rest.
TEST(PortShell, SixtyFourThousandWorkersTakeASecondAddress) {
  Options options = closed_loop(64, 64'000);
  options.window = 16;
  options.worker_slots = 4;
  PortWorld world(options, {}, {.buffers = 1U << 17});
  const std::uint64_t start_ns = world.now_ns;
  world.run_until_registered();
  EXPECT_EQ(world.clients.registered(), 64U);
  EXPECT_EQ(world.workers.registered(), 64'000U);
  EXPECT_LT(world.now_ns - start_ns, 4 * kNsPerSecond);
  EXPECT_EQ(world.link.local().count, 2U);
  const Tally tally = world.run();
  expect_all_right(tally);
  EXPECT_GT(tally.delivered(), 10'000U);
  EXPECT_EQ(world.shell.counts().rx_dropped + world.shell.counts().tx_dropped, 0U);
}

}  // namespace
}  // namespace mcplane::loadgen
