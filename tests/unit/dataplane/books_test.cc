// Production's books by action, and how long its tasks took. That the actions' books add up to all of production's, the
// fixture checks.
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

using state::ActionCounters;
using state::Durations;

class Books : public PairTest {
 protected:
  void start_books(std::uint16_t worker_slots) {
    rig().actions = {"paint", "generate"};
    shadow = &rig().add({.service = wire::Service::kShadowWorker});
    start(worker_slots);
  }
  const ActionCounters& generate() { return rig().counters().actions[2]; }
  const ActionCounters& others() { return rig().counters().actions[state::kOtherActions]; }
  state::TaskTimings& timings() { return rig().shared.shards[0]->timings; }
  std::vector<Sent> answer(const Sent& routed, Reason reason) {
    return exchange(edited(rig().result_spec(*worker, routed.header()),
                           [=](wire::Header& header) { header.mutate_reason(reason); }));
  }
  // To the end, which the client knows of.
  void end(const Sent& routed, Reason reason) {
    const Sent deliver = first(answer(routed, reason), FrameType::Deliver);
    exchange(rig().outcome_ack_spec(*client, deliver.header()));
  }
  FrameSpec asking_for(std::string_view action, std::uint16_t slot) {
    FrameSpec spec = rig().send_spec(*client, slot, 1);
    spec.table = wire::write_route_table(action, "llama", {}, "");
    return spec;
  }
  // The only value of that many.
  static void expect_only(const Durations& durations, std::uint64_t ns, std::uint64_t count = 1) {
    EXPECT_EQ(durations.counts[Durations::Buckets::bucket_of(ns)].read(), count);
    EXPECT_EQ(total(durations), count);
    EXPECT_EQ(durations.sum_ns.read(), ns * count);
  }
  static std::uint64_t total(const Durations& durations) {
    std::uint64_t sum = 0;
    for (const state::Counter& counter : durations.counts) sum += counter.read();
    return sum;
  }

  Peer* shadow = nullptr;
};

TEST_F(Books, AnAnswerAndAnErrorAreToldApart) {
  start_books(4);
  end(route(0), Reason::Ok);
  end(route(1), Reason::WorkerError);
  EXPECT_EQ(generate().accepted.read(), 2U);
  EXPECT_EQ(generate().delivered.read(), 1U);
  EXPECT_EQ(generate().failed.read(), 1U);
  EXPECT_EQ(rig().counters().delivered.read(), 2U);
  EXPECT_EQ(others().accepted.read(), 0U);
}

TEST_F(Books, OfTasksThatAreNotTakenToo) {
  start_books(4);
  expect_reject(only(exchange(asking_for("weld", 0)), FrameType::Reject), Reason::NoWorker, Executed::No);
  EXPECT_EQ(others().refused.read(), 1U);
  state::Command drain{};
  drain.kind = state::CommandKind::kDrain;
  rig().command(ShardId{}, drain);
  step();
  expect_reject(only(submit(1), FrameType::Reject), Reason::Draining, Executed::No);
  EXPECT_EQ(generate().refused.read(), 1U);
  exchange(rig().send_spec(*client, 1, 1));
  EXPECT_EQ(generate().refused.read(), 1U) << "it was refused once, and told twice";
}

TEST_F(Books, OfAnAnswerThatStoodIn) {
  rig().degradation = state::Degradation{.chain = {wire::Substitute::Reply}, .action = "", .model = "", .reply = {}};
  start_books(4);
  rig().withdraw(*worker);
  rig().publish();
  step();
  only(submit(0), FrameType::Deliver);
  EXPECT_EQ(generate().answered.read(), 1U);
  EXPECT_EQ(generate().accepted.read() + generate().refused.read(), 0U);
}

TEST_F(Books, ATaskStaysInTheBooksItBeganIn) {
  start_books(4);
  const Sent routed = route(0);
  rig().actions = {"generate"};
  rig().publish();
  end(routed, Reason::Ok);
  EXPECT_EQ(generate().delivered.read(), 1U);
  end(route(1), Reason::Ok);
  EXPECT_EQ(rig().counters().actions[1].delivered.read(), 1U);
}

TEST_F(Books, ATaskThatFindsAWorkerAtOnceDoesNotWait) {
  start_books(4);
  const Sent routed = route(0);
  expect_only(timings().queue, 0);
  EXPECT_EQ(total(timings().task), 0U);
  rig().advance_ms(7);
  answer(routed, Reason::Ok);
  expect_only(timings().task, 7 * kNsPerMs);
  expect_only(timings().broker, 2 * rig().loop_ns);
  expect_only(timings().queue, 0);
}

TEST_F(Books, WaitingIsTimedToTheRoute) {
  start_books(1);
  const Sent running = route(0);
  submit(1);
  rig().advance_ms(3);
  const Sent next = first(answer(running, Reason::Ok), FrameType::Route);
  EXPECT_EQ(timings().queue.counts[Durations::Buckets::bucket_of(3 * kNsPerMs)].read(), 1U);
  EXPECT_EQ(timings().queue.sum_ns.read(), 3 * kNsPerMs);
  EXPECT_EQ(total(timings().queue), 2U);
  rig().advance_ms(2);
  answer(next, Reason::Ok);
  EXPECT_EQ(timings().task.sum_ns.read(), (3 + 5) * kNsPerMs);
}

TEST_F(Books, AnAnswerThatIsRepeatedIsTimedOnce) {
  start_books(1);
  const Sent routed = route(0);
  answer(routed, Reason::Ok);
  EXPECT_GT(times_of(FrameType::Resend, 200).size(), 0U);
  EXPECT_EQ(count(answer(routed, Reason::Ok), FrameType::Deliver), 1U);
  expect_only(timings().task, 0);
  expect_only(timings().broker, 2 * rig().loop_ns);
}

TEST_F(Books, AnEndWithoutAnAnswerTakesItsTime) {
  start_books(1);
  const Sent running = route(0, 1, 10'000);
  submit(1, 1, 200);
  after_ms(200);
  EXPECT_EQ(generate().expired_unrouted.read(), 1U);
  expect_only(timings().task, 200 * kNsPerMs);
  EXPECT_EQ(total(timings().broker), 0U);
  answer(running, Reason::Ok);
}

TEST_F(Books, ShadowTasksAreInNone) {
  start_books(4);
  const Sent routed =
      only(exchange(edited(rig().send_spec(*client, 0, 1),
                           [](wire::Header& header) {
                             header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Shadow)));
                           })),
           FrameType::Route);
  rig().advance_ms(1);
  ASSERT_NE(routed.to(), worker->address);
  exchange(rig().result_spec(*shadow, routed.header()));
  for (const ActionCounters& action : rig().counters().actions) EXPECT_EQ(action.accepted.read(), 0U);
  EXPECT_EQ(total(timings().queue) + total(timings().broker) + total(timings().task), 0U);
}

}  // namespace
}  // namespace mcplane::dataplane
