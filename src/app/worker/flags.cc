// See flags.h. Every value is checked here, so what the library refuses afterwards is the broker's fault.
#include "app/worker/flags.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "app/telemetry/trace_flags.h"
#include "base/types.h"
#include "client/broker_address.h"
#include "wire/registration.h"
#include "wire/route_table.h"
#include "wire/trace.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kSlotsMax = 1'024;  // each is a thread

void add_capability(CLI::App& app, const std::string& flag, std::vector<std::string>& names, const std::string& help) {
  add_values(app, flag, "NAME", help, [&names](const std::string& typed) -> std::string {
    if (!wire::is_name(typed)) return quote(typed) + " is not a name; type 1 to 64 bytes without control characters";
    if (names.size() == wire::kCapabilitiesMax)
      return fmt::format("is given more than {} times; type fewer", wire::kCapabilitiesMax);
    names.push_back(typed);
    return "";
  });
}

void add_backend(CLI::App& app, std::unique_ptr<Backend>& backend) {
  add_value(app, "--backend", "KIND", "", "What answers, required: echo or exec:COMMAND (prompt on stdin)",
            [&backend](const std::string& typed) {
              auto made = make_backend(typed);
              if (made) backend = std::move(*made.value);
              return made.error;
            });
}

void add_flags(CLI::App& app, WorkerCommand& command, std::uint64_t& connect_timeout_ns) {
  WorkerOptions& options = command.options;
  app.option_defaults()->group("Broker");
  add_text(app, "--broker", options.broker, "HOST[:PORT],...",
           "Broker, required; port 4800 unless typed; of several, all");
  add_duration(app, "--connect-timeout", connect_timeout_ns, "Longest wait for the broker's answer",
               {100 * kNsPerMs, 3'600 * kNsPerSecond});
  app.option_defaults()->group("What it offers");
  add_backend(app, command.backend);
  add_capability(app, "--action", options.actions, "Action it offers, repeatable [generate]");
  add_capability(app, "--model", options.models, "Model it has, repeatable");
  add_capability(app, "--tag", options.tags, "Tag it carries, repeatable");
  add_count(app, "--slots", options.slots, "Tasks at once", {1, kSlotsMax});
  add_switch(app, "--shadow", options.shadow, "Takes shadow tasks, of load tests beside production, and no others");
  add_value(app, "--name", "NAME", options.name, "Its name for people", [&options](const std::string& typed) {
    options.name = typed;
    return wire::is_name(typed) ? "" : quote(typed) + " is not a name; type 1 to 64 bytes without control characters";
  });
  add_value(app, "--probe", "PROBE", options.probe,
            "How the broker asks after its health, at the worker's own address: heartbeat (not at all), tcp:PORT, "
            "http:PORT/PATH[=STATUS] or grpc:PORT[/SERVICE]",
            [&options](const std::string& typed) {
              options.probe = typed;
              wire::HealthProbe probe;
              const std::string wrong = wire::parse_probe(typed, probe);
              return wrong.empty() ? "" : quote(typed) + " " + wrong;
            });
  app.option_defaults()->group("Logs and traces");
  add_log_flags(app, command.log);
  add_trace_flags(app, command.otlp_endpoint, command.trace_path);
  add_duration(app, "--trace-slow", command.trace_slow_ns,
               "From which a task is traced whatever its client says; 0s: none", {0, 3'600 * kNsPerSecond});
  app.option_defaults()->group("Output");
  add_switch(app, "--json", command.json, "Say what happens as JSON lines on stdout");
}

std::string mistake_in(const WorkerCommand& command) {
  if (command.options.broker.empty()) return "--broker is missing; type --broker HOST, such as --broker 10.0.0.1";
  if (!command.backend) return "--backend is missing; type --backend echo or --backend exec:COMMAND";
  try {
    client::parse_broker_list(command.options.broker);
  } catch (const std::runtime_error& error) {
    return std::string("--broker: ") + error.what();
  }
  return "";
}

// Names may be any bytes: what is no UTF-8 is shown replaced.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string failed_line(const Span& span) {
  std::string id;
  for (const auto& [key, value] : span.attributes)
    if (key == "messaging.message.id") id = std::get<std::string>(value);
  return fmt::format("task {}, {}: {} trace_id={}", id, span.name, span.error, wire::hex(span.trace_id));
}

}  // namespace

WorkerCommand parse_worker_command(int argc, const char* const* argv) {
  WorkerCommand command;
  command.options.name = kWorkerProgram;
  std::uint64_t connect_timeout_ns = 5 * kNsPerSecond;
  CLI::App app("mcplane-worker: answers tasks that a broker routes to it.", kWorkerProgram);
  set_conventions(app);
  add_flags(app, command, connect_timeout_ns);
  command.stop = parse_command_line(app, argc, argv);
  if (command.stop) return command;
  if (const std::string line = mistake_in(command); !line.empty())
    command.stop = failure(kWorkerProgram, line, kExitUsage);
  if (command.options.actions.empty()) command.options.actions = {"generate"};
  command.options.trace.slow = std::chrono::microseconds(command.trace_slow_ns / kNsPerUs);
  command.options.connect_timeout = std::chrono::milliseconds(connect_timeout_ns / kNsPerMs);
  return command;
}

WorkerObservers::WorkerObservers(WorkerCommand& command)
    : log_(command.log, kWorkerProgram),
      exporter_(make_exporter(kWorkerProgram, command.otlp_endpoint, command.trace_path,
                              [this](const std::string& line) { log_.warning(line); })) {
  command.options.trace.on_span = [this](Span span) {
    if (!span.error.empty()) log_.debug(failed_line(span));
    if (exporter_) exporter_->add(std::move(span));
  };
}

std::string registered_line(const WorkerCommand& command, std::uint32_t node_id) {
  const WorkerOptions& options = command.options;
  const std::string node = fmt::format("{:08x}", node_id);
  if (command.json)
    return dump({{"event", "registered"},
                 {"node_id", node},
                 {"broker", options.broker},
                 {"name", options.name},
                 {"actions", options.actions},
                 {"models", options.models},
                 {"tags", options.tags},
                 {"slots", options.slots},
                 {"probe", options.probe},
                 {"shadow", options.shadow}});
  const char* const shadow = options.shadow ? " --shadow" : "";
  return one_line(fmt::format(
      "{}: node {} at broker {} offers {}, {} at once; next: mcplane-ctl send --broker {} --action {}{} --prompt hi",
      kWorkerProgram, node, options.broker, fmt::join(options.actions, ", "), options.slots, options.broker,
      options.actions.front(), shadow));
}

std::string stopped_line(const WorkerCommand& command, std::uint64_t tasks_done) {
  if (command.json) return dump({{"event", "stopped"}, {"tasks_done", tasks_done}});
  return fmt::format("{}: stopped after {} tasks", kWorkerProgram, tasks_done);
}

}  // namespace mcplane::app
