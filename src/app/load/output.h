// What mcplane-load leaves behind: the result on stdout, remarks on stderr, and the files that flags asked for.
// Main thread.
#pragma once

#include <string>

#include "app/load/config.h"
#include "loadgen/event_run.h"
#include "loadgen/run.h"

namespace mcplane::app {

// Of a finished run. Returns exit_code, or kExitRuntime when a file could not be written, which is said in one line.
int write_output(const LoadCommand& command, const loadgen::RunResult& result, const std::string& command_line,
                 int exit_code);
int write_output(const LoadCommand& command, const loadgen::EventResult& result, const std::string& command_line,
                 int exit_code);

}  // namespace mcplane::app
