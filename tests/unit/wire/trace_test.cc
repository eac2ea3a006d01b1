// W3C trace context by its own examples and rules, and who is sampled.
#include "wire/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mcplane::wire {
namespace {

const std::string kSound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IsReadAndWrittenAsTheSpecificationHasIt) {
  const auto parent = parse_traceparent(kSound);
  ASSERT_TRUE(parent);
  EXPECT_EQ(hex(parent->trace_id), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(hex(parent->span), "b7ad6b7169203331");
  EXPECT_TRUE(parent->sampled());
  EXPECT_EQ(to_string(*parent), kSound);
  const auto random = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02");
  ASSERT_TRUE(random);
  EXPECT_FALSE(random->sampled());
  EXPECT_TRUE(has(random->flags, Flag::RandomTrace));
  // Flags that nobody knows are not sent on.
  EXPECT_EQ(to_string(*parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff")),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");
}

TEST(Traceparent, WhatIsInvalidIsNone) {
  for (const char* text : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                           "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  // upper case
                           "00-00000000000000000000000000000000-b7ad6b7169203331-01",  // no trace
                           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",  // no span
                           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  // a version that cannot be
                           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
                           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what",
                           " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    EXPECT_FALSE(parse_traceparent(text)) << text;
}

TEST(Traceparent, ALaterVersionIsReadByItsFirstFields) {
  EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings"));
}

TEST(Sampling, AShareOfTheTracesIsTakenByTheirLastBytes) {
  Id16 id{};
  EXPECT_FALSE(is_taken(id.data(), sample_from(0)));
  EXPECT_TRUE(is_taken(id.data(), sample_from(1)));
  id.fill(0xff);
  EXPECT_FALSE(is_taken(id.data(), sample_from(0)));
  EXPECT_TRUE(is_taken(id.data(), sample_from(1e-9)));
  id.fill(0);
  id[9] = 0x80;  // the first of the 7 random bytes: exactly half
  EXPECT_TRUE(is_taken(id.data(), sample_from(0.5)));
  EXPECT_FALSE(is_taken(id.data(), sample_from(0.4999)));
  id.fill(0xff);
  id[9] = 0x7f;
  EXPECT_FALSE(is_taken(id.data(), sample_from(0.5)));
}

TEST(Sampling, WhoTakesMoreTakesWhatOthersTake) {
  Random random(3);
  std::size_t tenth = 0, half = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::array<std::uint64_t, 2> words = {random.next(), random.next()};
    const auto id = std::bit_cast<Id16>(words);
    const bool in_tenth = is_taken(id.data(), sample_from(0.1)), in_half = is_taken(id.data(), sample_from(0.5));
    EXPECT_TRUE(!in_tenth || in_half);
    tenth += in_tenth;
    half += in_half;
  }
  EXPECT_NEAR(static_cast<double>(tenth), 1'000, 120);
  EXPECT_NEAR(static_cast<double>(half), 5'000, 200);
}

TEST(BrokerSpanIds, AreOfTheirTaskAndDiffer) {
  TaskTrace trace;
  trace.parent.fill(7);
  std::set<SpanId> ids = {trace.parent, {}};
  for (const BrokerSpan which : {BrokerSpan::kReceive, BrokerSpan::kQueue, BrokerSpan::kDeliver})
    ids.insert(span_id(trace, which));
  for (std::uint8_t attempt = 1; attempt < 200; ++attempt) ids.insert(span_id(trace, BrokerSpan::kAttempt, attempt));
  const SpanId first = span_id(trace, BrokerSpan::kReceive);
  trace.task_id[0] = 1;
  ids.insert(span_id(trace, BrokerSpan::kReceive));
  EXPECT_EQ(ids.size(), 2U + 3 + 199 + 1);
  trace.task_id[0] = 0;
  EXPECT_EQ(span_id(trace, BrokerSpan::kReceive), first);
}

TEST(TraceIds, AreReadAsPeopleTypeThem) {
  EXPECT_TRUE(parse_trace_id("0af7651916cd43dd8448eb211c80319c"));
  for (const char* text : {"", "0af7", "00000000000000000000000000000000", "0AF7651916cd43dd8448eb211c80319c",
                           "0af7651916cd43dd8448eb211c80319c0"})
    EXPECT_FALSE(parse_trace_id(text)) << text;
}

}  // namespace
}  // namespace mcplane::wire
