// Messages in parts: the first part makes a task, the last one ends it, what lies between is passed on, and GRANTs find
// their way back.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Parts : public PairTest {
 protected:
  static constexpr std::uint32_t kWhole = 5'000;

  // Part 0 of a longer task.
  FrameSpec first_spec(std::uint16_t slot, std::uint32_t sequence = 1) {
    return edited(rig().send_spec(*client, slot, sequence),
                  [](wire::Header& header) { header.mutate_message_length(kWhole); });
  }
  Sent route_first(std::uint16_t slot) { return only(exchange(first_spec(slot)), FrameType::Route); }
  // A later part, of the attempt and token that the ROUTE has.
  FrameSpec task_part(const wire::Header& route, std::uint16_t slot, std::uint16_t part) {
    FrameSpec spec = rig().send_spec(*client, slot, 1);
    spec.table.clear();
    spec.payload.assign(100, std::byte{static_cast<unsigned char>(part)});
    return edited(spec, [route, part](wire::Header& header) {
      header.mutate_message_length(kWhole);
      header.mutate_fragment_index(part);
      header.mutate_attempt(route.attempt());
      wire::set_token(header, wire::token_of(route));
    });
  }
  FrameSpec answer_part(const wire::Header& route, std::uint16_t part, bool more) {
    return edited(rig().result_spec(*worker, route, "part " + std::to_string(part)),
                  [part, more](wire::Header& header) {
                    header.mutate_fragment_index(part);
                    if (more) header.mutate_flags(raw(wire::Flag::More));
                  });
  }
  FrameSpec grant_spec(const Peer& from, const wire::Header& about, FrameType of) {
    FrameSpec spec = rig().spec_of(from, FrameType::Grant);
    spec.payload.assign(8, std::byte{0x5a});
    spec.edit = [about, of](wire::Header& header) {
      const std::uint32_t length = header.message_length();
      header = about;
      header.mutate_type(FrameType::Grant);
      header.mutate_answers(of);
      header.mutate_flags(0);
      header.mutate_table_length(0);
      header.mutate_message_length(length);
      wire::set_grant(header, 3, 40);
    };
    return spec;
  }
  static std::string text_of(const Sent& frame) {
    const auto payload = wire::payload_of(frame.parsed.datagram);
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

TEST_F(Parts, OfATaskGoToTheWorkerThatHasItsFirst) {
  start(1);
  const Sent routed = route_first(7);
  EXPECT_EQ(routed.header().message_length(), kWhole);
  const Sent part = only(exchange(task_part(routed.header(), 7, 3)), FrameType::Route);
  EXPECT_EQ(part.to(), worker->address);
  EXPECT_EQ(part.header().fragment_index(), 3);
  EXPECT_EQ(part.header().message_length(), kWhole);
  EXPECT_EQ(part.header().worker_session(), worker->session.value);
  EXPECT_EQ(part.header().attempt(), 1);
  EXPECT_EQ(wire::token_of(part.header()), wire::token_of(routed.header()));
  EXPECT_EQ(wire::route_number(part.header()), wire::route_number(routed.header()));
  EXPECT_EQ(text_of(part), std::string(100, '\3'));
  EXPECT_EQ(rig().counters().accepted.read(), 1U);
  EXPECT_EQ(only(finish(routed), FrameType::Deliver).header().fragment_index(), 0);
}

TEST_F(Parts, OfATaskThatIsAnothersAnotherAttemptsOrWaitingAreDropped) {
  start(1);
  Peer& stranger = rig().add_client();
  const Sent routed = route_first(0);
  const auto dropped = [&](const FrameSpec& spec, const char* what) {
    const std::uint64_t before = rig().dropped(DropReason::kStaleToken);
    EXPECT_TRUE(exchange(spec).empty()) << what;
    EXPECT_EQ(rig().dropped(DropReason::kStaleToken), before + 1) << what;
  };
  const FrameSpec part = task_part(routed.header(), 0, 1);
  FrameSpec forged = part;
  forged.source_mac = stranger.mac;
  forged.source = stranger.address;
  dropped(edited(forged, [&](wire::Header& header) { header.mutate_session(stranger.session.value); }), "a stranger's");
  dropped(edited(part, [](wire::Header& header) { header.mutate_slot(1); }), "of another slot");
  dropped(edited(part, [](wire::Header& header) { header.mutate_sequence(2); }), "of another exchange");
  dropped(edited(part, [](wire::Header& header) { header.mutate_attempt(2); }), "of another attempt");
  dropped(edited(part, [](wire::Header& h) { h.mutate_token_generation(h.token_generation() + 1); }),
          "of another task");
  dropped(edited(part, [](wire::Header& h) { h.mutate_token_index(h.token_index() ^ 0x01000000); }),
          "of another shard");
  EXPECT_TRUE(exchange(first_spec(1)).empty()) << "the worker is full: it waits";
  wire::Header waiting = routed.header();
  wire::set_token(waiting, rig().shard().token_of(rig().shard().tasks[wire::token_of(waiting).index() + 1]));
  dropped(edited(task_part(waiting, 1, 1), [](wire::Header& header) { header.mutate_attempt(0); }),
          "of one that waits");
  first(finish(routed), FrameType::Deliver);
  dropped(part, "of one that is done");
}

TEST_F(Parts, TheFirstAgainGoesToTheWorkerThatHasTheTask) {
  start(1);
  const Sent routed = route_first(0);
  const Sent again = only(exchange(first_spec(0)), FrameType::Route);
  EXPECT_EQ(wire::route_number(again.header()), wire::route_number(routed.header()));
  EXPECT_EQ(again.header().attempt(), 1);
  EXPECT_EQ(wire::token_of(again.header()), wire::token_of(routed.header()));
  EXPECT_TRUE(exchange(first_spec(1)).empty());
  EXPECT_EQ(only(exchange(first_spec(1)), FrameType::Ack).header().answers(), FrameType::Send) << "it waits";
}

TEST_F(Parts, AGrantOfATaskGoesToItsClientAndSaysThatTheRouteCame) {
  start(1);
  const Sent routed = route_first(9);
  const Sent grant = only(exchange(grant_spec(*worker, routed.header(), FrameType::Send)), FrameType::Grant);
  EXPECT_EQ(grant.to(), client->address);
  EXPECT_EQ(grant.header().session(), client->session.value);
  EXPECT_EQ(grant.header().slot(), 9);
  EXPECT_EQ(grant.header().sequence(), 1U);
  EXPECT_EQ(grant.header().attempt(), 1);
  EXPECT_EQ(wire::token_of(grant.header()), wire::token_of(routed.header()));
  EXPECT_EQ(wire::grant_next(grant.header()), 3);
  EXPECT_EQ(wire::grant_limit(grant.header()), 40);
  EXPECT_EQ(text_of(grant), std::string(8, 'Z'));
  EXPECT_EQ(rig().in_state(TaskState::kRunning), 1U);
  EXPECT_TRUE(after_ms(100).empty()) << "neither asks for the ROUTE again nor acknowledges the SEND";
}

TEST_F(Parts, OfAnAnswerAreDeliveredOneByOneAndTheLastEndsTheTask) {
  start(1);
  const Sent routed = route_first(4);
  for (const std::uint16_t part : std::array<std::uint16_t, 3>{0, 1, 3}) {
    const Sent deliver = only(exchange(answer_part(routed.header(), part, true)), FrameType::Deliver);
    EXPECT_EQ(deliver.to(), client->address);
    EXPECT_EQ(deliver.header().fragment_index(), part);
    EXPECT_TRUE(wire::has(deliver.header().flags(), wire::Flag::More));
    EXPECT_EQ(deliver.header().slot(), 4);
    EXPECT_EQ(rig().outstanding(*worker), 1U);
    EXPECT_EQ(rig().in_state(TaskState::kRunning), 1U);
  }
  const Sent ending = only(exchange(answer_part(routed.header(), 4, false)), FrameType::Deliver);
  EXPECT_FALSE(wire::has(ending.header().flags(), wire::Flag::More));
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  only(exchange(answer_part(routed.header(), 2, true)), FrameType::Deliver);
  only(exchange(answer_part(routed.header(), 4, false)), FrameType::Deliver);
  EXPECT_EQ(rig().outstanding(*worker), 0U) << "once";
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, ending.header())).empty());
  EXPECT_EQ(rig().counters().delivered.read(), 1U);
  EXPECT_EQ(only(exchange(answer_part(routed.header(), 2, true)), FrameType::Ack).header().reason(), Reason::Discard);
}

TEST_F(Parts, AnAnswersLastMayComeFirst) {
  start(1);
  const Sent routed = route(0);
  const Sent ending = only(exchange(answer_part(routed.header(), 2, false)), FrameType::Deliver);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  only(exchange(answer_part(routed.header(), 0, true)), FrameType::Deliver);
  only(exchange(answer_part(routed.header(), 1, true)), FrameType::Deliver);
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, ending.header())).empty());
}

TEST_F(Parts, AGrantOfAnAnswerGoesToItsWorker) {
  start(1);
  const Sent routed = route(4);
  const Sent deliver = only(exchange(answer_part(routed.header(), 0, true)), FrameType::Deliver);
  const FrameSpec spec = grant_spec(*client, deliver.header(), FrameType::Result);
  const Sent grant = only(exchange(spec), FrameType::Grant);
  EXPECT_EQ(grant.to(), worker->address);
  EXPECT_EQ(grant.header().worker_session(), worker->session.value);
  EXPECT_EQ(wire::grant_limit(grant.header()), 40);
  only(exchange(answer_part(routed.header(), 1, false)), FrameType::Deliver);
  only(exchange(spec), FrameType::Grant);
  EXPECT_TRUE(exchange(rig().outcome_ack_spec(*client, deliver.header())).empty());
  EXPECT_TRUE(exchange(spec).empty()) << "the task is over";
  EXPECT_EQ(rig().dropped(DropReason::kStaleToken), 1U);
}

TEST_F(Parts, AGrantOfNeitherIsDropped) {
  start(1);
  const Sent routed = route(0);
  EXPECT_TRUE(exchange(grant_spec(*client, routed.header(), FrameType::Ping)).empty());
  EXPECT_EQ(rig().dropped(DropReason::kBadField), 1U);
}

TEST_F(Parts, AWorkerLostAfterTheFirstPartEndsEvenATaskThatMayRunTwice) {
  start(2);
  const auto route_twice_runnable = [&](std::uint16_t slot) {
    const auto may_run_twice = [](wire::Header& header) { header.mutate_flags(raw(wire::Flag::Idempotent)); };
    return only(exchange(edited(rig().send_spec(*client, slot, 1), may_run_twice)), FrameType::Route);
  };
  route_twice_runnable(0);
  only(exchange(answer_part(route_twice_runnable(1).header(), 0, true)), FrameType::Deliver);
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  auto sent = run_out();
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(count(sent, FrameType::Resend), 1U) << "of the other another worker may give the whole answer";
  const Sent reject = first(std::move(sent), FrameType::Reject);
  expect_reject(reject, Reason::WorkerLost, Executed::Maybe);
  EXPECT_EQ(reject.header().slot(), 1);
}

TEST_F(Parts, WhenNobodyWaitsForTheAnswerItIsDiscardedAndTheSlotComesBackWithTheLast) {
  start(1);
  const Sent routed = route(0);
  only(exchange(answer_part(routed.header(), 0, true)), FrameType::Deliver);
  const auto sent = exchange(rig().cancel_spec(*client, 0, 1));
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
  EXPECT_EQ(only(exchange(answer_part(routed.header(), 1, true)), FrameType::Ack).header().reason(), Reason::Discard);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(only(exchange(answer_part(routed.header(), 2, false)), FrameType::Ack).header().reason(), Reason::Discard);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

}  // namespace
}  // namespace mcplane::dataplane
