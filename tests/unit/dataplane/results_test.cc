// RESULT and ACK against the task they name: the first of the live attempt counts, everything else is told to forget.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Results : public PairTest {
 protected:
  using Edit = void (*)(wire::Header&);

  FrameSpec edited(const Sent& routed, Edit edit) {
    FrameSpec result = rig().result_spec(*worker, routed.header());
    result.edit = [edit, inner = result.edit](wire::Header& header) {
      inner(header);
      edit(header);
    };
    return result;
  }
  void expect_discard(const Sent& ack) {
    EXPECT_EQ(ack.type(), FrameType::Ack);
    EXPECT_EQ(ack.header().answers(), FrameType::Result);
    EXPECT_EQ(ack.header().reason(), Reason::Discard);
    EXPECT_EQ(ack.header().sequence(), 1U);
    EXPECT_EQ(ack.to(), worker->address);
    EXPECT_EQ(ack.parsed.datagram.size(), wire::kLeadBytes);
  }
};

TEST_F(Results, ASecondResultIsHeldUntilTheClientHasTheFirstThenDiscarded) {
  start(2);
  const Sent routed = route(0);
  const Sent deliver = only(finish(routed), FrameType::Deliver);
  EXPECT_EQ(deliver.header().slot(), 0);
  EXPECT_EQ(only(finish(routed), FrameType::Ack).header().reason(), Reason::Held);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, deliver.header())).empty());
  expect_discard(only(finish(routed), FrameType::Ack));
  EXPECT_EQ(rig().counters().delivered.read(), 1U);
}

TEST_F(Results, TwoResultsInOneBurstDeliverOnce) {
  start(2);
  const Sent routed = route(0);
  rig().send(rig().result_spec(*worker, routed.header()));
  rig().send(rig().result_spec(*worker, routed.header()));
  const auto sent = step();
  EXPECT_EQ(count(sent, FrameType::Deliver), 1U);
  EXPECT_EQ(count(sent, FrameType::Ack), 1U);
}

TEST_F(Results, OfAnotherAttemptGenerationSlotOrShardAreDiscarded) {
  start(2);
  const Sent routed = route(0);
  const Edit edits[] = {
      [](wire::Header& header) { header.mutate_attempt(2); },
      [](wire::Header& header) { header.mutate_token_generation(header.token_generation() + 1); },
      [](wire::Header& header) { header.mutate_token_generation(0); },
      [](wire::Header& header) { header.mutate_token_index(header.token_index() + 1); },
      [](wire::Header& header) { header.mutate_token_index(header.token_index() | 0xffffff); },
      [](wire::Header& header) { header.mutate_token_index(header.token_index() ^ 0x01000000); },
  };
  for (const Edit edit : edits) expect_discard(only(exchange(edited(routed, edit)), FrameType::Ack));
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(only(finish(routed), FrameType::Deliver).header().slot(), 0);
}

TEST_F(Results, OfAnotherWorkerAreDiscarded) {
  start(2);
  Peer& other = rig().add_worker(2);
  step();
  const Sent routed = route(0);
  FrameSpec result = rig().result_spec(other, routed.header());
  result.edit = [&other, inner = result.edit](wire::Header& header) {
    inner(header);
    header.mutate_worker_session(other.session.value);
  };
  const Sent ack = only(exchange(result), FrameType::Ack);
  EXPECT_EQ(ack.header().reason(), Reason::Discard);
  EXPECT_EQ(ack.to(), other.address);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(rig().outstanding(other), 0U);
}

TEST_F(Results, OfAQueuedTaskAreDiscarded) {
  start(1);
  const Sent first = route(0);
  EXPECT_TRUE(submit(1).empty());
  const Sent ack =
      only(exchange(edited(first, [](wire::Header& header) { header.mutate_token_index(1); })), FrameType::Ack);
  expect_discard(ack);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
}

TEST_F(Results, FromAWrongSourceAreAnsweredUnknownSessionAndNoMore) {
  start(1);
  const Sent routed = route(0);
  FrameSpec result = rig().result_spec(*worker, routed.header());
  result.source.port++;
  result.source_mac = {0x02, 9, 9, 9, 9, 9};
  const Bytes frame = testing::build_frame(result);
  rig().inject(ShardId{0}, frame);
  const Sent reject = only(step(), FrameType::Reject);
  expect_reject(reject, Reason::UnknownSession, Executed::NotSaid);
  EXPECT_EQ(reject.header().answers(), FrameType::Result);
  EXPECT_EQ(reject.to(), result.source);
  EXPECT_EQ(reject.mac, result.source_mac);
  EXPECT_LE(reject.bytes.size(), frame.size());
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

TEST_F(Results, OfAnEndedClientAreDiscardedAndGiveTheSlotBack) {
  start(1);
  const Sent routed = route(0);
  rig().end_session(*client);
  step();
  expect_discard(only(finish(routed), FrameType::Ack));
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().counters().client_lost.read(), 1U);
}

TEST_F(Results, ThatFitNoFrameToAClientAreDeliveredAsTooLarge) {
  start(1);
  FrameSpec result = rig().result_spec(*worker, route(3).header());
  result.payload.resize(options.shard.datagram_bytes_max - wire::kLeadBytes + std::size_t{1});
  const Sent deliver = only(exchange(result), FrameType::Deliver);
  EXPECT_EQ(deliver.header().reason(), Reason::TooLarge);
  EXPECT_EQ(deliver.header().executed(), Executed::Yes);
  EXPECT_EQ(deliver.header().message_length(), 0U);
  EXPECT_EQ(deliver.parsed.datagram.size(), wire::kLeadBytes);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(Results, KeepOnlyTheFlagsThatAreTheWorkersToSet) {
  start(1);
  const Sent deliver =
      only(exchange(edited(route(0), [](wire::Header& header) { header.mutate_flags(0xc35f); })), FrameType::Deliver);
  EXPECT_EQ(deliver.header().flags(), raw(wire::Flag::More)) << "whether it is sampled, its SEND has said";
}

TEST_F(Results, WithAReasonNoWorkerMayGiveAreDropped) {
  start(1);
  const Sent routed = route(0);
  EXPECT_TRUE(exchange(edited(routed, [](wire::Header& header) { header.mutate_reason(Reason::Expired); })).empty());
  EXPECT_EQ(rig().dropped(DropReason::kBadField), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

TEST_F(Results, AcksOfWhatTheBrokerDidNotSendAreDropped) {
  start(1);
  const Sent routed = route(0);
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().dropped(DropReason::kStaleToken), 1U) << "the task is routed, not being cancelled";
  FrameSpec ack = rig().stop_spec(*worker, routed.header(), Reason::Stopped);
  ack.edit = [inner = ack.edit](wire::Header& header) {
    inner(header);
    header.mutate_answers(FrameType::Result);
  };
  EXPECT_TRUE(exchange(ack).empty());
  EXPECT_EQ(rig().dropped(DropReason::kUnexpectedAck), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
