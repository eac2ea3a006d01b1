// The command line of mcplane-load. Everything is validated before a socket opens. Main thread.
#pragma once

#include <optional>
#include <string>

#include "app/cli.h"
#include "loadgen/options.h"

namespace mcplane::app {

// `stop` set means print it and leave; otherwise the rest is meaningful.
struct LoadCommand {
  std::optional<Stop> stop;
  loadgen::Options options;
  bool json = false;
  std::string html, hgrm;  // files to write; empty: none
};

// argv as main() gets it; reads the environment (MCPLANE_*) too.
LoadCommand parse_load_command(int argc, const char* const* argv);

// What --payload says; of an exponential form bytes_max is the mean until one frame's room is known.
struct PayloadFlag {
  loadgen::PromptSizes sizes;
  std::uint64_t bytes_max = 0;
};

// "256B", "uniform:64B-1KiB", "exp:256B".
Parsed<PayloadFlag> parse_payload(std::string_view text);
// "10k/s..500k/s".
Parsed<loadgen::SweepRange> parse_sweep(std::string_view text);
// "none", "const:50us", "exp:1ms", "bimodal:50us:5ms:0.5%", "lognormal:50us:1.5".
Parsed<loadgen::ServiceTime> parse_service_time(std::string_view text);
// "fail:1", "slow:1:10".
Parsed<loadgen::FaultyWorkers> parse_faulty_workers(std::string_view text);

}  // namespace mcplane::app
