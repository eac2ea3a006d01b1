// A client's tasks and answers in parts: what is sent for which GRANT, and that answers come in order and once.
#include <string>

#include "unit/client/client_fixture.h"

namespace mcplane::client {
namespace {

constexpr TaskToken kToken = {0x0100'0007, 3};

class ClientPartsTest : public ClientEngineTest {
 protected:
  // Part 0 of a task of several parts.
  Frame send_long(std::uint64_t context, std::size_t prompt_bytes = 5'000) {
    payload_ = wire::write_task_payload({.prompt = std::string(prompt_bytes, 'p'), .history = {}, .parameters = {}});
    return send(context);
  }
  Frame grant(const Frame& send, std::uint16_t next, std::uint16_t limit, std::uint8_t attempt = 1) {
    Frame frame(FrameType::Grant);
    frame.header() = wire::header_of(send.bytes());
    wire::Header& header = frame.header();
    header.mutate_type(FrameType::Grant);
    header.mutate_flags(0);
    header.mutate_answers(FrameType::Send);
    header.mutate_table_length(0);
    header.mutate_message_length(0);
    header.mutate_attempt(attempt);
    wire::set_token(header, {kToken.location, kToken.generation + attempt});
    wire::set_grant(header, next, limit);
    return frame;
  }
  Frame part(const Frame& send, std::uint32_t number, std::string_view text, bool more = true) {
    const auto answer = wire::write_answer(text);
    Frame frame = test::deliver(send.bytes(), answer);
    wire::set_token(frame.header(), kToken);
    frame.header().mutate_fragment_index(static_cast<std::uint16_t>(number));
    frame.header().mutate_flags(more ? raw(wire::Flag::More) : 0);
    return frame;
  }
  // Texts of the pieces that have come, in order; the end is "text.".
  std::vector<std::string> take_pieces() {
    std::vector<std::string> pieces;
    for (const Completion& completion : take_done())
      pieces.push_back(std::string(*wire::read_answer(completion.payload)) + (completion.more ? "" : "."));
    return pieces;
  }
  using Texts = std::vector<std::string>;
};

TEST_F(ClientPartsTest, TaskGoesAsFarAsItIsGranted) {
  const Frame first = send_long(1);
  const std::uint32_t message_bytes = wire::header_of(first.bytes()).message_length();
  EXPECT_EQ(message_bytes, table_.size() + payload_.size());
  receive(test::acknowledge(first.bytes()));
  receive(grant(first, 1, 3));
  auto sent = take_sent(out_);
  ASSERT_EQ(sent.size(), 2U);
  receive(grant(first, 2, 66));
  for (auto& rest : take_sent(out_)) sent.push_back(std::move(rest));
  ASSERT_EQ(sent.size(), 3U);
  std::vector<std::byte> all(first.bytes().begin() + wire::kLeadBytes, first.bytes().end());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const wire::Header& header = sent[i].header();
    EXPECT_EQ(header.type(), FrameType::Send);
    EXPECT_EQ(header.fragment_index(), i + 1);
    EXPECT_EQ(header.message_length(), message_bytes);
    EXPECT_EQ(header.attempt(), 1);
    EXPECT_EQ(header.token_generation(), kToken.generation + 1);
    const auto payload = wire::payload_of(sent[i].frame.bytes());
    all.insert(all.end(), payload.begin(), payload.end());
  }
  ASSERT_EQ(all.size(), message_bytes);
  EXPECT_TRUE(std::equal(payload_.begin(), payload_.end(), all.begin() + static_cast<std::ptrdiff_t>(table_.size())));
}

TEST_F(ClientPartsTest, AnotherWorkerGetsItAllAgain) {
  const Frame first = send_long(1);
  receive(grant(first, 1, 65));
  EXPECT_EQ(take_sent(out_).size(), 3U);
  receive(grant(first, 4, 4));
  receive(test::pull(first.bytes(), {.token = {kToken.location, kToken.generation + 2}, .number = 2}));
  EXPECT_EQ(take_one(out_, FrameType::Send).header().fragment_index(), 0);
  receive(grant(first, 1, 65, 2));
  const auto again = take_sent(out_);
  ASSERT_EQ(again.size(), 3U);
  for (const auto& sent : again) EXPECT_EQ(sent.header().attempt(), 2);
  receive(grant(first, 2, 66, 1));  // of the worker that is gone
  EXPECT_EQ(engine_.dropped(), 1U);
}

TEST_F(ClientPartsTest, WaitingTaskAsksWithItsFirstPart) {
  const Frame first = send_long(1);
  receive(test::acknowledge(first.bytes()));
  const auto probes = pass_until(now_ + 3'000 * kMs);
  EXPECT_GE(probes.size(), 3U);
  EXPECT_LE(probes.size(), 20U);  // at four times the PTO
  for (const auto& probe : probes) {
    EXPECT_EQ(probe.header().fragment_index(), 0);
    EXPECT_TRUE(wire::has(probe.header().flags(), wire::Flag::Retry));
  }
}

TEST_F(ClientPartsTest, OutcomeEndsWhatIsStillToBeSent) {
  const Frame first = send_long(1);
  receive(test::reject(first.bytes(), wire::Reason::QueueFull, wire::Executed::No));
  EXPECT_EQ(take_done().size(), 1U);
  receive(grant(first, 1, 65));
  EXPECT_TRUE(take_sent(out_).empty());
  EXPECT_EQ(pass_until(now_ + 2'000 * kMs).size(), 0U);
}

TEST_F(ClientPartsTest, AnswerComesInOrderAndOnce) {
  const Frame task = send(1);
  receive(part(task, 0, "a"));
  EXPECT_EQ(take_pieces(), Texts{"a"});
  receive(part(task, 2, "c"));
  const auto gap = take_one(out_, FrameType::Grant);
  EXPECT_EQ(gap.header().answers(), FrameType::Result);
  EXPECT_EQ(gap.header().slot(), wire::header_of(task.bytes()).slot());
  EXPECT_EQ(gap.header().sequence(), wire::header_of(task.bytes()).sequence());
  EXPECT_EQ(wire::token_of(gap.header()), kToken);
  EXPECT_EQ(wire::grant_next(gap.header()), 1);
  EXPECT_EQ(wire::grant_limit(gap.header()), 65);
  receive(part(task, 3, "d", false));
  receive(part(task, 2, "c"));
  receive(part(task, 0, "a"));
  EXPECT_EQ(take_pieces(), Texts{});
  receive(part(task, 1, "b"));
  EXPECT_EQ(take_pieces(), (Texts{"b", "c", "d."}));
  EXPECT_EQ(engine_.in_flight(), 0U);
  receive(part(task, 3, "d", false));
  EXPECT_EQ(take_pieces(), Texts{});
}

TEST_F(ClientPartsTest, LastPartIsAcknowledgedAsAnOutcome) {
  const Frame task = send(1);
  receive(part(task, 0, "a"));
  receive(part(task, 1, "b", false));
  out_.clear();
  const auto sent = pass_until(now_ + 5 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header().type(), FrameType::Ack);
  EXPECT_EQ(sent[0].header().answers(), FrameType::Deliver);
}

// The last of them has number 0 and nothing behind it.
TEST_F(ClientPartsTest, NumbersCountRound) {
  const Frame task = send(1, 1'000'000);
  std::uint32_t came = 0;
  for (std::uint32_t number = 0; number < 65'536; ++number) {
    receive(part(task, number, "x"));
    came += static_cast<std::uint32_t>(take_pieces().size());
    out_.clear();
  }
  EXPECT_EQ(came, 65'536U);
  receive(part(task, 65'536, "end", false));
  EXPECT_EQ(take_pieces(), Texts{"end."});
}

TEST_F(ClientPartsTest, PartsBeyondTheLimitAreNotKept) {
  const Frame task = send(1);
  receive(part(task, wire::kUnscheduledParts, "x"));
  EXPECT_EQ(engine_.dropped(), 1U);
  receive(part(task, 0, "a"));
  EXPECT_EQ(take_pieces(), Texts{"a"});
}

TEST_F(ClientPartsTest, LossOfTheWorkerEndsAnAnswerAmidst) {
  const Frame task = send(1);
  receive(part(task, 0, "a"));
  take_done();
  receive(test::reject(task.bytes(), wire::Reason::WorkerLost, wire::Executed::Maybe));
  const auto done = take_done();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_FALSE(done[0].more);
  EXPECT_EQ(done[0].reason, wire::Reason::WorkerLost);
}

TEST_F(ClientPartsTest, CancelEndsAnAnswerAmidst) {
  const Frame task = send(1);
  receive(part(task, 0, "a"));
  take_done();
  out_.clear();
  EXPECT_TRUE(engine_.cancel(1, now_, out_, done_));
  EXPECT_EQ(take_one(out_, FrameType::Cancel).header().slot(), wire::header_of(task.bytes()).slot());
  EXPECT_EQ(take_done().size(), 1U);
  receive(part(task, 1, "b"));
  receive(part(task, 2, "c", false));
  EXPECT_EQ(take_pieces(), Texts{});
}

// Its client has had part of it: it cannot begin anew, IDEMPOTENT or not.
TEST_F(ClientPartsTest, AnotherSessionEndsAnswersThatHaveBegunAndSendsTheRestAgain) {
  const Frame begun = send_idempotent(1);
  receive(part(begun, 0, "a"));
  take_done();
  payload_ = wire::write_task_payload({.prompt = std::string(5'000, 'p'), .history = {}, .parameters = {}});
  const Frame waiting = send_idempotent(2);
  receive(grant(waiting, 1, 65));
  out_.clear();
  Life other = life_;
  other.boot_id += 1;
  register_again(other);
  const auto done = take_done();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].context, 1U);
  EXPECT_TRUE(done[0].broker_lost);
  run_timers();
  auto sent = take_sent(out_);
  std::erase_if(sent, [](const Sent& one) { return one.header().type() != FrameType::Send; });
  ASSERT_FALSE(sent.empty());
  const Sent& again = sent[0];
  EXPECT_EQ(again.header().fragment_index(), 0);
  EXPECT_EQ(again.header().boot_id(), other.boot_id);
  receive(grant(again.frame, 1, 65));
  const auto parts = take_sent(out_);
  ASSERT_EQ(parts.size(), 3U);
  for (const auto& part : parts) EXPECT_EQ(part.header().boot_id(), other.boot_id);
}

}  // namespace
}  // namespace mcplane::client
