// mcplane-ctl: sends a task, shows an appliance's state and who is registered. One command a run, main thread only
// besides the library's own.
#include "app/ctl_admin.h"
#include "app/ctl_send.h"

int main(int argc, char** argv) {
  namespace app = mcplane::app;
  CLI::App program("mcplane-ctl: asks an mcplane appliance, and sends it tasks.", "mcplane-ctl");
  app::set_conventions(program);
  program.require_subcommand(1);

  app::SendFlags send_flags;
  app::AdminFlags admin_flags;
  CLI::App* const send = program.add_subcommand("send", "Send one task and print its answer");
  CLI::App* const nodes = program.add_subcommand("nodes", "Who is registered");
  CLI::App* const status = program.add_subcommand("status", "Counters and settings of the appliance");
  for (CLI::App* const command : {send, nodes, status}) command->group("Commands");
  app::add_send_flags(*send, send_flags);
  app::add_admin_flags(*nodes, admin_flags);
  app::add_admin_flags(*status, admin_flags);

  if (const auto stop = app::parse_command_line(program, argc, argv)) return app::end(*stop);
  if (send->parsed()) return app::run_send(send_flags);
  return nodes->parsed() ? app::run_nodes(admin_flags) : app::run_status(admin_flags);
}
