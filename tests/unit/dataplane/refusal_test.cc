// SENDs that never become a task: each refused in the loop it arrives in, in its own buffer, with executed No.
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

class Refusals : public PairTest {
 protected:
  Bytes table(std::string_view action) { return wire::write_route_table(action, "", {}, ""); }
  FrameSpec send_to(std::string_view action, std::uint16_t slot) {
    FrameSpec spec = rig().send_spec(*client, slot, 1);
    spec.table = table(action);
    return spec;
  }
  void expect_refused(const FrameSpec& spec, Reason reason) {
    const std::size_t length = testing::build_frame(spec).size();
    const Sent reject = only(exchange(spec), FrameType::Reject);
    expect_reject(reject, reason, Executed::No);
    EXPECT_EQ(reject.header().answers(), FrameType::Send);
    EXPECT_EQ(reject.header().session(), client->session.value);
    EXPECT_EQ(reject.header().sequence(), 1U);
    EXPECT_EQ(reject.header().ttl_ms(), options.shard.retry_after_ms);
    EXPECT_EQ(reject.to(), client->address);
    EXPECT_LT(reject.bytes.size(), length);
    EXPECT_EQ(rig().counters().rejected[raw(reason)].read(), 1U);
  }
};

TEST_F(Refusals, NoWorkerServesTheSelector) {
  start(1);
  expect_refused(send_to("fly", 0), Reason::NoWorker);
  EXPECT_EQ(rig().counters().accepted.read(), 0U);
}

TEST_F(Refusals, TheWaitingLineIsFull) {
  options.shard.max_queued = 3;
  start(1);
  const Sent running = route(0);
  for (std::uint16_t slot = 1; slot <= 3; ++slot) EXPECT_TRUE(submit(slot).empty());
  expect_refused(rig().send_spec(*client, 4, 1), Reason::QueueFull);
  EXPECT_EQ(slot_of(*client, 4).state, ClientSlot::State::kRefused);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 3U);
  EXPECT_EQ(rig().counters().repeated.read(), 0U);
  expect_reject(only(exchange(rig().send_spec(*client, 4, 1)), FrameType::Reject), Reason::QueueFull, Executed::No);
  EXPECT_EQ(rig().counters().repeated.read(), 1U) << "the same task, told once more";
}

TEST_F(Refusals, TheTaskTableIsFull) {
  options.shard.max_tasks = 4;
  start(64);
  std::vector<Sent> routed;
  for (std::uint16_t slot = 0; slot < 4; ++slot) routed.push_back(route(slot));
  expect_refused(rig().send_spec(*client, 4, 1), Reason::TableFull);
  EXPECT_EQ(rig().outstanding(*worker), 4U) << "the slot acquired for it went back";
  finish(routed[2]);
  EXPECT_EQ(submit(4, 2).size(), 1U);
}

TEST_F(Refusals, AllRoutesOfItsCacheSetWait) {
  options.shard.max_routes = 4;  // one set
  client = &rig().add_client();
  for (const char* action : {"a", "b", "c", "d", "e"}) rig().add_worker(1, {.actions = {action}});
  rig().publish();
  step();
  std::uint16_t slot = 0;
  for (const char* action : {"a", "b", "c", "d"}) {
    EXPECT_EQ(exchange(send_to(action, slot++)).size(), 1U);
    EXPECT_TRUE(exchange(send_to(action, slot++)).empty());
  }
  expect_refused(send_to("e", slot), Reason::TableFull);
}

TEST_F(Refusals, TheRouteTableIsUnsound) {
  start(1);
  FrameSpec spec = rig().send_spec(*client, 0, 1);
  std::ranges::fill(spec.table, std::byte{0xff});
  expect_refused(spec, Reason::Malformed);
  EXPECT_EQ(rig().shard().tasks.in_use(), 0U);
}

TEST_F(Refusals, TheTaskFitsItsOwnFamilyButNotTheLargerHeadersOfTheOther) {
  start(1);
  FrameSpec spec = rig().send_spec(*client, 0, 1);
  spec.payload.resize(options.shard.datagram_bytes_max - wire::kLeadBytes - spec.table.size() + 1);
  expect_refused(spec, Reason::TooLarge);
  spec.payload.pop_back();
  spec.edit = rig().send_spec(*client, 0, 2).edit;
  EXPECT_EQ(only(exchange(spec), FrameType::Route).parsed.datagram.size(), options.shard.datagram_bytes_max);
}

TEST_F(Refusals, TheBrokerDrains) {
  start(1);
  const Sent running = route(0);
  submit(1);
  state::Command drain{};
  drain.kind = state::CommandKind::kDrain;
  rig().command(ShardId{0}, drain);
  step();
  expect_refused(rig().send_spec(*client, 2, 1), Reason::Draining);
  EXPECT_EQ(finish(running).size(), 2U) << "accepted tasks still run";
  drain.kind = state::CommandKind::kResume;
  rig().command(ShardId{0}, drain);
  step();
  EXPECT_TRUE(submit(3).empty()) << "and new ones wait again";
  EXPECT_EQ(rig().counters().accepted.read(), 3U);
}

TEST_F(Refusals, AWorkerThatAdmitsNothingIsNoWorker) {
  start(1);
  rig().withdraw(*worker);
  expect_refused(rig().send_spec(*client, 0, 1), Reason::NoWorker);
}

TEST_F(Refusals, NoQueueAtAllRefusesWhatFindsNoWorkerFree) {
  options.shard.max_queued = 0;
  start(1);
  const Sent running = route(0);
  expect_refused(rig().send_spec(*client, 1, 1), Reason::QueueFull);
}

}  // namespace
}  // namespace mcplane::dataplane
