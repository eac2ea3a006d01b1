// Task ids, broker addresses, limits of a task, and the translation of a completion into an outcome.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "client/broker_address.h"
#include "client/encoded_task.h"
#include "client/outcome.h"
#include "client/task_id.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::client {
namespace {

TEST(TaskIdTest, UuidIsItsBytesAndNoTextTravels) {
  const std::string text = "00112233-4455-6677-8899-aabbccddeeff";
  const TaskId id = task_id_from(text);
  EXPECT_FALSE(id.text_travels);
  EXPECT_EQ(id.bytes[0], 0x00);
  EXPECT_EQ(id.bytes[1], 0x11);
  EXPECT_EQ(id.bytes[15], 0xff);
  EXPECT_EQ(task_id_text(id.bytes, ""), text);
}

TEST(TaskIdTest, UuidInCapitalsTravelsAsText) {
  const std::string text = "00112233-4455-6677-8899-AABBCCDDEEFF";
  const TaskId id = task_id_from(text);
  EXPECT_TRUE(id.text_travels);
  EXPECT_EQ(id.bytes, task_id_from("00112233-4455-6677-8899-aabbccddeeff").bytes);
  EXPECT_EQ(task_id_text(id.bytes, text), text);
}

TEST(TaskIdTest, OtherTextIsHashed) {
  std::set<wire::Id16> seen;
  for (const std::string text :
       {"uuid-123abc", "a", "b", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefg",
        "00112233x4455-6677-8899-aabbccddeeff", "00112233445566778899aabbccddeeff0000"}) {
    const TaskId id = task_id_from(text);
    EXPECT_TRUE(id.text_travels) << text;
    EXPECT_TRUE(seen.insert(id.bytes).second) << text;
    EXPECT_EQ(id.bytes, task_id_from(text).bytes);
    EXPECT_EQ(task_id_text(id.bytes, text), text);
  }
}

TEST(TaskIdTest, RandomUuidsAreOfVersion4) {
  Random random(1);
  const auto first = random_uuid(random), second = random_uuid(random);
  EXPECT_NE(first, second);
  const std::string text = task_id_text(first, "");
  EXPECT_EQ(text[14], '4');
  EXPECT_EQ(task_id_from(text).bytes, first);
}

TEST(BrokerAddressTest, EveryFormIsRead) {
  EXPECT_EQ(to_string(parse_broker_address("10.0.0.1")), "10.0.0.1:4800");
  EXPECT_EQ(to_string(parse_broker_address("10.0.0.1:99")), "10.0.0.1:99");
  EXPECT_EQ(to_string(parse_broker_address("fd00::1")), "[fd00::1]:4800");
  EXPECT_EQ(to_string(parse_broker_address("[fd00::1]")), "[fd00::1]:4800");
  EXPECT_EQ(to_string(parse_broker_address("[fd00::1]:65535")), "[fd00::1]:65535");
  EXPECT_EQ(parse_broker_address("localhost:7").port, 7);
}

TEST(BrokerAddressTest, WhatIsNoAddressIsRefusedWithAHint) {
  for (const auto* text : {"", ":4800", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "[fd00::1",
                           "[fd00::1]x", "[fd00::1]:", "no such host"}) {
    try {
      parse_broker_address(text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("write 10.0.0.1"), std::string::npos) << error.what();
    }
  }
}

TEST(BrokerAddressTest, ListIsSeparatedByCommas) {
  const auto list = parse_broker_list("10.0.0.1,10.0.0.2:4900");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(to_string(list), "10.0.0.1:4800 or 10.0.0.2:4900");
  EXPECT_EQ(parse_broker_list("[fd00::1]:1,fd00::1").size(), 2U);
  EXPECT_EQ(parse_broker_list("localhost").size(), 1U);
  for (const auto* text : {"", ",", "10.0.0.1,", ",10.0.0.1", "10.0.0.1,,10.0.0.2", "10.0.0.1,10.0.0.1:4800",
                           "10.0.0.1,fd00::1", "10.0.0.1;10.0.0.2"})
    EXPECT_THROW(parse_broker_list(text), std::runtime_error) << text;
}

Task small_task() {
  Task task;
  task.action = "generate";
  task.prompt = "hi";
  return task;
}

TEST(EncodedTaskTest, LimitsAreNamed) {
  EXPECT_EQ(malformed_field(small_task()), "");
  const auto fault_of = [](auto change) {
    Task task = small_task();
    change(task);
    const std::string fault = malformed_field(task);
    return fault.substr(0, fault.find(':'));
  };
  EXPECT_EQ(fault_of([](Task& task) { task.id.assign(65, 'x'); }), "id");
  EXPECT_EQ(fault_of([](Task& task) { task.action = ""; }), "action");
  EXPECT_EQ(fault_of([](Task& task) { task.action = "a\nb"; }), "action");
  EXPECT_EQ(fault_of([](Task& task) { task.model.assign(65, 'x'); }), "model");
  EXPECT_EQ(fault_of([](Task& task) { task.tags.assign(9, "x"); }), "tags");
  EXPECT_EQ(fault_of([](Task& task) { task.tags = {""}; }), "tags");
  EXPECT_EQ(fault_of([](Task& task) { task.parameters.resize(257); }), "parameters");
  EXPECT_EQ(fault_of([](Task& task) { task.history.resize(65'537); }), "history");
  EXPECT_EQ(fault_of([](Task& task) { task.ttl = std::chrono::milliseconds(0); }), "ttl");
  EXPECT_EQ(fault_of([](Task& task) { task.ttl = std::chrono::hours(25); }), "ttl");
  EXPECT_EQ(fault_of([](Task& task) { task.priority = 4; }), "priority");
}

TEST(EncodedTaskTest, EverythingTravels) {
  Random random(1);
  Task task = small_task();
  task.id = "my task";
  task.model = "m";
  task.tags = {"a"};
  task.history = {{"user", "hello"}};
  task.parameters = {{"temperature", "0.2"}};
  task.priority = 3;
  task.idempotent = true;
  task.shadow = true;
  const EncodedTask encoded = encode_task(task, random);
  const auto route = wire::read_route_table(encoded.table);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->task_id_text, "my task");
  EXPECT_EQ(route->model, "m");
  const auto payload = wire::read_task_payload(encoded.payload);
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->history.at(0).content, "hello");
  EXPECT_EQ(payload->parameters.at(0).value, "0.2");
  EXPECT_EQ(wire::priority_of(encoded.flags), 3);
  EXPECT_TRUE(wire::has(encoded.flags, wire::Flag::Idempotent));
  EXPECT_TRUE(wire::is_shadow(encoded.flags));
}

// What begins alike may share a worker's cache; what was typed says so by itself.
TEST(EncodedTaskTest, AffinityIsOfTheBeginning) {
  Random random(1);
  const auto key = [&random](std::string prompt, std::vector<Turn> history = {}, std::string affinity = "") {
    Task task;
    task.action = "generate";
    task.prompt = std::move(prompt);
    task.history = std::move(history);
    task.affinity = std::move(affinity);
    return encode_task(task, random).affinity;
  };
  const std::string system(300, 's');
  EXPECT_NE(key(""), 0U);
  EXPECT_EQ(key("hi"), key("hi"));
  EXPECT_NE(key("hi"), key("ho"));
  EXPECT_EQ(key("hi", {{"system", system}}), key("ho", {{"system", system}})) << "the first 256 bytes are the same";
  EXPECT_NE(key("hi", {{"system", "a"}}), key("hi", {{"system", "b"}}));
  EXPECT_NE(key("ab", {{"a", "b"}}), key("b", {{"a", "ba"}})) << "parts do not run together";
  EXPECT_EQ(key("hi", {}, "mine"), key("ho", {}, "mine"));
  EXPECT_NE(key("hi", {}, "mine"), key("hi"));
}

TEST(EncodedTaskTest, TaskWithoutIdGetsAUuid) {
  Random random(1);
  Task task = small_task();
  const EncodedTask encoded = encode_task(task, random);
  EXPECT_EQ(task.id.size(), 36U);
  EXPECT_EQ(wire::read_route_table(encoded.table)->task_id_text, "");
  EXPECT_EQ(task_id_from(task.id).bytes, encoded.id);
}

struct OutcomeCase {
  Completion completion;
  OutcomeKind kind;
  Executed executed;
  std::string_view reason;
};

TEST(OutcomeTest, EveryEndHasItsKind) {
  using wire::Reason;
  const auto ended = [](Reason reason, wire::Executed executed) {
    Completion completion;
    completion.reason = reason;
    completion.executed = executed;
    return completion;
  };
  const auto delivered = [&](Reason reason) {
    auto completion = ended(reason, wire::Executed::Yes);
    completion.delivered = true;
    return completion;
  };
  auto lost = ended(Reason::UnknownSession, wire::Executed::Maybe);
  lost.broker_lost = true;
  const std::vector<OutcomeCase> cases = {
      {delivered(Reason::Ok), OutcomeKind::kResult, Executed::kYes, ""},
      {delivered(Reason::WorkerError), OutcomeKind::kWorkerError, Executed::kYes, "worker_error"},
      {delivered(Reason::TooLarge), OutcomeKind::kWorkerError, Executed::kYes, "too_large"},
      {ended(Reason::NoWorker, wire::Executed::No), OutcomeKind::kRejected, Executed::kNo, "no_worker"},
      {ended(Reason::QueueFull, wire::Executed::No), OutcomeKind::kRejected, Executed::kNo, "queue_full"},
      {ended(Reason::Expired, wire::Executed::No), OutcomeKind::kExpiredUnrouted, Executed::kNo, "expired"},
      {ended(Reason::Expired, wire::Executed::Maybe), OutcomeKind::kExpiredRouted, Executed::kMaybe, "expired"},
      {ended(Reason::Expired, wire::Executed::NotSaid), OutcomeKind::kExpiredRouted, Executed::kMaybe, "expired"},
      {ended(Reason::WorkerLost, wire::Executed::Maybe), OutcomeKind::kWorkerLost, Executed::kMaybe, "worker_lost"},
      {ended(Reason::Cancelled, wire::Executed::Maybe), OutcomeKind::kCancelled, Executed::kMaybe, "cancelled"},
      {ended(Reason::Draining, wire::Executed::Maybe), OutcomeKind::kBrokerLost, Executed::kMaybe, "draining"},
      {lost, OutcomeKind::kBrokerLost, Executed::kMaybe, "broker_lost"},
  };
  for (const auto& expected : cases) {
    const Outcome outcome = outcome_of(expected.completion, "id", 1'000, 5'000'000);
    SCOPED_TRACE(expected.reason);
    EXPECT_EQ(to_string(outcome.kind), to_string(expected.kind));
    EXPECT_EQ(to_string(outcome.executed), to_string(expected.executed));
    EXPECT_EQ(outcome.reason, expected.reason);
    EXPECT_EQ(outcome.task_id, "id");
    EXPECT_EQ(outcome.timing.total.count(), 4'999);
  }
}

TEST(OutcomeTest, WhatStandsInIsAResultThatSaysSo) {
  Completion completion;
  completion.delivered = true;
  completion.substitute = wire::Substitute::Skip;
  completion.executed = wire::Executed::No;
  const Outcome skipped = outcome_of(completion, "id", 0, 0);
  EXPECT_TRUE(skipped.ok());
  EXPECT_EQ(skipped.degraded, "skip");
  EXPECT_EQ(skipped.executed, Executed::kNo);
  EXPECT_EQ(skipped.text, "");
  completion.executed = wire::Executed::Maybe;
  EXPECT_EQ(outcome_of(completion, "id", 0, 0).executed, Executed::kMaybe);
  completion.substitute = wire::Substitute::Fallback;
  completion.executed = wire::Executed::Yes;
  EXPECT_EQ(outcome_of(completion, "id", 0, 0).executed, Executed::kYes);
  EXPECT_EQ(outcome_of(completion, "id", 0, 0).degraded, "fallback");
  completion.substitute = wire::Substitute::None;
  EXPECT_EQ(outcome_of(completion, "id", 0, 0).degraded, "");
}

TEST(OutcomeTest, UnsoundAnswerIsAWorkerError) {
  Completion completion;
  completion.delivered = true;
  const std::vector<std::byte> junk(9, std::byte{0xff});
  completion.payload = junk;
  const Outcome outcome = outcome_of(completion, "id", 0, 0);
  EXPECT_EQ(outcome.kind, OutcomeKind::kWorkerError);
  EXPECT_EQ(outcome.reason, "malformed");
}

}  // namespace
}  // namespace mcplane::client
