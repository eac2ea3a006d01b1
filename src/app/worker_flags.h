// The command line of mcplane-worker, wholly validated. Main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/backends.h"
#include "app/cli.h"
#include "mcplane/worker.h"

namespace mcplane::app {

// `stop` set: print it and leave; else everything else is meaningful.
struct WorkerCommand {
  std::optional<Stop> stop;
  WorkerOptions options;
  std::unique_ptr<Backend> backend;
  std::string otlp_endpoint{}, trace_path{};
  std::uint64_t trace_slow_ns = 0;
  bool json = false;
};

// Looks the broker's name up, if it is one.
WorkerCommand parse_worker_command(int argc, const char* const* argv);

// What the worker says once it is registered and when it leaves; one line without its end.
std::string registered_line(const WorkerCommand& command, std::uint32_t node_id);
std::string stopped_line(const WorkerCommand& command, std::uint64_t tasks_done);

}  // namespace mcplane::app
