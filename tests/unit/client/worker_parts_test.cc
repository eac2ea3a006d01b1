// A worker's tasks and answers in parts: assembly, shared grants, streams, and what is kept of them for how long.
#include <string>

#include "unit/client/worker_fixture.h"

namespace mcplane::client {
namespace {

constexpr Attempt kAttempt = {.token = {1, 1}, .number = 1};

class WorkerPartsTest : public WorkerEngineTest {
 protected:
  // A task's ROUTEs: all have `part_bytes` behind the header, the last the rest.
  std::vector<Frame> routes(const Attempt& attempt, std::size_t prompt_bytes, std::size_t part_bytes = 1'000) {
    payload_ = wire::write_task_payload({.prompt = std::string(prompt_bytes, 'p'), .history = {}, .parameters = {}});
    const Frame whole = route(attempt);
    const auto message = whole.bytes().subspan(wire::kLeadBytes);
    std::vector<Frame> parts;
    for (std::size_t at = 0; at < message.size(); at += part_bytes) {
      Frame part(FrameType::Route, message.subspan(at, std::min(part_bytes, message.size() - at)));
      part.header() = wire::header_of(whole.bytes());
      if (at > 0) part.header().mutate_table_length(0);
      part.header().mutate_fragment_index(static_cast<std::uint16_t>(parts.size()));
      parts.push_back(part);
    }
    return parts;
  }
  Frame grant(const Attempt& attempt, std::uint16_t next, std::uint16_t limit) {
    Frame frame(FrameType::Grant);
    wire::Header& header = frame.header();
    header.mutate_answers(FrameType::Result);
    header.mutate_boot_id(life_.boot_id);
    header.mutate_session(life_.session);
    header.mutate_worker_session(life_.session);
    header.mutate_attempt(attempt.number);
    wire::set_token(header, attempt.token);
    wire::set_grant(header, next, limit);
    return frame;
  }
  // The limits of the GRANTs sent since the last look, by task.
  std::map<std::uint32_t, std::vector<std::uint16_t>> take_limits(const std::vector<Sent>& sent) {
    std::map<std::uint32_t, std::vector<std::uint16_t>> limits;
    for (const Sent& one : sent)
      if (one.header().type() == FrameType::Grant)
        limits[one.header().token_index()].push_back(wire::grant_limit(one.header()));
    return limits;
  }
  std::vector<Assignment> take_assigned() { return std::exchange(assigned_, {}); }
  bool emit(const std::string& text) { return engine_.emit(kAttempt.token, 1, text, now_, out_); }
  std::size_t room() { return engine_.emit_room(kAttempt.token, 1); }
  // The parts sent since the last look, each with its text.
  struct Part {
    std::uint16_t number;
    bool more;
    std::string text;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> take_parts() {
    std::vector<Part> parts;
    for (const auto& sent : take_sent(out_)) {
      if (sent.header().type() != FrameType::Result) continue;
      const auto text = wire::read_answer(wire::payload_of(sent.frame.bytes()));
      parts.push_back({sent.header().fragment_index(), wire::has(sent.header().flags(), wire::Flag::More),
                       std::string(text.value_or("-"))});
    }
    return parts;
  }
};

TEST_F(WorkerPartsTest, TaskIsAssignedWhenAllOfItHasCome) {
  const auto parts = routes(kAttempt, 3'500);
  ASSERT_EQ(parts.size(), 4U);
  receive(parts[0]);
  const auto first = take_one(out_, FrameType::Grant);
  EXPECT_EQ(first.to, shard_of(life_));
  EXPECT_EQ(first.header().answers(), FrameType::Send);
  EXPECT_EQ(wire::grant_next(first.header()), 1);
  EXPECT_EQ(wire::grant_limit(first.header()), 65);
  EXPECT_EQ(wire::token_of(first.header()), kAttempt.token);
  receive(parts[3]);  // early
  EXPECT_EQ(wire::grant_next(take_one(out_, FrameType::Grant).header()), 1);
  receive(parts[1]);
  EXPECT_TRUE(assigned_.empty());
  now_ += 2'000 * kMs;
  receive(parts[2]);
  EXPECT_EQ(wire::grant_next(take_one(out_, FrameType::Grant).header()), 4);
  ASSERT_EQ(assigned_.size(), 1U);
  EXPECT_EQ(wire::read_task_payload(assigned_[0].payload)->prompt, std::string(3'500, 'p'));
  EXPECT_EQ(assigned_[0].route->action, "generate");
  EXPECT_EQ(assigned_[0].ttl_ms, 28'000U);
  // Its sender has not heard that it is here.
  receive(parts[0]);
  EXPECT_EQ(wire::grant_next(take_one(out_, FrameType::Grant).header()), 4);
  receive(parts[2]);
  EXPECT_EQ(wire::grant_next(take_one(out_, FrameType::Grant).header()), 4);
  EXPECT_EQ(assigned_.size(), 1U);
  EXPECT_TRUE(finish(kAttempt));
}

TEST_F(WorkerPartsTest, PartsThatContradictEachOtherEndTheTask) {
  const std::vector<void (*)(Frame&)> edits = {
      [](Frame& part) { part.header().mutate_message_length(part.header().message_length() + 1); },
      [](Frame& part) { part = Frame(part.bytes().first(part.bytes().size() - 4)); },
      [](Frame& part) { part.header().mutate_fragment_index(9); }};
  std::uint32_t generation = 1;
  for (const auto edit : edits) {
    const Attempt attempt = {.token = {1, ++generation}, .number = 1};
    auto parts = routes(attempt, 3'500);
    receive(parts[0]);
    out_.clear();
    edit(parts[1]);
    receive(parts[1]);
    EXPECT_EQ(take_one(out_, FrameType::Result).header().reason(), wire::Reason::Malformed);
    EXPECT_EQ(engine_.running(), 0U);
    receive(parts[2]);
    EXPECT_TRUE(assigned_.empty());
  }
}

TEST_F(WorkerPartsTest, FewTasksAreGrantedAtOnceTheShortestFirst) {
  // As many as two slots and what the broker sends ahead of them.
  std::vector<std::vector<Frame>> tasks;
  for (std::uint32_t i = 0; i < 6; ++i) tasks.push_back(routes({.token = {i, 1}, .number = 1}, 9'000 - i * 1'000));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    receive(tasks[i][0]);
    now_ += 2 * kMs;
    run_timers();
    auto sent = take_sent(out_);
    std::erase_if(sent, [](const Sent& one) { return one.header().type() != FrameType::Grant; });
    ASSERT_FALSE(sent.empty()) << i;
    EXPECT_EQ(wire::grant_limit(sent.back().header()), i == 0 ? 65 : i == 1 ? 33 : 1) << i;
  }
  for (std::size_t part = 1; part < tasks[0].size(); ++part) receive(tasks[0][part]);
  EXPECT_EQ(take_assigned().size(), 1U);
  run_timers();
  std::vector<std::uint32_t> opened;
  for (const auto& sent : take_sent(out_))
    if (sent.header().type() == FrameType::Grant && sent.header().token_index() >= 2)
      opened.push_back(sent.header().token_index());
  EXPECT_EQ(opened, std::vector<std::uint32_t>{5});
}

// A GRANT that was lost would hold its place until its sender asks, which it does ever more rarely.
TEST_F(WorkerPartsTest, SilentTaskIsGrantedAgainAndLeavesItsPlace) {
  std::vector<std::vector<Frame>> tasks;
  for (std::uint32_t i = 0; i < 4; ++i) tasks.push_back(routes({.token = {i, 1}, .number = 1}, 9'000));
  const std::uint64_t granted_ns = now_;
  for (const auto& task : tasks) receive(task[0]);
  pass_until(granted_ns + 10 * kMs);
  receive(tasks[1][1]);
  auto limits = take_limits(pass_until(granted_ns + 19 * kMs));
  EXPECT_EQ(limits.size(), 1U) << "that of the part";
  limits = take_limits(pass_until(granted_ns + 22 * kMs));
  EXPECT_EQ(limits[0], std::vector<std::uint16_t>{65});
  EXPECT_EQ(limits[2], std::vector<std::uint16_t>{33}) << "who has waited longest, and shares with who sends";
  EXPECT_EQ(limits.size(), 2U);
  // What it was granted it has all the same, whenever that comes.
  for (const auto& task : tasks) {
    for (std::size_t part = 1; part < task.size(); ++part) receive(task[part]);
    run_timers();
  }
  EXPECT_EQ(take_assigned().size(), 4U);
  take_sent(out_);
  EXPECT_TRUE(take_limits(pass_until(now_ + 1'000 * kMs)).empty());
}

TEST_F(WorkerPartsTest, SilentTaskIsGrantedAgainEverMoreRarely) {
  const auto parts = routes(kAttempt, 3'500);
  receive(parts[0]);
  EXPECT_EQ(take_limits(pass_until(now_ + 1'000 * kMs))[1].size(), 9U) << "at 0, 20, 60, 140, 300 ms, and each 160 on";
  receive(parts[1]);
  take_sent(out_);
  EXPECT_EQ(take_limits(pass_until(now_ + 50 * kMs))[1].size(), 2U) << "one of the part, and 20 ms later";
}

TEST_F(WorkerPartsTest, MalformedTaskLeavesItsPlace) {
  std::vector<std::vector<Frame>> tasks;
  for (std::uint32_t i = 0; i < 3; ++i) tasks.push_back(routes({.token = {i, 1}, .number = 1}, 9'000));
  for (const auto& task : tasks) receive(task[0]);
  take_sent(out_);
  tasks[0][1].header().mutate_message_length(tasks[0][1].header().message_length() + 1);
  receive(tasks[0][1]);
  EXPECT_EQ(take_limits(pass_until(now_ + kMs))[2].back(), 33);
}

TEST_F(WorkerPartsTest, WithoutRoomNothingIsSaid) {
  // Four of the longest fill it.
  for (std::uint32_t i = 0; i < 5; ++i) {
    auto part = routes({.token = {i, 1}, .number = 1}, 2'000)[0];
    part.header().mutate_message_length(wire::kMessageBytesMax);
    receive(part);
  }
  EXPECT_EQ(engine_.running(), 4U);
  EXPECT_EQ(take_sent(out_).size(), 2U) << "who waits is told later";
  const auto limits = take_limits(pass_until(now_ + 2 * kMs));
  EXPECT_EQ(limits.size(), 2U);
  EXPECT_FALSE(limits.contains(4)) << "there is no room for it";
  EXPECT_EQ(engine_.dropped(), 1U);
}

TEST_F(WorkerPartsTest, CancelOfWhatHasNotAllComeStopsIt) {
  const auto parts = routes(kAttempt, 3'500);
  receive(parts[0]);
  out_.clear();
  receive(cancel(kAttempt));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), wire::Reason::Stopped);
  receive(parts[1]);
  receive(parts[0]);
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), wire::Reason::Stopped);
  EXPECT_EQ(engine_.running(), 0U);
}

TEST_F(WorkerPartsTest, StreamGoesAsItIsMade) {
  receive(route(kAttempt));
  EXPECT_TRUE(emit("a"));
  EXPECT_EQ(take_parts(), (std::vector<Part>{{0, true, "a"}}));
  EXPECT_TRUE(emit("b"));
  EXPECT_TRUE(finish(kAttempt));
  EXPECT_EQ(take_parts(), (std::vector<Part>{{1, true, "b"}, {2, false, "hello"}}));
  EXPECT_EQ(engine_.running(), 0U);
  EXPECT_FALSE(emit("c"));
  receive(grant(kAttempt, 3, 67));
  EXPECT_EQ(engine_.kept(), 1U);  // until the broker has the client's word
  receive(test::acknowledge_result(life_, 1));
  EXPECT_TRUE(engine_.idle());
}

TEST_F(WorkerPartsTest, LongPieceIsSplit) {
  receive(route(kAttempt));
  EXPECT_TRUE(emit(std::string(3'000, 'x')));
  std::string all;
  for (const auto& part : take_parts()) all += part.text;
  EXPECT_EQ(all, std::string(3'000, 'x'));
}

TEST_F(WorkerPartsTest, StreamWaitsForItsClient) {
  receive(route(kAttempt));
  std::size_t emitted = 0;
  for (; room() > 0; ++emitted) ASSERT_TRUE(emit("x"));
  EXPECT_EQ(emitted, 64U);
  EXPECT_EQ(take_parts().size(), wire::kUnscheduledParts);
  receive(grant(kAttempt, 16, 80));
  EXPECT_EQ(take_parts().size(), 48U);
  EXPECT_EQ(room(), 16U);
}

// A client that has all there is and grants nothing more is asked with the part that it has.
TEST_F(WorkerPartsTest, ProbesWhenTheLimitHoldsItUp) {
  receive(route(kAttempt));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(emit(std::to_string(i)));
  take_parts();
  receive(grant(kAttempt, 16, 16));
  EXPECT_EQ(take_parts(), std::vector<Part>{});
  const auto probes = pass_until(now_ + 500 * kMs);
  ASSERT_FALSE(probes.empty());
  for (const auto& probe : probes) {
    EXPECT_EQ(probe.header().fragment_index(), 15);
    EXPECT_TRUE(wire::has(probe.header().flags(), wire::Flag::Retry));
    EXPECT_EQ(wire::read_answer(wire::payload_of(probe.frame.bytes())), "15");
  }
  receive(grant(kAttempt, 16, 80));
  EXPECT_EQ(take_parts().size(), 4U);
}

TEST_F(WorkerPartsTest, SilentStreamGivesASignOfLife) {
  receive(route(kAttempt));
  ASSERT_TRUE(emit("x"));
  take_parts();
  receive(grant(kAttempt, 1, 65));
  const auto signs = pass_until(now_ + 1'100 * kMs);
  ASSERT_FALSE(signs.empty());
  EXPECT_EQ(signs[0].header().fragment_index(), 1);
  EXPECT_TRUE(wire::payload_of(signs[0].frame.bytes()).empty());
  EXPECT_EQ(signs[0].at_ns, kStart + 1'000 * kMs);
}

TEST_F(WorkerPartsTest, CancelledStreamStopsWhenItsHandlerDoes) {
  receive(route(kAttempt));
  ASSERT_TRUE(emit("x"));
  EXPECT_FALSE(engine_.cancelled(kAttempt.token, 1));
  out_.clear();
  receive(cancel(kAttempt));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), wire::Reason::Running);
  EXPECT_TRUE(engine_.cancelled(kAttempt.token, 1));
  EXPECT_FALSE(emit("y"));
  EXPECT_TRUE(finish(kAttempt));
  const auto stopped = take_one(out_, FrameType::Ack);
  EXPECT_EQ(stopped.header().answers(), FrameType::Cancel);
  EXPECT_EQ(stopped.header().reason(), wire::Reason::Stopped);
  EXPECT_TRUE(engine_.idle());
}

TEST_F(WorkerPartsTest, LostPartIsSentAgainAndTheAnswerKeptUntilItIsThere) {
  receive(route(kAttempt));
  answer_ = wire::write_answer(std::string(20'000, 'a'));
  ASSERT_TRUE(finish(kAttempt));
  const auto parts = take_parts();
  ASSERT_EQ(parts.size(), 15U);
  EXPECT_EQ(std::ranges::count_if(parts, &Part::more), 14);
  std::vector<std::byte> bitmap(4);
  bitmap[0] = std::byte{0x0f};  // 6 to 9: part 5 is missing
  Frame gap(FrameType::Grant, bitmap);
  gap.header() = grant(kAttempt, 5, 69).header();
  gap.header().mutate_message_length(4);
  receive(gap);
  take_parts();
  now_ += 1'000 * kMs;  // by any measure a round trip
  receive(gap);
  const auto again = take_parts();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].number, 5);
  receive(test::pull_result(life_, kAttempt));
  EXPECT_EQ(take_parts().back().number, 14);
  receive(test::acknowledge_result(life_, 1, wire::Reason::Discard));
  EXPECT_TRUE(engine_.idle());
}

TEST_F(WorkerPartsTest, AnotherSessionForgetsThemAll) {
  receive(routes({.token = {2, 1}, .number = 1}, 3'500)[0]);
  payload_ = wire::write_task_payload({.prompt = "hi", .history = {}, .parameters = {}});
  receive(route(kAttempt));
  ASSERT_TRUE(emit("x"));
  receive(test::unknown_session(life_));
  now_ = std::max(now_, engine_.session().next_timer_ns());
  run_timers();
  life_.session += 1;
  register_with(life_);
  EXPECT_TRUE(engine_.idle());
  EXPECT_TRUE(engine_.cancelled(kAttempt.token, 1));
  EXPECT_FALSE(emit("y"));
}

}  // namespace
}  // namespace mcplane::client
