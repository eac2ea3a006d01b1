// What the end of a task tells its worker's breaker, and what it does not; and the gate as tasks meet it.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Outcomes : public PairTest {
 protected:
  state::OutcomeWord word() { return rig().shared.shards[0]->outcomes.read(worker->worker); }
  std::uint32_t told() {
    std::uint32_t workers = 0;
    rig().shared.shards[0]->outcomes.take_told([&workers](WorkerId) { ++workers; });
    return workers;
  }
  void expect_counted(std::uint16_t count, bool failed) {
    EXPECT_EQ(word().count(), count);
    EXPECT_EQ(word().failed(0), failed);
    EXPECT_EQ(told(), failed ? 1U : 0U);
  }
  std::vector<Sent> answer(const Sent& routed, Reason reason, std::uint32_t worker_us = 100) {
    FrameSpec result = rig().result_spec(*worker, routed.header());
    result.edit = [=, inner = result.edit](wire::Header& header) {
      if (inner) inner(header);
      header.mutate_reason(reason);
      header.mutate_worker_us(worker_us);
    };
    return exchange(result);
  }
  state::WorkerLine& line() { return rig().shared.workers[worker->worker]; }
  // As control does: a new round, and permits for it.
  void half_open(std::uint8_t permits) {
    line().admits = 2;
    state::Command command{};
    command.kind = state::CommandKind::kSetGate;
    command.record.worker = worker->worker;
    command.gate = {.round = 1, .metered = true, .permits = permits};
    rig().command(ShardId{}, command);
    step();
  }
};

TEST_F(Outcomes, AnswersAndErrorsCount) {
  start(4);
  only(answer(route(0), Reason::Ok), FrameType::Deliver);
  expect_counted(1, false);
  only(answer(route(1), Reason::WorkerError), FrameType::Deliver);
  expect_counted(2, true);
}

TEST_F(Outcomes, AnAnswerThatTookTooLongCountsAsFailed) {
  start(4);
  answer(route(0), Reason::Ok, 5'000);
  expect_counted(1, false);
  rig().shared.slow_us = 5'000;
  answer(route(1), Reason::Ok, 4'999);
  expect_counted(2, false);
  answer(route(2), Reason::Ok, 5'000);
  expect_counted(3, true);
}

TEST_F(Outcomes, ATaskThatItsWorkerDidNotAnswerInTimeCountsOnceAsFailed) {
  start(1);
  const Sent routed = route(0, 1, 20);
  after_ms(25);
  expect_counted(1, true);
  answer(routed, Reason::WorkerError);
  EXPECT_EQ(word().count(), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(Outcomes, WhatIsNotTheWorkersFaultDoesNotCount) {
  start(1);
  // Too large to deliver.
  answer(route(0), Reason::TooLarge);
  // Given up by its client, answered afterwards.
  const Sent cancelled = route(1);
  exchange(rig().cancel_spec(*client, 1, 1));
  answer(cancelled, Reason::WorkerError);
  // Expired in line, and rejected for want of a worker.
  const Sent busy = route(2);
  EXPECT_TRUE(submit(3, 1, 5).empty());
  after_ms(10);
  exchange(rig().stop_spec(*worker, busy.header(), Reason::Stopped));
  EXPECT_EQ(word().count(), 0U);
  EXPECT_EQ(told(), 0U);
}

TEST_F(Outcomes, AResultThatComesTwiceCountsOnce) {
  start(2);
  const Sent routed = route(0);
  answer(routed, Reason::WorkerError);
  answer(routed, Reason::WorkerError);
  EXPECT_EQ(word().count(), 1U);
}

TEST_F(Outcomes, WhatWasUnderWayWhenTheBreakerOpenedDoesNotCount) {
  start(4);
  const Sent before = route(0), other = route(1, 1, 20);
  half_open(2);
  answer(before, Reason::WorkerError);
  after_ms(25);
  EXPECT_EQ(word().count(), 0U);
  EXPECT_EQ(told(), 0U);
  answer(route(2), Reason::Ok);
  EXPECT_EQ(word().count(), 1U);
  EXPECT_EQ(told(), 1U) << "a probe's success is told at once";
}

TEST_F(Outcomes, HalfOpenLetsAsManyThroughAsThereArePermits) {
  start(8);
  half_open(2);
  const Sent first = route(0);
  route(1);
  EXPECT_TRUE(submit(2).empty()) << "waits";
  answer(first, Reason::Ok);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(line().limit(line().owner()), 1U) << "no permit is left";
  EXPECT_EQ(rig().check_indexes(true), "");
}

TEST_F(Outcomes, AProbeThatItsClientGaveUpLetsAnotherThrough) {
  start(8);
  half_open(1);
  const Sent probe = route(0);
  EXPECT_TRUE(submit(1).empty());
  exchange(rig().cancel_spec(*client, 0, 1));
  rig().send(rig().stop_spec(*worker, probe.header(), Reason::Stopped));
  EXPECT_EQ(count(run_out(), FrameType::Route), 1U);
}

TEST_F(Outcomes, WhileEveryBreakerIsOpenTasksAreRejectedAtOnce) {
  start(1);
  route(0);
  EXPECT_TRUE(submit(1).empty());
  line().admits = 2;
  rig().withdraw(*worker);  // as control counts it: nobody admits
  const auto sent = run_out();
  ASSERT_EQ(count(sent, FrameType::Reject), 1U);
  expect_reject(only(submit(2), FrameType::Reject), Reason::NoWorker, Executed::No);
}

}  // namespace
}  // namespace mcplane::dataplane
