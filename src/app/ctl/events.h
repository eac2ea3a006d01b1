// `mcplane-ctl sub` and `mcplane-ctl pub`: events as they come, and one of one's own. Main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "app/command_line/cli.h"
#include "base/types.h"
#include "mcplane/event.h"

namespace mcplane::app {

struct SubFlags {
  std::string broker = {};
  std::string pattern = {}, group = {};
  std::uint64_t count = 0;  // ends after so many; 0: on a signal
  bool json = false;
  std::uint64_t connect_timeout_ns = 5 * kNsPerSecond;
};

struct PubFlags {
  std::string broker = {};
  std::string topic = {}, payload = {};  // payload "-": stdin
  std::uint64_t connect_timeout_ns = 5 * kNsPerSecond;
};

void add_sub_flags(CLI::App& command, SubFlags& flags);
void add_pub_flags(CLI::App& command, PubFlags& flags);

// One line each, with its end.
std::string event_line(const Event& event, bool json);
std::string total_line(std::uint64_t received, std::uint64_t missed, bool json);
// Reads `input` when it is "-"; what does not fit a frame is refused later.
std::string payload_of(const PubFlags& flags, std::istream& input);

// Both return the exit code. run_sub() prints until INT, TERM or --count.
int run_sub(const SubFlags& flags);
int run_pub(const PubFlags& flags);

}  // namespace mcplane::app
