// `mcplane-ctl breaker`: whose breaker is open and why, and holding one open or closed. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct BreakerFlags {
  AdminFlags admin;
  std::string change;  // the path's last part: "force-open", "force-closed" or "auto"; empty: only list
  std::string node;    // 8 small hexadecimal digits, as `nodes` shows them
  std::string action;  // of the worker's; empty: all of them
};

// The argument NODE: 8 hexadecimal digits, made small.
CLI::Option* add_node(CLI::App& command, std::string& node);
void add_breaker_flags(CLI::App& command, BreakerFlags& flags);
Request breaker_request(const BreakerFlags& flags);
// The body of GET /v1/breakers as a table.
Parsed<std::string> breaker_table(std::string_view body);
// Changes or asks, and prints. Returns the exit code.
int run_breaker(const BreakerFlags& flags);

}  // namespace mcplane::app
