// Sessions that end: their tasks go in bounded pieces, each slot and client is told once, control hears once.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Sessions : public PairTest {
 protected:
  void submit_all(std::uint16_t tasks) {
    for (std::uint16_t slot = 0; slot < tasks; ++slot) {
      rig().send(rig().send_spec(*client, slot, 1));
      if (slot % 64 == 63) rig().settle();
    }
    rig().settle();
  }
  // Steps until control has heard of the end; what was sent meanwhile.
  std::vector<Sent> until_ended(std::size_t sessions = 1) {
    std::vector<Sent> all;
    for (int loop = 0; loop < 200 && ended.size() < sessions; ++loop) {
      for (Sent& frame : step()) all.push_back(std::move(frame));
      hear();
    }
    EXPECT_EQ(ended.size(), sessions);
    return all;
  }
  void hear() {
    for (const state::Punt& punt : rig().take_punts())
      if (punt.kind == state::PuntKind::kSessionEnded) ended.push_back(punt.session);
  }
  void expect_silent() {
    for (int loop = 0; loop < 20; ++loop) EXPECT_TRUE(step().empty());
    hear();
  }

  std::vector<SessionId> ended;
};

TEST_F(Sessions, AWorkersThousandTasksAreLostThirtyTwoALoop) {
  start(1'000, {.slots = 1'000});
  submit_all(1'000);
  EXPECT_EQ(rig().take_sent().size(), 1'000U);
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  std::size_t lost = 0;
  for (int loop = 0; loop < 80 && ended.empty(); ++loop) {
    const auto sent = step();
    EXPECT_LE(sent.size(), kEndedPerLoop);
    for (const Sent& frame : sent) expect_reject(frame, Reason::WorkerLost, Executed::Maybe);
    lost += sent.size();
    hear();
    EXPECT_EQ(ended.empty(), lost < 1'000) << "control hears when all are told";
  }
  EXPECT_EQ(lost, 1'000U);
  EXPECT_EQ(ended, std::vector{worker->session});
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().counters().worker_lost.read(), 1'000U);
  EXPECT_EQ(rig().in_state(TaskState::kRejecting), 1'000U);
  expect_silent();
  EXPECT_EQ(ended.size(), 1U);
}

TEST_F(Sessions, AClientsQueuedTasksEndAndItsRoutedOnesAreCancelled) {
  start(4);
  Peer& other = rig().add_client();
  step();
  submit_all(10);
  std::vector<Sent> routed = rig().take_sent();
  ASSERT_EQ(routed.size(), 4U);
  EXPECT_TRUE(exchange(rig().send_spec(other, 0, 1)).empty());
  rig().end_session(*client);
  const auto sent = until_ended();
  EXPECT_EQ(count(sent, FrameType::Cancel), 4U);
  EXPECT_EQ(sent.size(), 4U) << "nobody else is told anything";
  EXPECT_EQ(rig().counters().client_lost.read(), 10U);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U) << "the other client's task still waits";
  EXPECT_EQ(rig().outstanding(*worker), 4U);
  const Sent next = only(exchange(rig().stop_spec(*worker, routed[0].header(), Reason::Stopped)), FrameType::Route);
  EXPECT_EQ(next.header().session(), other.session.value);
}

TEST_F(Sessions, ACancelledClientsTaskGoesOnUntilTheSlotIsBack) {
  start(1);
  const Sent routed = route(0);
  rig().end_session(*client);
  until_ended();
  EXPECT_EQ(only(after_ms(50), FrameType::Cancel).to(), worker->address);
  EXPECT_EQ(only(after_ms(100), FrameType::Cancel).to(), worker->address);
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(Sessions, WorkerAndClientThatEndTogetherLeaveNothing) {
  start(4);
  submit_all(8);
  rig().take_sent();
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  rig().end_session(*client);
  EXPECT_TRUE(until_ended(2).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().shard().tasks.in_use(), 0U);
}

TEST_F(Sessions, EndsDuringASweepWaitForTheNextAndRepeatedOnesForNone) {
  start(500, {.slots = 500});
  Peer& late = rig().add_client();
  submit_all(500);
  EXPECT_EQ(rig().take_sent().size(), 500U);
  EXPECT_TRUE(exchange(rig().send_spec(late, 0, 1)).empty());
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  step();
  step();
  rig().end_session(late);
  rig().end_session(*worker);
  until_ended(2);
  EXPECT_EQ(ended, (std::vector{worker->session, late.session}));
  expect_silent();
  EXPECT_EQ(ended.size(), 2U);
}

TEST_F(Sessions, AnEndOfASessionTheShardNeverKnewIsAnswered) {
  start(1);
  state::Command end{};
  end.kind = state::CommandKind::kEndSession;
  end.record.id = SessionId::make(200, 9);
  rig().command(ShardId{0}, end);
  until_ended();
  EXPECT_EQ(ended, std::vector{end.record.id});
}

TEST_F(Sessions, AFullMailboxDelaysTheWordOfTheEnd) {
  start(1);
  state::Mailbox& mailbox = rig().shared.shards[0]->mailbox;
  while (mailbox.to_control.try_push(state::Punt{})) {
  }
  rig().end_session(*client);
  for (int loop = 0; loop < 5; ++loop) step();
  EXPECT_EQ(rig().take_punts().size(), state::kMailboxSlots);
  until_ended();
  EXPECT_EQ(ended, std::vector{client->session});
}

TEST_F(Sessions, AFrameOnItsWayToASessionThatEndsInTheSameLoopIsWhole) {
  start(2);
  const Sent routed = route(0);
  rig().send(rig().result_spec(*worker, routed.header()));
  rig().end_session(*client);
  const Sent deliver = only(step(), FrameType::Deliver);
  EXPECT_EQ(deliver.to(), client->address);
  EXPECT_EQ(deliver.mac, client->mac);
  until_ended();
}

TEST_F(Sessions, AWorkerThatIsEndingGetsNothingNew) {
  start(4);
  route(0);
  rig().end_session(*worker);  // its line and the snapshot still offer it
  step();
  EXPECT_EQ(count(submit(1), FrameType::Route), 0U);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
  until_ended();
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(Sessions, WithoutABufferAClientIsToldByTheRepeat) {
  options.buffers = 512;
  start(4);
  route(0);
  rig().end_session(*worker);
  std::vector<net::Packet> hoard(rig().nic().buffers_free());
  ASSERT_TRUE(rig().nic().allocate(hoard));
  std::vector<net::Packet> spares;
  while (!rig().shard().spares.empty()) spares.push_back(rig().shard().take_spare());
  EXPECT_TRUE(until_ended().empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_GT(rig().counters().no_buffer.read(), 0U);
  rig().nic().free(hoard);
  rig().nic().free(spares);
  expect_reject(only(after_ms(50), FrameType::Reject), Reason::WorkerLost, Executed::Maybe);
}

}  // namespace
}  // namespace mcplane::dataplane
