// See load_config.h.
#include "app/load_config.h"

#include <algorithm>

#include "app/load_port.h"
#include "loadgen/pattern.h"

namespace mcplane::app {
namespace {

constexpr std::uint64_t kDayNs = 86'400 * kNsPerSecond;

void add_load_flags(CLI::App& app, loadgen::Options& options, bool& poisson) {
  const std::string group = "Load";
  CLI::Option* const window =
      add_count(app, "--window", options.window, "Closed loop: tasks in flight a client", {1, 1'024})->group(group);
  add_rate(app, "--rate", options.rate_per_second,
           "Open loop: tasks a second of all clients together; 0/s: closed loop")
      ->group(group)
      ->excludes(window);
  add_switch(app, "--poisson", poisson, "Open loop: exponential gaps instead of equal ones")->group(group);
  add_count(app, "--clients", options.clients, "Clients, each with a UDP port of its own", {1, loadgen::kEndpointsMax})
      ->group(group);
  add_duration(app, "--duration", options.duration_ns, "Measured part of the run", {kNsPerMs, kDayNs})->group(group);
  add_duration(app, "--warmup", options.warmup_ns, "Sent and checked before it, but not measured", {0, kDayNs})
      ->group(group);
  add_count(app, "--tasks", options.tasks, "Ends the run once these are sent; 0: by time alone")->group(group);
  add_count(app, "--seed", options.seed, "Fixes send times and payloads")->group(group);
}

void add_task_flags(CLI::App& app, loadgen::Options& options) {
  const std::string group = "Tasks";
  add_text(app, "--action", options.action, "NAME", "Action to ask for, 1 to 64 bytes")->group(group);
  add_size(app, "--payload", options.prompt_bytes, "Prompt of each task", {loadgen::kPromptBytesMin, 9'000})
      ->group(group);
  add_duration(app, "--ttl", options.ttl_ns, "Time to live of each task", {kNsPerMs, kDayNs})->group(group);
  add_switch(app, "--idempotent", options.idempotent, "Tasks may be executed more than once")->group(group);
}

void add_worker_flags(CLI::App& app, loadgen::Options& options) {
  const std::string group = "In-process workers";
  add_count(app, "--workers", options.workers, "Echo workers in this process; 0: those registered already",
            {0, loadgen::kEndpointsMax})
      ->group(group);
  add_count(app, "--worker-slots", options.worker_slots, "Tasks one of them runs at once", {1, 1'024})->group(group);
  add_value(app, "--service-time", "none|const:DUR|exp:DUR", "none", "How long they work on a task",
            [&options](const std::string& text) {
              const auto parsed = parse_service_time(text);
              if (parsed) options.service_time = *parsed.value;
              return parsed.error;
            })
      ->group(group);
}

}  // namespace

Parsed<loadgen::ServiceTime> parse_service_time(std::string_view text) {
  using Form = loadgen::ServiceTime::Form;
  if (text == "none") return Parsed<loadgen::ServiceTime>::good({});
  const std::size_t colon = text.find(':');
  const std::string_view form = text.substr(0, colon);
  if (colon == std::string_view::npos || (form != "const" && form != "exp"))
    return Parsed<loadgen::ServiceTime>::bad(quote(text) + " is no service time: type none, const:50us or exp:50us");
  const auto mean_ns = parse_duration_ns(text.substr(colon + 1));
  if (!mean_ns) return Parsed<loadgen::ServiceTime>::bad(mean_ns.error);
  return Parsed<loadgen::ServiceTime>::good({form == "exp" ? Form::kExponential : Form::kConstant, *mean_ns.value});
}

LoadCommand parse_load_command(int argc, const char* const* argv) {
  LoadCommand command;
  loadgen::Options& options = command.options;
  bool poisson = false;
  CLI::App app("Loads a broker with tasks, checks every answer, and reports rates and latencies.", "mcplane-load");
  set_conventions(app);
  TransportFlags transport;
  add_transport_flags(app, transport);
  add_load_flags(app, options, poisson);
  add_task_flags(app, options);
  add_worker_flags(app, options);
  add_switch(app, "--json", command.json, "One JSON object on stdout instead of the table")->group("Output");
  const int own = count_own(argc, argv);
  command.stop = parse_command_line(app, own, argv);
  if (command.stop) return command;
  if (poisson) options.arrivals = loadgen::Arrivals::kPoisson;
  const std::vector<std::string> eal_arguments(argv + std::min(own + 1, argc), argv + argc);
  std::string line = settle_transport(transport, eal_arguments, options);
  if (line.empty()) line = loadgen::conflict_in(options);
  if (!line.empty()) command.stop = failure("mcplane-load", line, kExitUsage);
  return command;
}

}  // namespace mcplane::app
