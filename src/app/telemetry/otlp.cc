// See otlp.h. 64-bit numbers are decimal strings in the protobuf JSON mapping, since JSON's own are doubles to many
// readers.
#include "app/telemetry/otlp.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "app/command_line/units.h"
#include "wire/trace.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStatusError = 2;       // Status.StatusCode
constexpr unsigned kSampledFlag = 1;  // of Span.flags, whose low byte is W3C's

Json value_json(const Span::Value& value) {
  return std::visit(
      [](const auto& held) -> Json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, bool>) return {{"boolValue", held}};
        if constexpr (std::is_same_v<Held, std::int64_t>) return {{"intValue", std::to_string(held)}};
        if constexpr (std::is_same_v<Held, std::string>) return {{"stringValue", held}};
      },
      value);
}

Json attribute_json(const std::string& key, const Span::Value& value) {
  return {{"key", key}, {"value", value_json(value)}};
}

Json span_json(const Span& span) {
  Json json = {{"traceId", wire::hex(span.trace_id)}, {"spanId", wire::hex(span.span_id)}};
  if (span.parent_id != decltype(span.parent_id){}) json["parentSpanId"] = wire::hex(span.parent_id);
  json["flags"] = span.sampled ? kSampledFlag : 0U;
  json["name"] = span.name;
  json["kind"] = static_cast<int>(span.kind);
  json["startTimeUnixNano"] = std::to_string(span.start_unix_ns);
  json["endTimeUnixNano"] = std::to_string(std::max(span.end_unix_ns, span.start_unix_ns));
  json["attributes"] = Json::array();
  for (const auto& [key, value] : span.attributes) json["attributes"].push_back(attribute_json(key, value));
  if (!span.error.empty()) {
    json["attributes"].push_back(attribute_json("error.type", span.error));
    json["status"] = {{"code", kStatusError}, {"message", span.error}};
  }
  return json;
}

Json resource_json(const TraceResource& resource) {
  Json attributes = Json::array();
  attributes.push_back(attribute_json("service.name", resource.service));
  attributes.push_back(attribute_json("service.version", resource.version));
  if (!resource.instance.empty()) attributes.push_back(attribute_json("service.instance.id", resource.instance));
  return {{"attributes", attributes}};
}

}  // namespace

std::string otlp_request(std::span<const Span> spans, const TraceResource& resource) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(span_json(span));
  Json scope = {{"scope", {{"name", "mcplane"}, {"version", resource.version}}}, {"spans", std::move(list)}};
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeSpans", Json::array({std::move(scope)})}};
  const Json request = {{"resourceSpans", Json::array({std::move(of_resource)})}};
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::uint64_t rejected_spans(std::string_view response) {
  const Json json = Json::parse(response, nullptr, false);
  if (!json.is_object() || !json.contains("partialSuccess") || !json["partialSuccess"].is_object()) return 0;
  const Json rejected = json["partialSuccess"].value("rejectedSpans", Json());
  if (rejected.is_number_unsigned()) return rejected.get<std::uint64_t>();
  if (!rejected.is_string()) return 0;
  const auto& text = rejected.get_ref<const std::string&>();
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

OtlpUrl otlp_url(const std::string& endpoint) {
  const auto refused = [&endpoint] {
    return OtlpUrl{"", quote(endpoint) + " is no URL of a collector; type one such as http://10.0.0.9:4318"};
  };
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  const bool http = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!http || curl_url_set(url.get(), CURLUPART_URL, endpoint.c_str(), 0) != CURLUE_OK) return refused();
  return {endpoint + (endpoint.ends_with('/') ? "v1/traces" : "/v1/traces"), ""};
}

}  // namespace mcplane::app
