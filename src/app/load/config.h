// The command line of mcplane-load. Everything is validated before a socket opens. Main thread.
#pragma once

#include <optional>
#include <string>

#include "app/command_line/cli.h"
#include "loadgen/options.h"

namespace mcplane::app {

// `stop` set means print it and leave; otherwise the rest is meaningful.
struct LoadCommand {
  std::optional<Stop> stop;
  loadgen::Options options;
  bool json = false;
  std::string html, hgrm;  // files to write; empty: none
  std::string admin;       // socket of the broker to ask what tasks cost it; empty: it is not asked
};

// argv as main() gets it; reads the environment (MCPLANE_*) too.
LoadCommand parse_load_command(int argc, const char* const* argv);

}  // namespace mcplane::app
