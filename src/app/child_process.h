// One shell command: input on stdin, output collected, ended by its process group when its time is over.
// Any thread; blocks the caller only.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mcplane::app {

inline constexpr std::size_t kOutputBytesMax = 16U << 20;

struct ChildRequest {
  std::string command;  // for /bin/sh -c
  std::string input;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, replacing the same names
  std::chrono::milliseconds time_limit{};
  int interrupt_fd = -1;  // readable: end the child now; -1: never
};

enum class ChildEnd { kExited, kSignalled, kTimedOut, kInterrupted, kTooMuchOutput, kNotStarted };

struct ChildResult {
  ChildEnd end = ChildEnd::kNotStarted;
  int code = 0;            // exit status, signal number or errno, by `end`
  std::string output;      // stdout
  std::string error_line;  // the last line of stderr that is not empty
};

// Nothing of the child's process group is left when it returns.
ChildResult run_child(const ChildRequest& request);

}  // namespace mcplane::app
