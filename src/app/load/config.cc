// See config.h.
#include "app/load/config.h"

#include <algorithm>
#include <string>
#include <vector>

#include "app/load/port.h"
#include "app/load/values.h"

namespace mcplane::app {
namespace {

constexpr std::uint64_t kDayNs = 86'400 * kNsPerSecond;

void add_load_flags(CLI::App& app, loadgen::Options& options, bool& poisson) {
  const std::string group = "Load";
  CLI::Option* const window =
      add_count(app, "--window", options.window, "Closed loop: tasks in flight a client", {1, 1'024})->group(group);
  CLI::Option* const rate = add_rate(app, "--rate", options.rate_per_second,
                                     "Open loop: tasks a second of all clients together; 0/s: closed loop")
                                ->group(group)
                                ->excludes(window);
  add_switch(app, "--poisson", poisson, "Open loop: exponential gaps instead of equal ones")->group(group);
  add_duration(app, "--ramp", options.ramp_ns,
               "Open loop: the rate rises to --rate on a straight line in this time, before the warm-up", {0, kDayNs})
      ->group(group);
  add_rate(app, "--ramp-from", options.ramp_from_per_second, "Rate that the ramp starts with")->group(group);
  add_value(app, "--sweep", "RATE..RATE", "",
            "Open loop: one run of --warmup and --duration at each of some rates, doubled from the first to the last, "
            "then bisected, until the knee is known to 5 %: the highest rate of which 99 % was answered in time",
            [&options](const std::string& text) {
              const auto parsed = parse_sweep(text);
              if (parsed) options.sweep = *parsed.value;
              return parsed.error;
            })
      ->group(group)
      ->excludes(window)
      ->excludes(rate);
  add_count(app, "--clients", options.clients, "Clients, each with a UDP port of its own", {1, loadgen::kEndpointsMax})
      ->group(group);
  add_duration(app, "--duration", options.duration_ns, "Measured part of the run", {kNsPerMs, kDayNs})->group(group);
  add_duration(app, "--warmup", options.warmup_ns, "Sent and checked before it, but not measured", {0, kDayNs})
      ->group(group);
  add_count(app, "--tasks", options.tasks, "Ends the run once these are sent; 0: by time alone")->group(group);
  add_count(app, "--seed", options.seed, "Fixes send times and payloads")->group(group);
}

void add_surge_flags(CLI::App& app, loadgen::Surge& surge) {
  const std::string group = "Surge: further clients on a --port, on top of --rate, counted apart";
  add_rate(app, "--surge-rate", surge.rate_per_second, "Tasks a second of all of them together; 0/s: none")
      ->group(group);
  add_count(app, "--surge-clients", surge.clients, "How many they are", {1, loadgen::kEndpointsMax})->group(group);
  add_duration(app, "--surge-after", surge.after_ns, "When they begin, since the start of the run", {0, kDayNs})
      ->group(group);
  add_duration(app, "--surge-for", surge.length_ns, "How long they send; 0s: to the end of the run", {0, kDayNs})
      ->group(group);
}

void add_task_flags(CLI::App& app, loadgen::Options& options) {
  const std::string group = "Tasks";
  add_text(app, "--action", options.action, "NAME", "Action to ask for, 1 to 64 bytes")->group(group);
  add_value(
      app, "--payload", "SIZE|uniform:SIZE-SIZE|exp:MEAN|file:PATH", format_size_bytes(options.prompt_bytes),
      "Prompt of each task, 16B to nearly 16MiB, in parts where no frame holds it; exp: up to a frame; file: one of "
      "the sizes that stand there, one a line",
      [&options](const std::string& text) {
        const auto parsed = parse_payload(text);
        if (parsed) options.prompt_sizes = parsed.value->sizes;
        if (parsed) options.prompt_bytes = parsed.value->bytes_max;
        return parsed.error;
      })
      ->group(group);
  add_duration(app, "--ttl", options.ttl_ns, "Time to live of each task", {kNsPerMs, kDayNs})->group(group);
  add_count(app, "--priority", options.priority,
            "Class of each task, 0 the most urgent; 3 rather waits than be refused", {0, wire::kPriorities - 1})
      ->group(group);
  add_switch(app, "--idempotent", options.idempotent, "Tasks may be executed more than once")->group(group);
  add_switch(app, "--shadow", options.shadow,
             "A load test beside production: tasks go to shadow workers only, and in-process workers are such")
      ->group(group);
}

// Those of tasks alone are refused beside --events.
void add_event_flags(CLI::App& app, loadgen::Options& options) {
  const std::string group = "Events: publishers and subscribers in place of clients' tasks and workers";
  CLI::Option* const events =
      add_switch(app, "--events", options.events,
                 "Each of --clients publishes; --rate counts events, --window those of one client on their way; "
                 "--payload bytes an event")
          ->group(group);
  for (const char* const flag :
       {"--sweep", "--surge-rate", "--workers", "--worker-slots", "--service-time", "--faulty-workers", "--action",
        "--ttl", "--priority", "--idempotent", "--shadow", "--interval", "--html", "--admin"})
    events->excludes(app.get_option(flag));
  for (CLI::Option* const option :
       {add_count(app, "--subscribers", options.subscribers, "Subscribers, each with a UDP port of its own",
                  {1, loadgen::kEndpointsMax}),
        add_count(app, "--topics", options.topics,
                  "Topics that events are published on in turn; subscribers are spread over them", {1, 65'536})})
    option->group(group)->needs(events);
}

// Those that ask for what its ends do not do are refused beside it.
void add_reflect_flag(CLI::App& app, loadgen::Options& options) {
  CLI::Option* const reflect =
      add_switch(app, "--reflect", options.reflect,
                 "On a --port, the most that one core can bring: clients and workers send frames on in the packets "
                 "they came in, and hold each answer against its task's id; what is lost is not sent again")
          ->group("Load");
  add_count(app, "--check-every", options.check_every,
            "Of the answers to --reflect, one in so many is held against its bytes, too", {1, 1'000'000})
      ->group("Load")
      ->needs(reflect);
  for (const char* const flag : {"--events", "--service-time", "--faulty-workers", "--tasks", "--interval", "--html"})
    reflect->excludes(app.get_option(flag));
}

void add_worker_flags(CLI::App& app, loadgen::Options& options) {
  const std::string group = "In-process workers";
  add_count(app, "--workers", options.workers, "Echo workers in this process; 0: those registered already",
            {0, loadgen::kEndpointsMax})
      ->group(group);
  add_count(app, "--worker-slots", options.worker_slots, "Tasks one of them runs at once", {1, 1'024})->group(group);
  add_value(
      app, "--service-time", "FORM", "none",
      "How long they work on a task: none, const:50us, exp:50us (of that mean), bimodal:50us:5ms:0.5% (the second "
      "for that share of tasks) or lognormal:50us:1.5 (of that mean; deviation of the logarithm)",
      [&options](const std::string& text) {
        const auto parsed = parse_service_time(text);
        if (parsed) options.service_time = *parsed.value;
        return parsed.error;
      })
      ->group(group);
  add_value(app, "--faulty-workers", "fail:COUNT|slow:COUNT:TIMES", "none",
            "So many of them answer every task at once with an error, or take so many times as long as the others",
            [&options](const std::string& text) {
              const auto parsed = parse_faulty_workers(text);
              if (parsed) options.faulty_workers = *parsed.value;
              return parsed.error;
            })
      ->group(group);
}

// Behind the flags that it is refused beside.
void add_stream_flags(CLI::App& app, loadgen::StreamShape& stream) {
  const std::string group = "In-process workers";
  CLI::Option* const flag =
      add_value(
          app, "--stream", "CHUNKS:SIZE", "none",
          "They answer each task, once its service time is over, with a stream of so many chunks, each in a frame "
          "of its own and checked; first_chunk_us and chunk_us say when they came",
          [&stream](const std::string& text) {
            const auto parsed = parse_stream(text);
            if (!parsed) return parsed.error;
            stream.chunks = parsed.value->chunks;
            stream.chunk_bytes = parsed.value->chunk_bytes;
            return std::string();
          })
          ->group(group);
  for (const char* const other : {"--events", "--reflect"}) flag->excludes(app.get_option(other));
  add_duration(app, "--stream-interval", stream.interval_ns,
               "From one chunk of a stream to the next; 0s: as fast as its client takes them", {0, kDayNs})
      ->group(group)
      ->needs(flag);
}

void add_objective_flags(CLI::App& app, loadgen::Objectives& objectives) {
  const std::string group = "Objectives: exit code 10 when one is missed";
  add_duration(
      app, "--p99-max", objectives.p99_max_ns,
      "99 % of answers take at most so long; with --sweep it bounds the knee, in place of ten times the lowest "
      "rate's p99; 0s: no bound",
      {0, kDayNs})
      ->group(group);
  add_rate(app, "--rate-min", objectives.rate_min_per_second,
           "Answers a second, or the knee of a sweep, are at least so many; 0/s: no bound")
      ->group(group);
}

void add_output_flags(CLI::App& app, LoadCommand& command) {
  const std::string group = "Output";
  add_switch(app, "--json", command.json, "One JSON object on stdout instead of the table")->group(group);
  add_duration(app, "--interval", command.options.interval_ns, "Of the time line in --json and --html",
               {10 * kNsPerMs, kDayNs})
      ->group(group);
  add_text(app, "--html", command.html, "FILE", "Writes a page with pictures of the run, complete in itself")
      ->group(group);
  add_text(app, "--hgrm", command.hgrm, "FILE",
           "Writes the latency distribution, in microseconds, as HdrHistogram's plotters read it")
      ->group(group);
  add_text(app, "--admin", command.admin, "PATH",
           "Admin socket of the broker, on this machine: has what a task costs its cores in the report")
      ->group(group);
}

}  // namespace

LoadCommand parse_load_command(int argc, const char* const* argv) {
  LoadCommand command;
  loadgen::Options& options = command.options;
  bool poisson = false;
  CLI::App app("Loads a broker with tasks or events, checks every answer, and reports rates and latencies.",
               "mcplane-load");
  set_conventions(app);
  TransportFlags transport;
  add_transport_flags(app, transport);
  add_load_flags(app, options, poisson);
  add_surge_flags(app, options.surge);
  add_task_flags(app, options);
  add_worker_flags(app, options);
  add_objective_flags(app, options.objectives);
  add_output_flags(app, command);
  add_event_flags(app, options);
  add_reflect_flag(app, options);
  add_stream_flags(app, options.stream);
  const int own = count_own(argc, argv);
  command.stop = parse_command_line(app, own, argv);
  if (command.stop) return command;
  if (poisson) options.arrivals = loadgen::Arrivals::kPoisson;
  const std::vector<std::string> eal_arguments(argv + std::min(own + 1, argc), argv + argc);
  if (options.sweep) options.rate_per_second = options.sweep->to_per_second;
  std::string line = settle_transport(transport, eal_arguments, options);
  if (options.prompt_sizes.form == loadgen::PromptSizes::Form::kExponential)
    options.prompt_bytes = loadgen::prompt_bytes_max(options, options.mtu);
  if (line.empty()) line = loadgen::conflict_in(options);
  if (!line.empty()) command.stop = failure("mcplane-load", line, kExitUsage);
  return command;
}

}  // namespace mcplane::app
