// `mcplane-ctl config`: what the appliance is configured with, and every change of it. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct ConfigFlags {
  AdminFlags admin;
  bool origin = false;                  // show
  std::string file;                     // check, diff, apply
  std::uint64_t confirm_within_ns = 0;  // apply; 0: for good
  std::string generation;               // rollback; "": the one before
};

// Commands below `config`.
void add_config_commands(CLI::App& config, ConfigFlags& flags);
// Runs the one that was typed. Returns the exit code.
int run_config(const CLI::App& config, const ConfigFlags& flags);

// The bodies of GET /v1/config, GET /v1/config/history and POST /v1/config/diff as tables.
Parsed<std::string> config_table(std::string_view body);
Parsed<std::string> config_origin_table(std::string_view body);
Parsed<std::string> config_history_table(std::string_view body);
Parsed<std::string> config_changes_table(std::string_view body);

}  // namespace mcplane::app
