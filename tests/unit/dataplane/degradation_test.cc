// What stands in for workers while none is in: by kind, at once and in line, and said again when it was lost.
#include "unit/dataplane/dataplane_test.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

using wire::Substitute;

class DegradationTest : public PairTest {
 protected:
  void start_with(std::vector<Substitute> chain, std::uint16_t worker_slots = 8) {
    options.shard.cache_bytes = std::size_t{64} << 10;
    state::Degradation how{.chain = {}, .action = "other", .model = "", .reply = wire::write_answer("later")};
    std::ranges::copy(chain, how.chain.begin());
    rig().degradation = how;
    if (std::ranges::find(chain, Substitute::Cached) != chain.end()) rig().rule.cache_ttl_ms = 1'000;
    start(worker_slots);
  }
  Peer& add_other(std::uint16_t slots) {
    Peer& other = rig().add_worker(slots, {.actions = {"other"}});
    rig().publish();
    step();
    return other;
  }
  // Gone, as cores see it.
  void lose_all() {
    rig().withdraw(*worker);
    rig().publish();
    step();
  }
  void recover() {
    rig().readmit(*worker);
    rig().publish();
    step();
  }
  FrameSpec asking(std::uint16_t slot, std::string_view prompt, std::uint32_t sequence = 1) {
    FrameSpec spec = rig().send_spec(*client, slot, sequence);
    spec.payload = wire::write_task_payload({std::string(prompt), {}, {}});
    return spec;
  }
  void answer(std::uint16_t slot, std::string_view prompt, std::string_view text) {
    const Sent routed = only(exchange(asking(slot, prompt)), FrameType::Route);
    const Sent delivered = only(exchange(rig().result_spec(*worker, routed.header(), text)), FrameType::Deliver);
    EXPECT_EQ(delivered.header().flags() & raw(wire::Flag::Degraded), 0);
  }
  static void expect_own(const Sent& frame, Substitute kind, Executed executed = Executed::No) {
    ASSERT_EQ(frame.type(), FrameType::Deliver);
    EXPECT_EQ(wire::substitute_of(frame.header()), kind);
    EXPECT_EQ(frame.header().executed(), executed);
    EXPECT_EQ(frame.header().reason(), Reason::Ok);
    EXPECT_EQ(frame.header().worker_session(), 0U);
    EXPECT_EQ(frame.header().table_length(), 0);
  }
  static std::string text_of(const Sent& frame) {
    return frame.parsed.payload().empty() ? "" : std::string(wire::read_answer(frame.parsed.payload()).value());
  }
  std::uint64_t degraded(Substitute kind) { return rig().counters().degraded[raw(kind)].read(); }
};

TEST_F(DegradationTest, AReplyIsGivenAtOnceAndNoTaskComesOfIt) {
  start_with({Substitute::Reply});
  lose_all();
  const Sent reply = only(submit(3), FrameType::Deliver);
  expect_own(reply, Substitute::Reply);
  EXPECT_EQ(text_of(reply), "later");
  EXPECT_EQ(reply.header().slot(), 3);
  EXPECT_EQ(reply.header().sequence(), 1U);
  EXPECT_EQ(reply.header().token_generation(), 0U);
  EXPECT_EQ(reply.header().attempt(), 0);
  EXPECT_EQ(rig().counters().accepted.read(), 0U);
  EXPECT_EQ(degraded(Substitute::Reply), 1U);
  EXPECT_EQ(slot_of(*client, 3).state, ClientSlot::State::kDegraded);
  recover();
  EXPECT_EQ(route(3, 2).to(), worker->address) << "the next exchange is a task";
}

TEST_F(DegradationTest, SkippingHasNoText) {
  start_with({Substitute::Skip});
  lose_all();
  const Sent skip = only(submit(0), FrameType::Deliver);
  expect_own(skip, Substitute::Skip);
  EXPECT_TRUE(skip.parsed.payload().empty());
}

TEST_F(DegradationTest, WithoutAChainATaskIsRefusedAsEver) {
  start(8);
  lose_all();
  expect_reject(only(submit(0), FrameType::Reject), Reason::NoWorker, Executed::No);
}

TEST_F(DegradationTest, ADuplicateIsAnsweredAgainWhoeverIsInByThen) {
  start_with({Substitute::Reply});
  lose_all();
  submit(0);
  recover();
  expect_own(only(submit(0), FrameType::Deliver), Substitute::Reply);
  EXPECT_EQ(degraded(Substitute::Reply), 1U);
  EXPECT_EQ(rig().counters().repeated.read(), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(DegradationTest, WorkersWhoAreBusyAreIn) {
  start_with({Substitute::Reply}, 1);
  const Sent running = route(0);
  EXPECT_TRUE(submit(1).empty()) << "it waits";
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
  finish(running);
  EXPECT_EQ(degraded(Substitute::Reply), 0U);
}

TEST_F(DegradationTest, WhoeverWaitsIsAnsweredWhenTheLastOneGoes) {
  start_with({Substitute::Reply}, 1);
  const Sent running = route(0);
  const auto sent = lose_worker_with_two_waiting();
  ASSERT_EQ(sent.size(), 2U);
  for (const Sent& frame : sent) {
    expect_own(frame, Substitute::Reply);
    EXPECT_NE(frame.header().token_generation(), 0U) << "its client is to say that it came";
  }
  EXPECT_EQ(rig().counters().degraded_late.read(), 2U);
  exchange(rig().outcome_ack_spec(*client, sent[0].header()));
  EXPECT_EQ(rig().in_state(TaskState::kRejecting), 1U);
  EXPECT_EQ(only(finish(running), FrameType::Deliver).header().executed(), Executed::Yes);
}

TEST_F(DegradationTest, ALateAnswerThatWasLostIsMadeAgainFromThePulledSend) {
  start_with({Substitute::Reply}, 1);
  const Sent running = route(0);
  submit(1);
  rig().withdraw(*worker);
  rig().publish();
  expect_own(only(step(), FrameType::Deliver), Substitute::Reply);
  exchange(rig().outcome_ack_spec(*client, only(finish(running), FrameType::Deliver).header()));
  recover();
  EXPECT_FALSE(times_of(FrameType::Resend, 120).empty());
  EXPECT_EQ(last->header().slot(), 1);
  const Sent again = only(exchange(rig().pulled_spec(*client, last->header())), FrameType::Deliver);
  expect_own(again, Substitute::Reply);
  EXPECT_EQ(text_of(again), "later");
  EXPECT_EQ(rig().counters().degraded_late.read(), 1U);
  exchange(rig().outcome_ack_spec(*client, again.header()));
  EXPECT_EQ(rig().in_state(TaskState::kRejecting), 0U);
}

TEST_F(DegradationTest, AnAnswerThatIsGoneIsFollowedByARejectOfTheSame) {
  start_with({Substitute::Cached}, 1);
  answer(0, "why?", "because");
  lose_all();
  expect_own(only(exchange(asking(1, "why?")), FrameType::Deliver), Substitute::Cached);
  recover();
  after_ms(1'001);
  expect_reject(only(exchange(asking(1, "why?")), FrameType::Reject), Reason::NoWorker, Executed::No);
}

TEST_F(DegradationTest, TheSameQuestionIsAnsweredFromTheCache) {
  start_with({Substitute::Cached, Substitute::Reply});
  answer(0, "why?", "because");
  lose_all();
  const Sent cached = only(exchange(asking(1, "why?")), FrameType::Deliver);
  expect_own(cached, Substitute::Cached);
  EXPECT_EQ(text_of(cached), "because");
  expect_own(only(exchange(asking(2, "how?")), FrameType::Deliver), Substitute::Reply);
  after_ms(1'001);
  expect_own(only(exchange(asking(3, "why?")), FrameType::Deliver), Substitute::Reply);
}

TEST_F(DegradationTest, ATaskIdTextIsNoPartOfTheQuestionAndAModelIs) {
  start_with({Substitute::Cached, Substitute::Skip});
  answer(0, "why?", "because");
  lose_all();
  const std::array<std::string, 1> tags = {"gpu"};
  FrameSpec spec = asking(1, "why?");
  spec.table = wire::write_route_table("generate", "llama", tags, "another-id");
  expect_own(only(exchange(spec), FrameType::Deliver), Substitute::Cached);
  spec = asking(2, "why?");
  spec.table = wire::write_route_table("generate", "", tags, "task-1");
  expect_own(only(exchange(spec), FrameType::Deliver), Substitute::Skip);
}

TEST_F(DegradationTest, ErrorsAndAnswersThatStoodInAreNotKept) {
  start_with({Substitute::Cached, Substitute::Fallback, Substitute::Skip});
  const Sent routed = only(exchange(asking(0, "why?")), FrameType::Route);
  exchange(edited(rig().result_spec(*worker, routed.header()),
                  [](wire::Header& header) { header.mutate_reason(Reason::WorkerError); }));
  Peer& other = add_other(1);
  lose_all();
  const Sent elsewhere = only(exchange(asking(1, "why?")), FrameType::Route);
  EXPECT_EQ(elsewhere.to(), other.address);
  exchange(rig().result_spec(other, elsewhere.header(), "a guess"));
  rig().withdraw(other);
  rig().publish();
  step();
  expect_own(only(exchange(asking(2, "why?")), FrameType::Deliver), Substitute::Skip);
}

TEST_F(DegradationTest, AnotherWorkerStandsInAndItsAnswerSaysSo) {
  start_with({Substitute::Fallback});
  Peer& other = add_other(1);
  lose_all();
  const Sent routed = route(0);
  EXPECT_EQ(routed.to(), other.address);
  EXPECT_TRUE(wire::has(routed.header().flags(), wire::Flag::Degraded));
  EXPECT_EQ(wire::read_route_table(routed.parsed.table())->action, "generate") << "the task's own table";
  EXPECT_TRUE(submit(1).empty()) << "it waits for the one that stands in";
  const auto sent = exchange(rig().result_spec(other, routed.header(), "a guess"));
  const auto deliver = std::ranges::find(sent, FrameType::Deliver, &Sent::type);
  ASSERT_NE(deliver, sent.end());
  EXPECT_EQ(wire::substitute_of(deliver->header()), Substitute::Fallback);
  EXPECT_EQ(deliver->header().executed(), Executed::Yes);
  EXPECT_EQ(deliver->header().attempt(), 1);
  EXPECT_EQ(degraded(Substitute::Fallback), 1U);
  EXPECT_EQ(rig().shared.shards[0]->outcomes.read(other.worker).count(), 1U) << "its breaker hears of it";
}

// A long task's first part comes again while its worker's GRANT is awaited.
TEST_F(DegradationTest, AFirstPartThatComesAgainSaysAsWellThatItsWorkerStandsIn) {
  start_with({Substitute::Fallback});
  add_other(4);
  lose_all();
  const FrameSpec first =
      edited(rig().send_spec(*client, 0, 1), [](wire::Header& header) { header.mutate_message_length(5'000); });
  for (int time = 0; time < 2; ++time)
    EXPECT_TRUE(wire::has(only(exchange(first), FrameType::Route).header().flags(), wire::Flag::Degraded)) << time;
}

TEST_F(DegradationTest, TheRouteItselfIsPreferredAgainAsSoonAsSomebodyIsIn) {
  start_with({Substitute::Fallback});
  add_other(1);
  lose_all();
  route(0);
  submit(1);
  recover();
  run_out();
  const Sent routed = route(2);
  EXPECT_EQ(routed.to(), worker->address);
  EXPECT_FALSE(wire::has(routed.header().flags(), wire::Flag::Degraded));
}

TEST_F(DegradationTest, WhereNobodyStandsInTheNextOfTheChainDoes) {
  start_with({Substitute::Fallback, Substitute::Reply});
  lose_all();
  expect_own(only(submit(0), FrameType::Deliver), Substitute::Reply);
}

TEST_F(DegradationTest, OnlyTasksThatMayRunTwiceAreAnsweredAfterAWorkerHadThem) {
  start_with({Substitute::Reply}, 8);
  const auto once = rig().send_spec(*client, 0, 1);
  const auto twice = edited(rig().send_spec(*client, 1, 1), [](wire::Header& header) {
    header.mutate_flags(header.flags() | raw(wire::Flag::Idempotent));
  });
  only(exchange(once), FrameType::Route);
  only(exchange(twice), FrameType::Route);
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  const auto sent = run_out();
  ASSERT_EQ(count(sent, FrameType::Resend), 1U);
  const auto reject = std::ranges::find(sent, FrameType::Reject, &Sent::type);
  ASSERT_NE(reject, sent.end());
  expect_reject(*reject, Reason::WorkerLost, Executed::Maybe);
  const auto resend = std::ranges::find(sent, FrameType::Resend, &Sent::type);
  const FrameSpec pulled = edited(rig().pulled_spec(*client, resend->header()), [](wire::Header& header) {
    header.mutate_flags(header.flags() | raw(wire::Flag::Idempotent));
  });
  expect_own(only(exchange(pulled), FrameType::Deliver), Substitute::Reply, Executed::Maybe);
}

TEST_F(DegradationTest, WhereItIsForcedWorkersAreNotAskedWhoeverIsIn) {
  rig().rule.degraded = true;
  start_with({Substitute::Reply});
  expect_own(only(submit(0), FrameType::Deliver), Substitute::Reply);
  rig().rule.degraded = false;
  rig().publish();
  EXPECT_EQ(route(1).to(), worker->address);
}

TEST_F(DegradationTest, AWorkerOnTrialGetsWhatItTakesAndTheRestIsAnswered) {
  start_with({Substitute::Reply});
  worker = &rig().add_worker(8);
  lose_all();
  rig().publish();
  step();
  // As control does: trusted no longer, and two permits.
  rig().shard().snapshot->pool(0).load->trusted.store(0);
  state::Command gate{};
  gate.kind = state::CommandKind::kSetGate;
  gate.record.worker = WorkerId{0};
  gate.gate = {.round = 0, .metered = true, .permits = 2};
  rig().command(ShardId{}, gate);
  step();
  EXPECT_EQ(submit(0).at(0).type(), FrameType::Route);
  EXPECT_EQ(submit(1).at(0).type(), FrameType::Route);
  expect_own(only(submit(2), FrameType::Deliver), Substitute::Reply);
}

TEST_F(DegradationTest, ARouteWithoutWorkersTakesNobodyElsesWhateverItsPolicy) {
  rig().rule.policy = state::Policy::kRoundRobin;
  start(8);
  FrameSpec spec = rig().send_spec(*client, 0, 1);
  for (const auto policy : {state::Policy::kRoundRobin, state::Policy::kWeighted, state::Policy::kPowerOfTwo}) {
    rig().rule.policy = policy;
    rig().publish();
    step();
    spec.table = wire::write_route_table("fly", "", {}, "");
    expect_reject(only(exchange(spec), FrameType::Reject), Reason::NoWorker, Executed::No);
    spec = rig().send_spec(*client, static_cast<std::uint16_t>(1 + raw(policy)), 1);
  }
}

TEST_F(DegradationTest, AStandInThatIsOutForTheActionGetsNoTask) {
  start_with({Substitute::Fallback});
  Peer& other = rig().add_worker(4, {.actions = {"aside", "other"}});
  rig().publish();
  step();
  state::WorkerLine& line = rig().shared.workers[other.worker];
  line.skills_out = 1U << 1;
  line.leaf->index->skills_out = state::LoadIndex::skill_bit(1, 0);
  lose_all();
  EXPECT_TRUE(submit(0).empty()) << "it waits";
  EXPECT_EQ(rig().outstanding(other), 0U);
  line.skills_out = 0;
  line.leaf->index->skills_out = 0;
  EXPECT_EQ(first(run_out(), FrameType::Route).to(), other.address);
}

// None is there but one on trial, and it has its probes.
TEST_F(DegradationTest, WhileOneIsOnTrialWhatCannotBeHadWaits) {
  start_with({Substitute::Cached}, 1);
  const Sent probe = route(0);
  rig().shared.workers[worker->worker].leaf->index->trusted = 0;
  EXPECT_TRUE(submit(1).empty()) << "nothing is in the cache";
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
  EXPECT_EQ(count(finish(probe), FrameType::Route), 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
