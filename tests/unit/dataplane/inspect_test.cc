// What a core copies of its tasks and routes when control asks, a bounded piece a loop.
#include "dataplane/inspect.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

using state::Inspection;
using state::Selector;

class Inspecting : public PairTest {
 protected:
  // By the mailbox, as control asks.
  const Inspection& ask(const Inspection::Question& question) {
    Inspection& piece = rig().shared.shards[0]->inspection;
    piece.question = question;
    const std::uint32_t before = piece.answered.load();
    state::Command command{};
    command.kind = state::CommandKind::kInspect;
    rig().command(ShardId{0}, command);
    rig().step();
    EXPECT_EQ(piece.answered.load(), before + 1);
    return piece;
  }
  static std::uint32_t only_state(TaskState state) { return 1U << raw(state); }
  static std::string text(const Selector& selector) {
    return {reinterpret_cast<const char*>(selector.bytes.data()), selector.length};
  }
  static Selector beginning(std::string_view bytes) {
    Selector selector;
    selector.length = static_cast<std::uint16_t>(bytes.size());
    std::memcpy(selector.bytes.data(), bytes.data(), bytes.size());
    return selector;
  }
  const std::string kGenerate = std::string("\0\10generate", 10);
};

TEST_F(Inspecting, NobodyAskedNothingIsCopied) {
  start(1);
  route(0);
  EXPECT_EQ(rig().shared.shards[0]->inspection.answered.load(), 0U);
}

TEST_F(Inspecting, ATaskAtItsWorkerAndOneThatWaits) {
  start(1);
  const Sent routed = route(0, 1, 1'000);
  rig().advance_ms(5);
  submit(1, 1, 1'000);
  rig().advance_ms(20);
  rig().step();  // the loop's clock
  const Inspection& piece = ask({});
  ASSERT_EQ(piece.count, 2U);
  EXPECT_FALSE(piece.more);
  const state::TaskCopy &first = piece.tasks[0], &second = piece.tasks[1];
  EXPECT_EQ(first.token, wire::token_of(routed.header()));
  EXPECT_EQ(first.id, wire::task_id_of(routed.header()));
  EXPECT_EQ(first.state, TaskState::kRouted);
  EXPECT_EQ(first.attempt, 1);
  EXPECT_EQ(first.client, client->session);
  EXPECT_EQ(first.worker, worker->session);
  EXPECT_EQ(first.age_ms, 25U);
  EXPECT_EQ(first.ttl_left_ms, 975);
  EXPECT_EQ(text(first.selector).substr(0, kGenerate.size()), kGenerate);
  EXPECT_EQ(second.state, TaskState::kQueued);
  EXPECT_EQ(second.slot, 1);
  EXPECT_EQ(second.queued_us, 20'000U);
  EXPECT_EQ(second.worker, SessionId{});
  EXPECT_EQ(second.waiting_in_route, 1U);
}

TEST_F(Inspecting, OnlyWhatIsAskedFor) {
  start(1);
  const Sent routed = route(0);
  submit(1);
  EXPECT_EQ(ask({.states = only_state(TaskState::kQueued)}).tasks[0].state, TaskState::kQueued);
  EXPECT_EQ(ask({.states = only_state(TaskState::kQueued)}).count, 1U);
  EXPECT_EQ(ask({.states = only_state(TaskState::kPulling)}).count, 0U);
  EXPECT_GE(ask({.id = wire::task_id_of(routed.header())}).count, 1U);
  EXPECT_EQ(ask({.id = wire::Id16{1}}).count, 0U);
  EXPECT_EQ(ask({.route = beginning(kGenerate)}).count, 2U);
  EXPECT_EQ(ask({.route = beginning(std::string("\0\5paint", 7))}).count, 0U);
  const std::uint32_t slot = wire::token_of(routed.header()).index();
  EXPECT_EQ(ask({.from = slot, .to = slot + 1}).count, 1U);
}

TEST_F(Inspecting, ATaskWhoseAnswerIsOnItsWayIsThereUntilItsClientKnows) {
  start(1);
  const Sent delivered = only(finish(route(0)), FrameType::Deliver);
  const Inspection& piece = ask({});
  ASSERT_EQ(piece.count, 1U);
  EXPECT_EQ(piece.tasks[0].state, TaskState::kDelivering);
  exchange(rig().outcome_ack_spec(*client, delivered.header()));
  EXPECT_EQ(ask({}).count, 0U);
}

TEST_F(Inspecting, APieceIsBoundedAndTheNextGoesOn) {
  start(256);
  constexpr std::uint32_t kTasks = 2 * Inspection::kCopiesMax + 1;
  for (std::uint16_t slot = 0; slot < kTasks; ++slot) route(slot);
  std::uint32_t from = 0, seen = 0, pieces = 0;
  for (bool more = true; more; ++pieces) {
    const Inspection& piece = ask({.from = from});
    EXPECT_LE(piece.count, Inspection::kCopiesMax);
    seen += piece.count;
    from = piece.next;
    more = piece.more;
  }
  EXPECT_EQ(seen, kTasks);
  EXPECT_EQ(pieces, 3U);
}

TEST_F(Inspecting, WhoWaitsForWhichSelectorByClass) {
  start(1);
  route(0);
  exchange(with_priority(rig().send_spec(*client, 1, 1), 0));
  exchange(with_priority(rig().send_spec(*client, 2, 1), 3));
  exchange(with_priority(rig().send_spec(*client, 3, 1), 3));
  const Inspection& piece = ask({.subject = Inspection::Subject::kRoutes});
  ASSERT_EQ(piece.count, 1U);
  EXPECT_EQ(piece.routes[0].waiting, (std::array<std::uint32_t, wire::kPriorities>{1, 0, 0, 2}));
  EXPECT_EQ(text(piece.routes[0].selector).substr(0, kGenerate.size()), kGenerate);
}

}  // namespace
}  // namespace mcplane::dataplane
