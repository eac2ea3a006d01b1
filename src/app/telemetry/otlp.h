// Spans as OTLP/HTTP wants them in JSON: opentelemetry-proto's ExportTraceServiceRequest in the protobuf JSON mapping,
// with OTLP's exceptions to it (ids in hexadecimal, enums as numbers). Pure; any thread.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mcplane/trace.h"

namespace mcplane::app {

// Who made the spans.
struct TraceResource {
  std::string service;  // "mcplane", "mcplane-worker"
  std::string version;
  std::string instance;  // tells apart those with the same service; "": nothing does
};

// One line, without its end. What is no UTF-8 is replaced.
std::string otlp_request(std::span<const Span> spans, const TraceResource& resource);

// How many spans an ExportTraceServiceResponse says were refused; 0 when it says nothing of the kind.
std::uint64_t rejected_spans(std::string_view response);

// "http://10.0.0.9:4318" -> "http://10.0.0.9:4318/v1/traces", as OTEL_EXPORTER_OTLP_ENDPOINT is read. An error line
// when it is no such URL.
struct OtlpUrl {
  std::string url, error;
};
OtlpUrl otlp_url(const std::string& endpoint);

}  // namespace mcplane::app
