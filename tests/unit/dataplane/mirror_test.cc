// Copies of production's tasks: how many, where they go, how they end, and that the originals do not notice.
#include "dataplane/mirror.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Mirror : public PairTest {
 protected:
  void start_mirroring(std::uint32_t share, std::uint16_t shadow_slots, std::uint16_t worker_slots = 64) {
    rig().rule.mirror = share;
    if (shadow_slots > 0) shadow = &rig().add({.service = wire::Service::kShadowWorker, .slots = shadow_slots});
    start(worker_slots, {.slots = 1'024});
  }
  // Of a task that is copied: what its worker got, and what the shadow worker got.
  struct Pair {
    Sent original, copy;
  };
  Pair route_both(std::uint16_t slot, std::uint32_t ttl_ms = 1'000) {
    auto sent = submit(slot, 1, ttl_ms);
    if (sent.size() != 2) throw std::runtime_error("not one task and one copy");
    EXPECT_EQ(sent[0].to(), worker->address) << "the original leaves first";
    EXPECT_EQ(sent[1].to(), shadow->address);
    return {std::move(sent[0]), std::move(sent[1])};
  }
  const state::TaskCounters& copies() { return rig().counters().mirror; }

  Peer* shadow = nullptr;
};

TEST_F(Mirror, ACopyIsTheTaskAndSaysThatItIsNone) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair both = route_both(3);
  const wire::Header &original = both.original.header(), &copy = both.copy.header();
  EXPECT_TRUE(std::ranges::equal(both.original.parsed.datagram.subspan(wire::kLeadBytes),
                                 both.copy.parsed.datagram.subspan(wire::kLeadBytes)));
  EXPECT_EQ(wire::task_id_of(copy), wire::task_id_of(original));
  EXPECT_EQ(copy.ttl_ms(), original.ttl_ms());
  EXPECT_FALSE(wire::is_shadow(original.flags()));
  EXPECT_EQ(copy.flags(), original.flags() | raw(wire::Flag::Shadow));
  EXPECT_EQ(copy.worker_session(), shadow->session.value);
  EXPECT_EQ(copy.session(), shadow->session.value) << "no client's";
  EXPECT_FALSE(wire::token_of(copy) == wire::token_of(original));
}

TEST_F(Mirror, TheOriginalIsWhatItIsWithoutACopy) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair both = route_both(0);
  ShardRig plain(options);
  // In the same order, so that they have the same numbers.
  plain.add({.service = wire::Service::kShadowWorker, .slots = 8});
  const Peer& sender = plain.add_client({.slots = 1'024});
  plain.add_worker(64);
  plain.publish();
  plain.step();
  plain.send(plain.send_spec(sender, 0, 1));
  plain.step();
  const auto sent = plain.take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(both.original.bytes, sent[0].bytes);
}

TEST_F(Mirror, TheAnswerToACopyIsDropped) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair both = route_both(0);
  const Sent discarded = only(exchange(rig().result_spec(*shadow, both.copy.header())), FrameType::Ack);
  EXPECT_EQ(discarded.to(), shadow->address);
  EXPECT_EQ(discarded.header().reason(), Reason::Discard);
  EXPECT_EQ(copies().delivered.read(), 1U);
  EXPECT_EQ(rig().outstanding(*shadow), 0U);
  const Sent delivered = only(finish(both.original), FrameType::Deliver);
  EXPECT_EQ(delivered.header().worker_session(), worker->session.value);
  const Sent again = only(exchange(rig().result_spec(*shadow, both.copy.header())), FrameType::Ack);
  EXPECT_EQ(again.header().reason(), Reason::Discard) << "its acknowledgement was lost";
}

class MirrorShare : public Mirror, public ::testing::WithParamInterface<std::uint32_t> {};

TEST_P(MirrorShare, OfAThousandTasksIsExact) {
  const std::uint32_t percent = GetParam();
  start_mirroring(percent * (state::kMirrorWhole / 100), 64);
  std::uint32_t copied = 0, latest = 0, gap = 0;
  for (std::uint32_t task = 0; task < 1'000; ++task)
    for (const Sent& frame : submit(0, 1 + task)) {
      const bool copy = frame.to() == shadow->address;
      exchange(rig().result_spec(copy ? *shadow : *worker, frame.header()));
      if (!copy) continue;
      ++copied;
      gap = std::max(gap, task - std::exchange(latest, task));
    }
  EXPECT_EQ(copied, 10 * percent);
  EXPECT_LE(gap, 100 / percent + 1) << "evenly";
}

INSTANTIATE_TEST_SUITE_P(Percent, MirrorShare, ::testing::Values(1U, 5U, 33U, 100U));

TEST_F(Mirror, WithoutRoomThereIsNoCopy) {
  start_mirroring(state::kMirrorWhole, 1);
  route_both(0);
  EXPECT_EQ(route(1).to(), worker->address);
  EXPECT_EQ(rig().counters().mirror_no_worker.read(), 1U);
  EXPECT_EQ(copies().accepted.read(), 1U);
}

TEST_F(Mirror, WithoutAShadowWorkerThereIsNoCopy) {
  start_mirroring(state::kMirrorWhole, 0);
  route(0);
  EXPECT_EQ(rig().counters().mirror_no_worker.read(), 1U);
}

TEST_F(Mirror, ASixteenthOfTheTasksMayBeCopies) {
  options.shard.max_tasks = 64;
  start_mirroring(state::kMirrorWhole, 64);
  for (std::uint16_t slot = 0; slot < 4; ++slot) route_both(slot);
  route(4);
  EXPECT_EQ(rig().counters().mirror_over_cap.read(), 1U);
}

TEST_F(Mirror, CopiesTakeNoBufferThatOthersMayNeed) {
  start_mirroring(state::kMirrorWhole, 64);
  std::vector<net::Packet> held;
  while (rig().shard().spares.room() < kMirroredPerLoop) held.push_back(rig().shard().take_spare());
  // Somebody else has all that are free, but for the one that the SEND comes in: none are made good.
  std::array<net::Packet, 1> packet;
  while (rig().nic().allocate(packet)) held.push_back(std::move(packet[0]));
  rig().nic().free(std::span(held).last(1));
  held.pop_back();
  route(0);
  rig().nic().free(held);
  EXPECT_EQ(rig().counters().mirror_no_buffer.read(), 1U);
}

TEST_F(Mirror, ACopyEndsWithItsTime) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair both = route_both(0, 50);
  finish(both.original);
  exchange(rig().route_ack_spec(*shadow, both.copy.header()));
  for (int ms = 0; ms < 49; ++ms)
    for (const Sent& frame : after_ms(1)) EXPECT_NE(frame.to(), shadow->address) << "nothing of it is said again";
  const Sent cancel = first(after_ms(2), FrameType::Cancel);
  EXPECT_EQ(cancel.to(), shadow->address);
  EXPECT_EQ(copies().expired_routed.read(), 1U);
  exchange(rig().stop_spec(*shadow, cancel.header(), Reason::Stopped));
  EXPECT_EQ(rig().outstanding(*shadow), 0U);
  EXPECT_EQ(copies().in_table(), 0U);
}

TEST_F(Mirror, ACopyIsNeverGivenToAnother) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair returned = route_both(0);
  EXPECT_TRUE(exchange(rig().route_ack_spec(*shadow, returned.copy.header(), Reason::Stopped)).empty());
  EXPECT_EQ(copies().client_lost.read(), 1U);
  route_both(1);
  Peer& other = rig().add({.service = wire::Service::kShadowWorker, .slots = 8});
  rig().withdraw(*shadow);
  rig().end_session(*shadow);
  rig().publish();
  for (const Sent& frame : run_out()) EXPECT_NE(frame.to(), other.address);
  EXPECT_EQ(copies().client_lost.read(), 2U);
  EXPECT_EQ(copies().in_table(), 0U);
}

TEST_F(Mirror, WhatWaitedIsCopiedWhenItGoes) {
  start_mirroring(state::kMirrorWhole, 8, 1);
  const Pair both = route_both(0);
  EXPECT_TRUE(submit(1).empty());
  const auto sent = finish(both.original);
  EXPECT_EQ(count(sent, FrameType::Route), 2U);
  EXPECT_EQ(copies().accepted.read(), 2U);
}

TEST_F(Mirror, ShadowTasksAreNotCopied) {
  start_mirroring(state::kMirrorWhole, 8);
  only(exchange(edited(rig().send_spec(*client, 0, 1),
                       [](wire::Header& header) { header.mutate_flags(raw(wire::Flag::Shadow)); })),
       FrameType::Route);
  EXPECT_EQ(copies().accepted.read(), 0U);
}

TEST_F(Mirror, AClientThatLeavesTakesNoCopyAlong) {
  start_mirroring(state::kMirrorWhole, 8);
  const Pair both = route_both(0);
  rig().end_session(*client);
  run_out();
  EXPECT_EQ(only(exchange(rig().result_spec(*shadow, both.copy.header())), FrameType::Ack).header().reason(),
            Reason::Discard);
  EXPECT_EQ(copies().delivered.read(), 1U);
  exchange(rig().stop_spec(*worker, both.original.header(), Reason::Stopped));
}

TEST_F(Mirror, ABreakerHearsOfCopies) {
  start_mirroring(state::kMirrorWhole, 8);
  const auto outcomes = [&] { return rig().shared.shards[0]->outcomes.read(shadow->worker); };
  const Pair failed = route_both(0), expired = route_both(1, 20);
  exchange(edited(rig().result_spec(*shadow, failed.copy.header()),
                  [](wire::Header& header) { header.mutate_reason(Reason::WorkerError); }));
  EXPECT_EQ(outcomes().count(), 1U);
  EXPECT_TRUE(outcomes().failed(0));
  exchange(rig().route_ack_spec(*worker, expired.original.header()));
  after_ms(25);
  EXPECT_EQ(outcomes().count(), 2U);
  EXPECT_EQ(rig().shared.shards[0]->outcomes.read(worker->worker).count(), 1U) << "the original's, which expired too";
}

}  // namespace
}  // namespace mcplane::dataplane
