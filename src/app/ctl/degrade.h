// `mcplane-ctl degrade`: which routes have something that stands in for their workers, whether it does, and to say that
// it shall. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct DegradeFlags {
  AdminFlags admin;
  std::string route;   // "generate", "generate/llama"; empty: only list
  std::string change;  // "on", "off" or "auto"
};

void add_degrade_flags(CLI::App& command, DegradeFlags& flags);
Request degrade_request(const DegradeFlags& flags);
// The body of GET /v1/degradation as a table.
Parsed<std::string> degradation_table(std::string_view body);
// Changes or asks, and prints. Returns the exit code.
int run_degrade(const DegradeFlags& flags);

}  // namespace mcplane::app
