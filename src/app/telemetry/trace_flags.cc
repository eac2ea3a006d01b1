// See trace_flags.h.
#include "app/telemetry/trace_flags.h"

#include <utility>

#include "app/telemetry/otlp.h"

namespace mcplane::app {

void add_trace_flags(CLI::App& app, std::string& endpoint, std::string& file) {
  add_value(app, "--otlp-endpoint", "URL", "", "Collector that takes traces by OTLP/HTTP, such as http://10.0.0.9:4318",
            [&endpoint](const std::string& typed) {
              endpoint = typed;
              return otlp_url(typed).error;
            });
  add_text(app, "--trace-file", file, "PATH",
           "Traces are appended to it, a line of OTLP JSON each; for mcplane-ctl trace");
}

std::unique_ptr<SpanExporter> make_exporter(const std::string& service, const std::string& endpoint,
                                            const std::string& file, std::function<void(const std::string&)> say) {
  ExportOptions options{.endpoint = endpoint,
                        .file = file,
                        .resource = {.service = service, .version = std::string(version()), .instance = {}},
                        .say = std::move(say)};
  return options.any() ? std::make_unique<SpanExporter>(std::move(options)) : nullptr;
}

}  // namespace mcplane::app
