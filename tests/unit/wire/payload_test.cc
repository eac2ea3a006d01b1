#include "wire/payload.h"

#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/header.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using namespace std::string_literals;

Bytes finished(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<fb::TaskPayload> root) {
  builder.Finish(root);
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

// A sound table without a field. The generated builders refuse to leave a required one out.
Bytes empty_table() {
  flatbuffers::FlatBufferBuilder builder;
  const auto start = builder.StartTable();
  return finished(builder, {builder.EndTable(start)});
}

// `turns` and `parameters` entries that all point to one table of `text_bytes` each.
Bytes shared_entries(std::size_t turns, std::size_t parameters, std::size_t text_bytes) {
  flatbuffers::FlatBufferBuilder builder;
  const std::string text(text_bytes, 'x');
  const auto string = builder.CreateString(text);
  const std::vector history(turns, fb::CreateTurn(builder, string, string));
  const std::vector entries(parameters, fb::CreateParameter(builder, string, string));
  return finished(builder,
                  fb::CreateTaskPayload(builder, string, builder.CreateVector(history), builder.CreateVector(entries)));
}

TEST(TaskPayload, ReadsWhatWasWritten) {
  const TaskPayload task{"why?\0really"s,
                         {{"user", "hi"}, {"assistant", ""}, {"", std::string(3000, 'y')}},
                         {{"temperature", "0.7"}, {"stop", "\n"}}};
  const Bytes payload = write_task_payload(task);
  EXPECT_EQ(read_task_payload(payload), task);
  EXPECT_EQ(read_task_payload(write_task_payload({})), TaskPayload{});
}

TEST(TaskPayload, PromptAloneIsReadWithTheSameChecks) {
  const Bytes payload = write_task_payload({"why?\0really"s, {{"user", "hi"}}, {}});
  EXPECT_EQ(read_prompt(payload), "why?\0really"s);
  for (std::size_t length = 0; length < payload.size(); ++length) {
    const Bytes cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(read_prompt(cut).has_value(), read_task_payload(cut).has_value()) << length;
  }
  EXPECT_FALSE(read_prompt(shared_entries(kTurnsMax + 1, 0, 0)));
  EXPECT_FALSE(read_prompt(shared_entries(1000, 100, 1000)));
}

TEST(TaskPayload, TakesTheMostTurnsAndNoMore) {
  EXPECT_TRUE(read_task_payload(shared_entries(kTurnsMax, kParametersMax, 0)));
  EXPECT_FALSE(read_task_payload(shared_entries(kTurnsMax + 1, 0, 0)));
  EXPECT_FALSE(read_task_payload(shared_entries(0, kParametersMax + 1, 0)));
}

TEST(TaskPayload, SharedStringsCannotGrowIt) {
  EXPECT_TRUE(read_task_payload(shared_entries(1, 0, 1)));
  const Bytes bomb = shared_entries(1000, 100, 1000);
  EXPECT_LT(bomb.size(), 7000U);
  EXPECT_FALSE(read_task_payload(bomb));
}

TEST(TaskPayload, UnsoundBytesAreRefused) {
  EXPECT_FALSE(read_task_payload({}));
  EXPECT_FALSE(read_task_payload(Bytes(64)));
  EXPECT_FALSE(read_task_payload(Bytes(64, std::byte{0xff})));
  const Bytes payload = write_task_payload({"p", {}, {}});
  Bytes shifted(payload.size() + 2);
  std::ranges::copy(payload, shifted.begin() + 2);
  EXPECT_FALSE(read_task_payload(std::span(shifted).subspan(2))) << "not aligned";
  EXPECT_FALSE(read_task_payload(empty_table())) << "no prompt";
}

TEST(Payload, LongerThanAMessageMayBeIsRefused) {
  Bytes payload = write_task_payload({"p", {}, {}}), answer = write_answer("a");
  payload.resize(kMessageBytesMax);
  answer.resize(kMessageBytesMax);
  EXPECT_TRUE(read_task_payload(payload));
  EXPECT_TRUE(read_answer(answer));
  payload.resize(kMessageBytesMax + 4);
  answer.resize(kMessageBytesMax + 4);
  EXPECT_FALSE(read_task_payload(payload));
  EXPECT_FALSE(read_answer(answer));
}

TEST(Answer, ReadsWhatWasWritten) {
  for (const auto& text : {""s, "hello"s, "a\0b"s, std::string(100'000, 'z')}) {
    const Bytes payload = write_answer(text);
    const auto read = read_answer(payload);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, text);
    EXPECT_GE(reinterpret_cast<const std::byte*>(read->data()), payload.data());
  }
}

TEST(Answer, UnsoundBytesAreRefused) {
  EXPECT_FALSE(read_answer({}));
  EXPECT_FALSE(read_answer(Bytes(64)));
  EXPECT_FALSE(read_answer(Bytes(64, std::byte{0xff})));
  EXPECT_FALSE(read_answer(empty_table())) << "no text";
}

}  // namespace
}  // namespace mcplane::wire
