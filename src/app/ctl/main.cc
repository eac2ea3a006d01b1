// mcplane-ctl: sends tasks and events, shows an appliance's state, and changes it. One command a run, main thread only
// besides the library's own. Of what is added here, all there is, command_line/docs.h makes man page and completion.
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "app/ctl/admin.h"
#include "app/ctl/autoscale.h"
#include "app/ctl/breaker.h"
#include "app/ctl/capture.h"
#include "app/ctl/config.h"
#include "app/ctl/degrade.h"
#include "app/ctl/drain.h"
#include "app/ctl/events.h"
#include "app/ctl/perf.h"
#include "app/ctl/routes.h"
#include "app/ctl/send.h"
#include "app/ctl/tasks.h"
#include "app/ctl/top/top.h"
#include "app/ctl/trace.h"

namespace {

// A command and what runs when it was typed.
using Commands = std::vector<std::pair<CLI::App*, std::function<int()>>>;
template <class Flags>
void add(CLI::App& program, Commands& commands, const char* name, const char* help,
         void (*add_flags)(CLI::App&, Flags&), std::function<int(const Flags&)> run) {
  CLI::App* const command = program.add_subcommand(name, help);
  command->group("Commands");
  const auto flags = std::make_shared<Flags>();
  add_flags(*command, *flags);
  commands.emplace_back(command, [flags, run = std::move(run)] { return run(*flags); });
}

Commands add_commands(CLI::App& program) {
  using namespace mcplane::app;
  Commands all;
  add<SendFlags>(program, all, "send", "Send one task and print its answer", add_send_flags, run_send);
  add<PubFlags>(program, all, "pub", "Publish one event", add_pub_flags, run_pub);
  add<SubFlags>(program, all, "sub", "Print events as they come", add_sub_flags, run_sub);
  add<AdminFlags>(program, all, "status", "Counters and settings of the appliance", add_admin_flags, run_status);
  add<TopFlags>(program, all, "top", "The same, live: throughput, cores and workers", add_top_flags, run_top);
  add<AdminFlags>(program, all, "nodes", "Who is registered", add_admin_flags, run_nodes);
  add<AdminFlags>(program, all, "routes", "What clients ask for, who serves it, who waits, what is limited",
                  add_admin_flags, run_routes);
  add<TasksFlags>(program, all, "tasks", "Tasks that have not ended", add_tasks_flags, run_tasks);
  add<ExplainFlags>(program, all, "explain", "Where a task is, and why each worker may or may not have it",
                    add_explain_flags, run_explain);
  add<AdminFlags>(program, all, "autoscale", "How many workers each pool should have", add_admin_flags, run_autoscale);
  add<TraceFlags>(program, all, "trace", "Where one task was, from trace files and logs", add_trace_command, run_trace);
  add<CaptureFlags>(program, all, "capture", "Copy frames into a pcap file", add_capture_flags, run_capture);
  add<BreakerFlags>(program, all, "breaker", "Whose breaker is open and why; hold one open or closed",
                    add_breaker_flags, run_breaker);
  add<DrainFlags>(program, all, "drain", "Give a worker no new tasks, and wait until it holds none", add_drain_flags,
                  run_drain);
  add<DegradeFlags>(program, all, "degrade",
                    "What stands in for workers that are out, and whether it does; turn it on or off",
                    add_degrade_flags, run_degrade);
  add<PerfFlags>(program, all, "perf", "Where the cycles of a task go, and how long its frames stay", add_perf_flags,
                 run_perf);
  add<ConfigFlags>(
      program, all, "config", "What the appliance is configured with, and changes of it", add_config_commands,
      [&program](const ConfigFlags& flags) { return run_config(*program.get_subcommand("config"), flags); });
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("mcplane-ctl: asks an mcplane appliance, and sends it tasks and events.", "mcplane-ctl");
  mcplane::app::set_conventions(program);
  program.require_subcommand(1);
  const Commands commands = add_commands(program);
  if (const auto stop = mcplane::app::parse_command_line(program, argc, argv)) return mcplane::app::end(*stop);
  for (const auto& [typed, run] : commands)
    if (typed->parsed()) return run();
  return mcplane::app::kExitUsage;  // the parser asks for one
}
