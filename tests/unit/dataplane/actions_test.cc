// Workers that are out for one of their actions, as tasks meet them: others do it, few probes get through, and what
// these come to is told apart.
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

constexpr SkillId kEmbed{0}, kGenerate{1};

class Actions : public WorkersTest {
 protected:
  void start_workers(std::size_t count, std::uint16_t slots) {
    client = &rig().add_client();
    PeerSpec spec;
    spec.actions = {"embed", "generate"};
    for (std::size_t i = 0; i < count; ++i) workers.push_back(&rig().add_worker(slots, spec));
    rig().publish();
    step();
  }
  std::vector<Sent> submit(SkillId skill, std::uint16_t slot) {
    FrameSpec spec = rig().send_spec(*client, slot, 1);
    spec.table = wire::write_route_table(skill == kEmbed ? "embed" : "generate", "llama", {}, "");
    return exchange(spec);
  }
  Sent route(SkillId skill, std::uint16_t slot) { return only(submit(skill, slot), FrameType::Route); }
  std::vector<Sent> answer(const Sent& routed, Reason reason = Reason::Ok) {
    return exchange(edited(rig().result_spec(*worker_of(routed), routed.header()),
                           [reason](wire::Header& header) { header.mutate_reason(reason); }));
  }
  state::WorkerLine& line(std::size_t i) { return rig().shared.workers[workers[i]->worker]; }
  // As control does: its own word first, then a new round.
  void put_out(std::size_t i, SkillId skill, std::uint8_t permits = 0) {
    line(i).skills_out = static_cast<std::uint16_t>(1U << raw(skill));
    line(i).leaf->index->skills_out |= state::LoadIndex::skill_bit(raw(skill), 0);
    const auto round = static_cast<state::GateRound>(line(i).round() + 1);
    line(i).skills->set_gate(skill, round, permits);
    line(i).admits = 1U + round;
    state::Command command{};
    command.kind = state::CommandKind::kSetGate;
    command.record.worker = workers[i]->worker;
    command.gate = {.round = round};
    rig().command(ShardId{}, command);
    step();
  }
  state::OutcomeWord word(std::size_t i, SkillId skill) { return line(i).skills->read(ShardId{}, skill); }
  state::OutcomeWord word(std::size_t i) { return rig().shared.shards[0]->outcomes.read(workers[i]->worker); }
  std::uint32_t told() {
    std::uint32_t count = 0;
    rig().shared.shards[0]->outcomes.take_told([&count](WorkerId) { ++count; });
    return count;
  }
};

TEST_F(Actions, OutcomesCountForTheWorkerAndForWhatItDid) {
  start_workers(1, 4);
  answer(route(kEmbed, 0));
  answer(route(kGenerate, 1), Reason::WorkerError);
  EXPECT_EQ(word(0).count(), 2U);
  EXPECT_EQ(word(0, kEmbed).count(), 1U);
  EXPECT_FALSE(word(0, kEmbed).failed(0));
  EXPECT_EQ(word(0, kGenerate).count(), 1U);
  EXPECT_TRUE(word(0, kGenerate).failed(0));
  EXPECT_EQ(told(), 1U);
}

TEST_F(Actions, WhoIsOutForOneDoesTheOther) {
  start_workers(2, 4);
  put_out(0, kEmbed);
  for (std::uint16_t slot = 0; slot < 4; ++slot) EXPECT_EQ(worker_of(route(kEmbed, slot)), workers[1]) << slot;
  EXPECT_TRUE(submit(kEmbed, 4).empty()) << "the other is full: it waits";
  for (std::uint16_t slot = 5; slot < 9; ++slot) EXPECT_EQ(worker_of(route(kGenerate, slot)), workers[0]) << slot;
  EXPECT_EQ(rig().outstanding(*workers[0]), 4U) << "no slot was lost on the way";
  EXPECT_EQ(rig().check_indexes(true), "");
}

TEST_F(Actions, AmongThoseThatAreInTheLessLoadedIsTaken) {
  start_workers(4, 8);
  put_out(3, kEmbed);
  for (std::uint16_t slot = 0; slot < 18; ++slot) route(kEmbed, slot);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(rig().outstanding(*workers[i]), 6U) << i;
  EXPECT_EQ(rig().outstanding(*workers[3]), 0U);
}

TEST_F(Actions, ProbesGoFirstAndAreCounted) {
  start_workers(2, 8);
  put_out(0, kEmbed, 2);
  const Sent first = route(kEmbed, 0), second = route(kEmbed, 1);
  EXPECT_EQ(worker_of(first), workers[0]);
  EXPECT_EQ(worker_of(second), workers[0]);
  for (std::uint16_t slot = 2; slot < 6; ++slot) EXPECT_EQ(worker_of(route(kEmbed, slot)), workers[1]) << slot;
  answer(first);
  EXPECT_EQ(told(), 1U) << "a probe's success is told at once";
  EXPECT_EQ(word(0, kEmbed).count(), 1U);
  EXPECT_TRUE(line(0).skills->probes_run(kEmbed)) << "the second runs";
  answer(second, Reason::WorkerError);
  EXPECT_TRUE(word(0, kEmbed).failed(0));
  EXPECT_FALSE(line(0).skills->probes_run(kEmbed));
}

TEST_F(Actions, AProbeThatItsClientGaveUpLetsAnotherThrough) {
  start_workers(1, 8);
  put_out(0, kEmbed, 1);
  const Sent probe = route(kEmbed, 0);
  EXPECT_TRUE(submit(kEmbed, 1).empty());
  exchange(rig().cancel_spec(*client, 0, 1));
  rig().send(rig().stop_spec(*workers[0], probe.header(), Reason::Stopped));
  EXPECT_EQ(count(run_out(), FrameType::Route), 1U);
  EXPECT_EQ(word(0, kEmbed).count(), 0U);
}

TEST_F(Actions, WhatWasUnderWayWhenItWentOutDoesNotCount) {
  start_workers(1, 8);
  const Sent before = route(kEmbed, 0), other = route(kGenerate, 1);
  put_out(0, kEmbed);
  answer(before, Reason::WorkerError);
  answer(other, Reason::WorkerError);
  EXPECT_EQ(word(0).count(), 0U);
  EXPECT_EQ(word(0, kEmbed).count(), 0U);
  EXPECT_EQ(rig().outstanding(*workers[0]), 0U);
}

TEST_F(Actions, IdleOnesThatAreOutDoNotHideTheOthers) {
  start_workers(64, 4);
  for (std::size_t i = 0; i < 48; ++i) put_out(i, kEmbed);
  // Whoever waits is looked for again in each loop.
  std::size_t routed = 0;
  for (std::uint16_t slot = 0; slot < 64; ++slot) routed += count(submit(kEmbed, slot), FrameType::Route);
  routed += count(run_out(), FrameType::Route);
  for (int loop = 0; loop < 64 && routed < 64; ++loop) routed += count(after_ms(1), FrameType::Route);
  EXPECT_EQ(routed, 64U);
  for (std::size_t i = 0; i < 48; ++i) EXPECT_EQ(rig().outstanding(*workers[i]), 0U) << i;
}

TEST_F(Actions, WithAllOutATaskIsRejectedAtOnce) {
  start_workers(1, 4);
  put_out(0, kEmbed);
  for (const std::uint32_t of : {0U, 1U, 2U})
    line(0).leaf->index->skills_out |= state::LoadIndex::skill_bit(raw(kEmbed), of);
  expect_reject(only(submit(kEmbed, 0), FrameType::Reject), Reason::NoWorker, Executed::No);
  EXPECT_EQ(worker_of(route(kGenerate, 1)), workers[0]);
}

}  // namespace
}  // namespace mcplane::dataplane
