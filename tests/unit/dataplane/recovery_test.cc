// What is lost on the way is said again or asked for again, by whom it concerns, at the pace of his round trip.
#include <set>

#include "unit/dataplane/dataplane_test.h"
#include "wire/ack.h"

namespace mcplane::dataplane {
namespace {

class Recovery : public PairTest {
 protected:
  // SEND with IDEMPOTENT set; its ROUTE.
  Sent route_idempotent(std::uint16_t slot, std::uint32_t ttl_ms = 1'000) {
    FrameSpec spec = rig().send_spec(*client, slot, 1, ttl_ms);
    spec.edit = [inner = spec.edit](wire::Header& header) {
      inner(header);
      header.mutate_flags(raw(wire::Flag::Idempotent));
    };
    return only(exchange(spec), FrameType::Route);
  }
  void lose_worker() {
    rig().withdraw(*worker);
    rig().publish();
    rig().end_session(*worker);
  }
  // PING with the endpoint's own measurement.
  void ping(const Peer& peer, std::uint32_t srtt_us, std::uint32_t rttvar_us) {
    FrameSpec spec = rig().spec_of(peer, FrameType::Ping);
    spec.edit = [=, inner = spec.edit](wire::Header& header) {
      inner(header);
      wire::set_ping_rtt(header, srtt_us, rttvar_us);
    };
    exchange(spec);
  }
};

TEST_F(Recovery, AFastTaskCostsFourFrames) {
  start(1);
  for (std::uint32_t sequence = 1; sequence <= 100; ++sequence) {
    const Sent routed = route(0, sequence);
    EXPECT_EQ(routed.header().sequence(), sequence > 1 ? 1U : 0U) << "the last RESULT, by its number";
    finish(routed);
    rig().advance_ms(1);
  }
  EXPECT_EQ(rig().counters().acks_sent.read(), 0U);
  EXPECT_EQ(rig().counters().resends.read(), 0U);
  EXPECT_EQ(rig().counters().delivered.read(), 99U);
}

TEST_F(Recovery, SendsOfASlowTaskAreAcknowledgedTogether) {
  start(8);
  for (std::uint16_t slot = 0; slot < 5; ++slot) route(slot);
  EXPECT_EQ(times_of(FrameType::Ack, 40), std::vector<std::uint64_t>{2});
  EXPECT_EQ(last->to(), client->address);
  EXPECT_EQ(last->header().answers(), FrameType::Send);
  EXPECT_EQ(last->header().session(), client->session.value);
  const auto entries = wire::ack_entries(last->parsed.datagram);
  ASSERT_EQ(entries.size(), 4U);
  std::set<std::uint32_t> slots = {last->header().slot()};
  for (const wire::AckEntry& entry : entries) {
    slots.insert(entry.name());
    EXPECT_EQ(entry.number(), 1U);
  }
  EXPECT_EQ(slots.size(), 5U);
}

TEST_F(Recovery, ARouteThatNobodySaysToHaveComeIsPulledAndSentAgain) {
  start(1);
  const Sent routed = route(3, 1, 10'000);
  EXPECT_EQ(times_of(FrameType::Resend, 1'000), (std::vector<std::uint64_t>{52, 152, 352, 752}))
      << "after the ack delay and PTO; then client's and worker's, doubling";
  EXPECT_EQ(last->to(), client->address);
  EXPECT_EQ(last->header().answers(), FrameType::Send);
  EXPECT_EQ(last->header().slot(), 3);
  EXPECT_EQ(last->header().sequence(), 1U);
  EXPECT_TRUE(wire::token_of(last->header()) == wire::token_of(routed.header()));
  const Sent again = only(exchange(rig().pulled_spec(*client, last->header())), FrameType::Route);
  EXPECT_EQ(again.to(), worker->address);
  EXPECT_EQ(again.header().attempt(), 1);
  EXPECT_EQ(wire::route_number(again.header()), wire::route_number(routed.header())) << "the same assignment";
  EXPECT_EQ(again.header().ttl_ms(), 9'000U);
  EXPECT_EQ(rig().counters().accepted.read(), 1U);
  EXPECT_EQ(only(finish(again), FrameType::Deliver).header().slot(), 3);
}

TEST_F(Recovery, ARouteThatCameIsNotSentAgain) {
  start(1);
  const Sent routed = route(0, 1, 5'000);
  EXPECT_TRUE(exchange(rig().route_ack_spec(*worker, routed.header())).empty());
  EXPECT_EQ(rig().in_state(TaskState::kRunning), 1U);
  EXPECT_TRUE(times_of(FrameType::Resend, 4'900).empty());
  EXPECT_EQ(finish(routed).size(), 1U);
}

TEST_F(Recovery, AVectorOfRoutesThatCame) {
  start(3);
  std::vector<Sent> routed;
  for (std::uint16_t slot = 0; slot < 3; ++slot) routed.push_back(route(slot));
  FrameSpec ack = rig().route_ack_spec(*worker, routed[0].header());
  for (const std::size_t i : {1U, 2U}) {
    const wire::AckEntry entry(routed[i].header().token_index(), routed[i].header().token_generation());
    const auto bytes = std::as_bytes(std::span(&entry, 1));
    ack.payload.insert(ack.payload.end(), bytes.begin(), bytes.end());
  }
  ack.edit = [inner = ack.edit](wire::Header& header) {
    const std::uint32_t length = header.message_length();
    inner(header);
    header.mutate_message_length(length);
  };
  EXPECT_TRUE(exchange(ack).empty());
  EXPECT_EQ(rig().in_state(TaskState::kRunning), 3U);
}

TEST_F(Recovery, ThePaceIsTheEndpointsOwnRoundTrip) {
  start(1);
  ping(*worker, 2'000, 500);
  ping(*client, 9'000, 250);
  const Sent routed = route(0);
  // Worker: 2 + max(4 * 0.5, 1) + 1 ms; client: 9 + 1 + 1 ms. The least is 5 ms.
  EXPECT_EQ(times_of(FrameType::Resend, 100), (std::vector<std::uint64_t>{7, 23, 55}));
}

TEST_F(Recovery, ADeliverThatNobodySaysToHaveComeIsPulledFromTheWorker) {
  start(1);
  const Sent routed = route(0, 1, 10'000);
  const Sent deliver = only(finish(routed), FrameType::Deliver);
  const Sent held = only(after_ms(2), FrameType::Ack);
  EXPECT_EQ(held.to(), worker->address);
  EXPECT_EQ(held.header().answers(), FrameType::Result);
  EXPECT_EQ(held.header().sequence(), 1U);
  EXPECT_EQ(held.header().reason(), Reason::Held);
  EXPECT_EQ(times_of(FrameType::Resend, 200), (std::vector<std::uint64_t>{50, 150}));
  EXPECT_EQ(last->to(), worker->address);
  EXPECT_EQ(last->header().answers(), FrameType::Result);
  EXPECT_TRUE(wire::token_of(last->header()) == wire::token_of(routed.header()));
  const Sent again = only(finish(routed), FrameType::Deliver);
  EXPECT_EQ(again.header().slot(), deliver.header().slot());
  EXPECT_EQ(again.header().sequence(), deliver.header().sequence());
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, again.header())).empty());
  EXPECT_EQ(rig().counters().delivered.read(), 1U);
  const Sent done = only(after_ms(2), FrameType::Ack);
  EXPECT_EQ(done.to(), worker->address);
  EXPECT_EQ(done.header().reason(), Reason::Ok);
}

TEST_F(Recovery, ResultsThatAreDoneWithAreSaidTogetherWhenNoRouteTakesThemAlong) {
  start(8);
  std::vector<Sent> routed;
  for (std::uint16_t slot = 0; slot < 5; ++slot) routed.push_back(route(slot));
  for (std::uint16_t slot = 0; slot < 5; ++slot) {
    FrameSpec result = rig().result_spec(*worker, routed[slot].header());
    result.edit = [slot, inner = result.edit](wire::Header& header) {
      inner(header);
      header.mutate_sequence(slot + 10U);
    };
    exchange(rig().outcome_ack_spec(*client, only(exchange(result), FrameType::Deliver).header()));
  }
  const Sent ack = only(after_ms(2), FrameType::Ack);
  EXPECT_EQ(ack.header().sequence(), 10U);
  const auto entries = wire::ack_entries(ack.parsed.datagram);
  ASSERT_EQ(entries.size(), 4U);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(entries[i].name(), 11 + i);
    EXPECT_EQ(entries[i].number(), raw(Reason::Ok));
  }
  EXPECT_TRUE(times_of(FrameType::Ack, 20).empty());
}

TEST_F(Recovery, AmongManyPeersAcknowledgementsWaitForLonger) {
  rig().shared.ack_wait_ms = 25;
  start(8);
  const Sent answered = route(0);
  exchange(rig().outcome_ack_spec(*client, only(finish(answered), FrameType::Deliver).header()));
  rig().advance_ms(1);
  const Sent unfinished = route(1);
  EXPECT_EQ(unfinished.header().sequence(), 1U) << "the ROUTE took the RESULT's along";
  exchange(rig().outcome_ack_spec(*client, only(finish(unfinished), FrameType::Deliver).header()));
  route(2);
  EXPECT_EQ(times_of(FrameType::Ack, 40), (std::vector<std::uint64_t>{25})) << "of the SEND";
}

TEST_F(Recovery, ALateRejectIsRepeatedUntilItIsAcknowledged) {
  start(1);
  const Sent running = route(0, 1, 10'000);
  EXPECT_TRUE(submit(1, 1, 100).empty());
  EXPECT_EQ(times_of(FrameType::Reject, 260), (std::vector<std::uint64_t>{100, 150, 250}));
  expect_reject(*last, Reason::Expired, Executed::No);
  EXPECT_NE(last->header().token_generation(), 0U);
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, last->header())).empty());
  EXPECT_TRUE(times_of(FrameType::Reject, 1'000).empty());
}

TEST_F(Recovery, ALateRejectIsRepeatedUntilTtlAndGrace) {
  start(1);
  const Sent running = route(0, 1, 10'000);
  EXPECT_TRUE(submit(1, 1, 100).empty());
  EXPECT_EQ(times_of(FrameType::Reject, 3'000), (std::vector<std::uint64_t>{100, 150, 250, 450}));
  EXPECT_EQ(rig().shard().tasks.in_use(), 1U);
  EXPECT_EQ(only(exchange(rig().cancel_spec(*client, 1, 1)), FrameType::Ack).header().answers(), FrameType::Cancel);
}

TEST_F(Recovery, ADeliveryThatIsNeverAcknowledgedEndsByTtlAndGrace) {
  start(1);
  finish(route(0, 1, 1'000));
  times_of(FrameType::Resend, 1'499);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  after_ms(1);
  EXPECT_EQ(rig().shard().tasks.in_use(), 0U);
  EXPECT_EQ(rig().counters().expired_routed.read(), 1U);
}

TEST_F(Recovery, AnIdempotentTaskMovesToAnotherWorker) {
  start(1);
  const Sent routed = route_idempotent(0);
  lose_worker();
  Peer& second = rig().add_worker(1);
  rig().publish();
  std::vector<Sent> sent = run_out();
  ASSERT_EQ(count(sent, FrameType::Resend), 1U);
  EXPECT_EQ(sent.size(), 1U);
  const Sent moved = only(exchange(rig().pulled_spec(*client, sent[0].header())), FrameType::Route);
  EXPECT_EQ(moved.to(), second.address);
  EXPECT_EQ(moved.header().attempt(), 2);
  EXPECT_TRUE(wire::token_of(moved.header()) == wire::token_of(routed.header()));
  EXPECT_EQ(rig().counters().failed_over.read(), 1U);
  EXPECT_EQ(only(exchange(rig().result_spec(second, moved.header())), FrameType::Deliver).header().attempt(), 2);
}

TEST_F(Recovery, ATaskThatMayRunOnceIsLostWithItsWorker) {
  start(1);
  route(0);
  lose_worker();
  expect_reject(only(run_out(), FrameType::Reject), Reason::WorkerLost, Executed::Maybe);
  EXPECT_EQ(rig().counters().worker_lost.read(), 1U);
}

TEST_F(Recovery, WithNoOtherWorkerTheMovingTaskIsLost) {
  start(1);
  route_idempotent(0);
  lose_worker();
  const Sent resend = only(run_out(), FrameType::Resend);
  const Sent told = only(exchange(rig().pulled_spec(*client, resend.header())), FrameType::Reject);
  expect_reject(told, Reason::WorkerLost, Executed::Maybe);
  EXPECT_EQ(rig().counters().worker_lost.read(), 1U);
}

TEST_F(Recovery, RerunsHaveABudget) {
  start(64);
  for (std::uint16_t slot = 0; slot < 40; ++slot) route_idempotent(slot);
  lose_worker();
  const auto sent = run_out();
  EXPECT_EQ(count(sent, FrameType::Resend), 10U + 40U / 10U);
  EXPECT_EQ(count(sent, FrameType::Reject), 40U - 14U);
}

TEST_F(Recovery, ATaskItsWorkerWillNotRunGoesToAnyOther) {
  start(1);
  const Sent routed = route(0);
  const Sent resend =
      only(exchange(rig().route_ack_spec(*worker, routed.header(), Reason::Stopped)), FrameType::Resend);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  const Sent again = only(exchange(rig().pulled_spec(*client, resend.header())), FrameType::Route);
  EXPECT_EQ(again.header().attempt(), 2);
  // A late copy of that word is about an attempt that is over.
  EXPECT_TRUE(exchange(rig().route_ack_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

TEST_F(Recovery, ATaskThatNoWorkerWillRunIsLostAfterTheLastAttemptThereIs) {
  start(2);
  Sent routed = route(0);
  for (std::uint32_t attempt = 1; attempt < 255; ++attempt) {
    ASSERT_EQ(routed.header().attempt(), attempt);
    const Sent resend =
        only(exchange(rig().route_ack_spec(*worker, routed.header(), Reason::Stopped)), FrameType::Resend);
    routed = only(exchange(rig().pulled_spec(*client, resend.header())), FrameType::Route);
  }
  const Sent told = only(exchange(rig().route_ack_spec(*worker, routed.header(), Reason::Stopped)), FrameType::Reject);
  EXPECT_EQ(told.header().reason(), Reason::WorkerLost);
  EXPECT_EQ(told.header().executed(), wire::Executed::Maybe);
}

TEST_F(Recovery, AWorkerLostWhileItsAnswerIsOnTheWayIsFoundOutWhenItIsNeeded) {
  start(1);
  finish(route_idempotent(0));
  lose_worker();
  EXPECT_TRUE(run_out().empty());
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  after_ms(2);
  EXPECT_EQ(only(after_ms(50), FrameType::Resend).to(), client->address);
  EXPECT_EQ(rig().in_state(TaskState::kPulling), 1U);
}

TEST_F(Recovery, ACancelFromTheClientStopsTheWorkerAndFreesTheSlot) {
  start(1);
  const Sent routed = route(0);
  EXPECT_TRUE(submit(1).empty());
  // Queued, routed, and one whose SEND never came.
  EXPECT_EQ(only(exchange(rig().cancel_spec(*client, 1, 1)), FrameType::Ack).header().slot(), 1);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 0U);
  const auto sent = exchange(rig().cancel_spec(*client, 0, 1));
  EXPECT_EQ(count(sent, FrameType::Ack), 1U);
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
  EXPECT_EQ(only(exchange(rig().cancel_spec(*client, 2, 1)), FrameType::Ack).header().slot(), 2);
  EXPECT_TRUE(submit(2).empty()) << "its SEND comes late";
  EXPECT_EQ(rig().counters().cancelled.read(), 2U);
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().shard().tasks.in_use(), 0U);
  EXPECT_EQ(submit(0, 2).size(), 1U) << "the slot goes on";
}

TEST_F(Recovery, ACancelOutOfOrderIsDropped) {
  start(1);
  finish(route(0));
  EXPECT_TRUE(exchange(rig().cancel_spec(*client, 0, 0)).empty());
  EXPECT_TRUE(exchange(rig().cancel_spec(*client, 0, 3)).empty());
  EXPECT_EQ(rig().dropped(DropReason::kStaleSequence), 2U);
}

TEST_F(Recovery, APulledSendOfAnotherClientOrAttemptIsDropped) {
  start(1);
  const Sent routed = route(0);
  EXPECT_EQ(times_of(FrameType::Resend, 60).size(), 1U);
  Peer& other = rig().add_client();
  step();
  EXPECT_TRUE(exchange(rig().pulled_spec(other, last->header())).empty());
  FrameSpec wrong = rig().pulled_spec(*client, last->header());
  wrong.edit = [inner = wrong.edit](wire::Header& header) {
    inner(header);
    header.mutate_attempt(2);
  };
  EXPECT_TRUE(exchange(wrong).empty());
  EXPECT_EQ(rig().dropped(DropReason::kDuplicate), 2U);
}

TEST_F(Recovery, AFullLineAsksClientsForLess) {
  options.shard.max_queued = 64;
  start(1, {.slots = 100});
  const auto pong = [&] {
    return only(exchange(rig().spec_of(*client, FrameType::Ping)), FrameType::Pong).header().slot();
  };
  route(99);
  EXPECT_EQ(pong(), 100);
  for (std::uint16_t slot = 0; slot < 33; ++slot) submit(slot);
  EXPECT_EQ(pong(), 50);
  for (std::uint16_t slot = 33; slot < 49; ++slot) submit(slot);
  EXPECT_EQ(pong(), 25);
}

}  // namespace
}  // namespace mcplane::dataplane
