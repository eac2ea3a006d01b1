// --otlp-endpoint and --trace-file, alike for every binary that tells of spans. Main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/command_line/cli.h"
#include "app/telemetry/span_exporter.h"

namespace mcplane::app {

void add_trace_flags(CLI::App& app, std::string& endpoint, std::string& file);

// Null when neither is given. `say` gets a line when the collector is lost or found. Throws as SpanExporter.
std::unique_ptr<SpanExporter> make_exporter(const std::string& service, const std::string& endpoint,
                                            const std::string& file, std::function<void(const std::string&)> say);

}  // namespace mcplane::app
