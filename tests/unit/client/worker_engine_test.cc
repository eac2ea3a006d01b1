// The worker engine against frames written by hand: no attempt is handed out twice.
#include "client/worker_engine.h"

#include <gtest/gtest.h>

#include <map>

#include "unit/client/worker_fixture.h"

namespace mcplane::client {
namespace {

TEST_F(WorkerEngineTest, RouteIsHandedOutWithAllItSays) {
  const Attempt attempt;
  auto frame = route(attempt);
  frame.header().mutate_flags(raw(wire::Flag::Idempotent));
  receive(frame);
  ASSERT_EQ(assigned_.size(), 1U);
  EXPECT_EQ(assigned_[0].token, attempt.token);
  EXPECT_EQ(assigned_[0].attempt, 1);
  EXPECT_EQ(assigned_[0].flags, raw(wire::Flag::Idempotent));
  EXPECT_EQ(assigned_[0].ttl_ms, 30'000U);
  EXPECT_EQ(assigned_[0].task_id[3], 4);
  EXPECT_EQ(assigned_[0].route->action, "generate");
  EXPECT_EQ(assigned_[0].route->model, "m");
  EXPECT_EQ(assigned_[0].route->tags[0], "gpu");
  EXPECT_EQ(assigned_[0].route->task_id_text, "my task");
  EXPECT_EQ(wire::read_task_payload(assigned_[0].payload)->prompt, "hi");
  EXPECT_EQ(engine_.running(), 1U);
}

// A table like the last one is not verified again; any other is.
TEST_F(WorkerEngineTest, EachRouteSaysWhatItsOwnTableSays) {
  const std::vector<std::byte> first = table_, second = wire::write_route_table("generate", "other", {}, "");
  std::vector<std::byte> broken = second;
  broken[0] = std::byte{0xff};
  const auto model_of = [&](std::uint32_t location, const std::vector<std::byte>& table) {
    assigned_.clear();
    table_ = table;
    receive(route({{location, 1}, 1}));
    return assigned_.empty() ? "none" : std::string(assigned_[0].route->model);
  };
  EXPECT_EQ(model_of(1, first), "m");
  EXPECT_EQ(model_of(2, first), "m");
  EXPECT_EQ(model_of(3, second), "other");
  EXPECT_EQ(model_of(4, broken), "none");
  EXPECT_EQ(model_of(5, broken), "none");
  EXPECT_EQ(model_of(6, second), "other");
  EXPECT_EQ(model_of(7, first), "m");
  EXPECT_EQ(engine_.dropped(), 2U);
}

TEST_F(WorkerEngineTest, ResultGoesToTheSourceOfTheRouteWithItsFields) {
  const Attempt attempt{{0x02000009, 77}, 3};
  const wire::Endpoint other_shard{kBroker.ip, 4803};
  const auto routed = route(attempt);
  receive(routed, other_shard);
  now_ += 5 * kMs;
  ASSERT_TRUE(finish(attempt));
  const auto result = take_one(out_, FrameType::Result);
  const auto& header = result.header();
  const auto& asked = wire::header_of(routed.bytes());
  EXPECT_EQ(result.to, other_shard);
  EXPECT_EQ(wire::token_of(header), attempt.token);
  EXPECT_EQ(header.attempt(), 3);
  EXPECT_EQ(header.boot_id(), life_.boot_id);
  EXPECT_EQ(header.session(), asked.session());
  EXPECT_EQ(header.worker_session(), life_.session);
  EXPECT_EQ(wire::task_id_of(header), wire::task_id_of(asked));
  EXPECT_EQ(header.trace_id()->Get(0), 101);
  EXPECT_EQ(header.sequence(), 1U);
  EXPECT_EQ(header.worker_us(), 5'000U);
  EXPECT_EQ(header.reason(), wire::Reason::Ok);
  EXPECT_EQ(header.message_length(), answer_.size());
  EXPECT_EQ(wire::read_answer(wire::payload_of(result.frame.bytes())), "hello");
  EXPECT_EQ(engine_.running(), 0U);
  EXPECT_EQ(engine_.executed(), 1U);
}

TEST_F(WorkerEngineTest, HandlersErrorIsSaid) {
  receive(route({}));
  ASSERT_TRUE(finish({}, true));
  EXPECT_EQ(take_one(out_, FrameType::Result).header().reason(), wire::Reason::WorkerError);
}

TEST_F(WorkerEngineTest, AnswerThatFitsNoFrameGoesInParts) {
  const std::vector<std::byte> most(1472 - wire::kLeadBytes);
  const std::vector<std::byte> more = wire::write_answer(std::string(1472, 'a'));
  receive(route({{1, 1}, 1}));
  ASSERT_TRUE(engine_.finish({1, 1}, 1, most, false, now_, out_));
  EXPECT_EQ(take_one(out_, FrameType::Result).header().reason(), wire::Reason::Ok);
  receive(route({{2, 1}, 1}));
  ASSERT_TRUE(engine_.finish({2, 1}, 1, more, false, now_, out_));
  const auto parts = take_sent(out_);
  ASSERT_EQ(parts.size(), 2U);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    EXPECT_EQ(parts[part].header().type(), FrameType::Result);
    EXPECT_EQ(parts[part].header().fragment_index(), part);
    EXPECT_EQ(wire::has(parts[part].header().flags(), wire::Flag::More), part == 0);
    EXPECT_EQ(parts[part].header().sequence(), 2U);
    EXPECT_LE(parts[part].frame.bytes().size(), 1472U);
  }
}

TEST_F(WorkerEngineTest, BothGenerationsOfATokenMayRun) {
  receive(route({{5, 1}, 1}));
  receive(route({{5, 2}, 1}));
  EXPECT_EQ(engine_.running(), 2U);
  EXPECT_TRUE(finish({{5, 2}, 1}));
  EXPECT_TRUE(finish({{5, 1}, 1}));
}

TEST_F(WorkerEngineTest, TasksBeyondItsRoomAreDropped) {
  for (std::uint32_t i = 0; i < 40; ++i) receive(route({{i, 1}, 1}));
  EXPECT_EQ(engine_.running(), 20U);
  EXPECT_EQ(assigned_.size(), 20U);
  EXPECT_EQ(engine_.dropped(), 20U);
}

TEST_F(WorkerEngineTest, ForeignAndUnsoundDatagramsChangeNothing) {
  const auto altered = [&](auto change) {
    Frame frame = route({});
    change(frame);
    return frame;
  };
  receive(route({}), {wire::IpAddress::v4({10, 0, 0, 9}), 4801});
  receive(altered([](auto& frame) { frame.header().mutate_boot_id(1); }));
  receive(altered([](auto& frame) { frame.header().mutate_worker_session(1); }));
  receive(altered([](auto& frame) { frame.header().mutate_attempt(0); }));
  receive(altered([](auto& frame) { frame.header().mutate_message_length(9); }));
  receive(altered([](auto& frame) { frame.mutable_bytes()[wire::kLeadBytes] = std::byte{0xff}; }));
  receive(test::cancel({.boot_id = 1}, numbered({})));
  EXPECT_TRUE(assigned_.empty());
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(engine_.dropped(), 7U);
}

// Against a plain map, through collisions and wrap-around.
TEST(RunningTasksTest, HoldsExactlyWhatWasInserted) {
  constexpr std::size_t kCapacity = 24;
  RunningTasks tasks(kCapacity);
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> model;
  Random random(3);
  for (int step = 0; step < 20'000; ++step) {
    const TaskToken token{random.below(40), random.below(3)};
    RunningTask* found = tasks.find(token, 1);
    ASSERT_EQ(found != nullptr, model.contains({token.location, token.generation}));
    if (found != nullptr) {
      tasks.erase(found);
      model.erase({token.location, token.generation});
      continue;
    }
    wire::Header header;
    wire::set_token(header, token);
    header.mutate_attempt(1);
    const bool inserted = tasks.try_insert(header) != nullptr;
    ASSERT_EQ(inserted, model.size() < kCapacity);
    if (inserted) model[{token.location, token.generation}] = true;
    ASSERT_EQ(tasks.size(), model.size());
  }
}

}  // namespace
}  // namespace mcplane::client
