// `mcplane-ctl perf`: where the cycles of a task go at the broker, and how long its frames stay there. Main thread.
#pragma once

#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct PerfFlags {
  AdminFlags admin;
  bool on = false, off = false;  // at most one
};

void add_perf_flags(CLI::App& command, PerfFlags& flags);
// The body of GET /v1/perf as tables.
Parsed<std::string> perf_table(std::string_view body);
// Switches or asks, and prints. Returns the exit code.
int run_perf(const PerfFlags& flags);

}  // namespace mcplane::app
