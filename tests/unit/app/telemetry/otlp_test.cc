// OTLP/HTTP's JSON, field by field as opentelemetry-proto's trace.proto and the protocol's JSON section have it:
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
#include "app/telemetry/otlp.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace mcplane::app {
namespace {

using nlohmann::json;

Span sample_span() {
  Span span;
  for (std::uint8_t i = 0; i < 16; ++i) span.trace_id[i] = static_cast<std::uint8_t>(0xa0 + i);
  for (std::uint8_t i = 0; i < 8; ++i) span.span_id[i] = static_cast<std::uint8_t>(0x0a + i);
  for (std::uint8_t i = 0; i < 8; ++i) span.parent_id[i] = static_cast<std::uint8_t>(0xf0 + i);
  span.sampled = true;
  span.name = "send generate";
  span.kind = SpanKind::kProducer;
  span.start_unix_ns = 1'764'212'640'123'456'789;
  span.end_unix_ns = 1'764'212'640'223'456'789;
  span.attributes = {{"text", std::string("a \"b\"")}, {"count", std::int64_t{-9'007'199'254'740'993}}, {"yes", true}};
  return span;
}

const TraceResource kResource{.service = "mcplane", .version = "1.2.3", .instance = "10.0.0.1:4800"};

json request_of(const Span& span) {
  const std::string text = otlp_request({&span, 1}, kResource);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return json::parse(text);
}
json span_of(const Span& span) { return request_of(span)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]; }
json attribute(const json& owner, const std::string& key) {
  for (const json& entry : owner["attributes"])
    if (entry["key"] == key) return entry["value"];
  return {};
}

TEST(Otlp, SpansAreWithinTheirScopeAndResource) {
  const json request = request_of(sample_span());
  EXPECT_EQ(request.size(), 1U);
  ASSERT_EQ(request["resourceSpans"].size(), 1U);
  const json& of_resource = request["resourceSpans"][0];
  EXPECT_EQ(attribute(of_resource["resource"], "service.name"), json({{"stringValue", "mcplane"}}));
  EXPECT_EQ(attribute(of_resource["resource"], "service.version"), json({{"stringValue", "1.2.3"}}));
  EXPECT_EQ(attribute(of_resource["resource"], "service.instance.id"), json({{"stringValue", "10.0.0.1:4800"}}));
  ASSERT_EQ(of_resource["scopeSpans"].size(), 1U);
  EXPECT_EQ(of_resource["scopeSpans"][0]["scope"], json({{"name", "mcplane"}, {"version", "1.2.3"}}));
  EXPECT_EQ(of_resource["scopeSpans"][0]["spans"].size(), 1U);
}

TEST(Otlp, IdsAreHexadecimalInLowerCaseAndTimesDecimalStrings) {
  const json span = span_of(sample_span());
  EXPECT_EQ(span["traceId"], "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  EXPECT_EQ(span["spanId"], "0a0b0c0d0e0f1011");
  EXPECT_EQ(span["parentSpanId"], "f0f1f2f3f4f5f6f7");
  EXPECT_EQ(span["startTimeUnixNano"], "1764212640123456789");
  EXPECT_EQ(span["endTimeUnixNano"], "1764212640223456789");
}

TEST(Otlp, EnumsAreNumbers) {
  Span span = sample_span();
  const std::pair<SpanKind, int> kinds[] = {{SpanKind::kInternal, 1},
                                            {SpanKind::kServer, 2},
                                            {SpanKind::kClient, 3},
                                            {SpanKind::kProducer, 4},
                                            {SpanKind::kConsumer, 5}};
  for (const auto& [kind, number] : kinds) {
    span.kind = kind;
    EXPECT_TRUE(span_of(span)["kind"].is_number_integer());
    EXPECT_EQ(span_of(span)["kind"], number);
  }
}

TEST(Otlp, EachAttributesValueIsWrappedByItsType) {
  const json span = span_of(sample_span());
  EXPECT_EQ(attribute(span, "text"), json({{"stringValue", "a \"b\""}}));
  EXPECT_EQ(attribute(span, "count"), json({{"intValue", "-9007199254740993"}}));
  EXPECT_EQ(attribute(span, "yes"), json({{"boolValue", true}}));
}

TEST(Otlp, FlagsAreANumberWhoseLowByteIsW3Cs) {
  Span span = sample_span();
  EXPECT_EQ(span_of(span)["flags"], 1);
  span.sampled = false;
  EXPECT_EQ(span_of(span)["flags"], 0);
}

TEST(Otlp, AStatusIsThereOnlyForErrors) {
  Span span = sample_span();
  EXPECT_FALSE(span_of(span).contains("status"));
  EXPECT_TRUE(attribute(span_of(span), "error.type").is_null());
  span.error = "worker_lost";
  EXPECT_EQ(span_of(span)["status"], json({{"code", 2}, {"message", "worker_lost"}}));
  EXPECT_EQ(attribute(span_of(span), "error.type"), json({{"stringValue", "worker_lost"}}));
}

TEST(Otlp, ARootHasNoParentAndNoSpanEndsBeforeItBegins) {
  Span span = sample_span();
  span.parent_id = {};
  span.end_unix_ns = span.start_unix_ns - 5;
  EXPECT_FALSE(span_of(span).contains("parentSpanId"));
  EXPECT_EQ(span_of(span)["endTimeUnixNano"], span_of(span)["startTimeUnixNano"]);
}

TEST(Otlp, NamesMayBeAnyBytes) {
  Span span = sample_span();
  span.name = "send \xff";
  EXPECT_EQ(span_of(span)["name"], "send \xef\xbf\xbd");
}

TEST(Otlp, WhatACollectorRefusesIsCounted) {
  EXPECT_EQ(rejected_spans("{}"), 0U);
  EXPECT_EQ(rejected_spans(""), 0U);
  EXPECT_EQ(rejected_spans(R"({"partialSuccess":{"rejectedSpans":"7","errorMessage":"full"}})"), 7U);
  EXPECT_EQ(rejected_spans(R"({"partialSuccess":{"rejectedSpans":7}})"), 7U);
  EXPECT_EQ(rejected_spans(R"({"partialSuccess":{}})"), 0U);
  EXPECT_EQ(rejected_spans(R"({"partialSuccess":[7]})"), 0U);
}

TEST(Otlp, TheSignalsPathIsAddedToTheEndpoint) {
  EXPECT_EQ(otlp_url("http://10.0.0.9:4318").url, "http://10.0.0.9:4318/v1/traces");
  EXPECT_EQ(otlp_url("https://collector/otlp/").url, "https://collector/otlp/v1/traces");
  for (const char* wrong : {"", "10.0.0.9:4318", "ftp://10.0.0.9", "http://", "http://a b"})
    EXPECT_NE(otlp_url(wrong).error.find("type one such as http://"), std::string::npos) << wrong;
}

}  // namespace
}  // namespace mcplane::app
