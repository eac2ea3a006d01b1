// mcplane-ctl: sends a task, publishes and prints events, shows an appliance's state, who is registered, whose breaker
// is open, which routes are degraded and where cycles go, and changes its configuration. One command a run, main thread
// only besides the library's own.
#include "app/ctl_admin.h"
#include "app/ctl_breaker.h"
#include "app/ctl_config.h"
#include "app/ctl_degrade.h"
#include "app/ctl_events.h"
#include "app/ctl_perf.h"
#include "app/ctl_send.h"
#include "app/ctl_trace.h"

int main(int argc, char** argv) {
  namespace app = mcplane::app;
  CLI::App program("mcplane-ctl: asks an mcplane appliance, and sends it tasks and events.", "mcplane-ctl");
  app::set_conventions(program);
  program.require_subcommand(1);

  app::SendFlags send_flags;
  app::AdminFlags admin_flags;
  app::BreakerFlags breaker_flags;
  app::ConfigFlags config_flags;
  app::DegradeFlags degrade_flags;
  app::PerfFlags perf_flags;
  app::PubFlags pub_flags;
  app::SubFlags sub_flags;
  app::TraceFlags trace_flags;
  CLI::App* const send = program.add_subcommand("send", "Send one task and print its answer");
  CLI::App* const pub = program.add_subcommand("pub", "Publish one event");
  CLI::App* const sub = program.add_subcommand("sub", "Print events as they come");
  CLI::App* const config = program.add_subcommand("config", "What the appliance is configured with, and changes of it");
  CLI::App* const nodes = program.add_subcommand("nodes", "Who is registered");
  CLI::App* const breaker = program.add_subcommand("breaker", "Whose breaker is open and why; hold one open or closed");
  CLI::App* const degrade = program.add_subcommand(
      "degrade", "What stands in for workers that are out, and whether it does; turn it on or off");
  CLI::App* const perf = program.add_subcommand("perf", "Where the cycles of a task go, and how long its frames stay");
  CLI::App* const status = program.add_subcommand("status", "Counters and settings of the appliance");
  CLI::App* const trace = program.add_subcommand("trace", "Where one task was, from trace files and logs");
  for (CLI::App* const command : {send, pub, sub, breaker, config, degrade, nodes, perf, status, trace})
    command->group("Commands");
  app::add_send_flags(*send, send_flags);
  app::add_breaker_flags(*breaker, breaker_flags);
  app::add_config_commands(*config, config_flags);
  app::add_degrade_flags(*degrade, degrade_flags);
  app::add_admin_flags(*nodes, admin_flags);
  app::add_perf_flags(*perf, perf_flags);
  app::add_pub_flags(*pub, pub_flags);
  app::add_admin_flags(*status, admin_flags);
  app::add_sub_flags(*sub, sub_flags);
  app::add_trace_command(*trace, trace_flags);

  if (const auto stop = app::parse_command_line(program, argc, argv)) return app::end(*stop);
  if (send->parsed()) return app::run_send(send_flags);
  if (breaker->parsed()) return app::run_breaker(breaker_flags);
  if (config->parsed()) return app::run_config(*config, config_flags);
  if (degrade->parsed()) return app::run_degrade(degrade_flags);
  if (perf->parsed()) return app::run_perf(perf_flags);
  if (pub->parsed()) return app::run_pub(pub_flags);
  if (trace->parsed()) return app::run_trace(trace_flags);
  if (sub->parsed()) return app::run_sub(sub_flags);
  return nodes->parsed() ? app::run_nodes(admin_flags) : app::run_status(admin_flags);
}
