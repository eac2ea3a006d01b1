// What `mcplane-ctl send` says of an outcome: for people, or as one JSON object. Pure.
#pragma once

#include <string>
#include <string_view>

#include "app/command_line/cli.h"
#include "mcplane/task.h"

namespace mcplane::app {

// What to print, and how to end.
struct SendReport {
  int exit_code = kExitRuntime;
  std::string standard_output;
  std::string standard_error;
};
// printed: the last of the answer that went to standard output as it came.
SendReport report_on(const Outcome& outcome, bool json, std::string_view printed = {});

}  // namespace mcplane::app
