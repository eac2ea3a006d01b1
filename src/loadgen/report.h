// The result as people and programs read it. Pure but for the stream written to; main thread.
#pragma once

#include <string>
#include <string_view>

#include "loadgen/options.h"
#include "loadgen/run.h"

namespace mcplane::loadgen {

// One name and value a line, in two columns; ends with a newline.
std::string table_of(const Options& options, const RunResult& result);
// One object on one line, without a newline.
std::string json_of(const Options& options, const RunResult& result, std::string_view command_line);
// What someone should know or do next, for stderr: lines, each ending with a newline; may be empty.
std::string remarks_on(const Options& options, const RunResult& result);

}  // namespace mcplane::loadgen
