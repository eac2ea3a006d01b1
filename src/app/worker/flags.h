// The command line of mcplane-worker, wholly validated. Main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/command_line/cli.h"
#include "app/telemetry/logging.h"
#include "app/telemetry/span_exporter.h"
#include "app/worker/backends.h"
#include "mcplane/worker.h"

namespace mcplane::app {

// `stop` set: print it and leave; else everything else is meaningful.
struct WorkerCommand {
  std::optional<Stop> stop;
  WorkerOptions options;
  std::unique_ptr<Backend> backend;
  LogOptions log{};
  std::string otlp_endpoint{}, trace_path{};
  std::uint64_t trace_slow_ns = 0;
  bool json = false;
};

// Looks the broker's name up, if it is one.
WorkerCommand parse_worker_command(int argc, const char* const* argv);

// Its log, which names failed tasks at debug, and who takes its spans. Outlives the worker.
class WorkerObservers {
 public:
  // Has the library tell them, by the command's options. Throws std::runtime_error when a file cannot be written.
  explicit WorkerObservers(WorkerCommand& command);

 private:
  Logging log_;
  std::unique_ptr<SpanExporter> exporter_;
};

// What the worker says once it is registered and when it leaves; one line without its end.
std::string registered_line(const WorkerCommand& command, std::uint32_t node_id);
std::string stopped_line(const WorkerCommand& command, std::uint64_t tasks_done);

}  // namespace mcplane::app
