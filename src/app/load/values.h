// Values of mcplane-load's flags that have a form of their own: sizes, rates, times, faults. Pure, but for the file
// that a list of sizes is in. Main thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "app/command_line/units.h"
#include "loadgen/chunk.h"
#include "loadgen/options.h"
#include "loadgen/pattern.h"
#include "loadgen/schedule.h"

namespace mcplane::app {

// What --payload says; of an exponential form bytes_max is the mean until one frame's room is known.
struct PayloadFlag {
  loadgen::PromptSizes sizes;
  std::uint64_t bytes_max = 0;
};

// "256B", "uniform:64B-1KiB", "exp:256B", "file:PATH" with a size a line.
Parsed<PayloadFlag> parse_payload(std::string_view text);
// "1000:32B": how many chunks, of which size.
Parsed<loadgen::StreamShape> parse_stream(std::string_view text);
// "10k/s..500k/s".
Parsed<loadgen::SweepRange> parse_sweep(std::string_view text);
// "none", "const:50us", "exp:1ms", "bimodal:50us:5ms:0.5%", "lognormal:50us:1.5".
Parsed<loadgen::ServiceTime> parse_service_time(std::string_view text);
// "fail:1", "slow:1:10".
Parsed<loadgen::FaultyWorkers> parse_faulty_workers(std::string_view text);

}  // namespace mcplane::app
