// One shell command: input on stdin, output given away as it comes, ended by its process group when its time is over.
// Any thread; blocks the caller only.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcplane::app {

struct ChildRequest {
  std::string command;  // for /bin/sh -c
  std::string input;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, replacing the same names
  std::chrono::milliseconds time_limit{};
  int interrupt_fd = -1;  // readable: end the child now; -1: never
  // Of a child that goes on: what it wrote to stdout, as it comes. False: end it now.
  std::function<bool(std::string_view)> take_output;
  std::function<bool()> unwanted;  // asked many times a second; true: end it now
};

enum class ChildEnd { kExited, kSignalled, kTimedOut, kInterrupted, kUnwanted, kNotStarted };

struct ChildResult {
  ChildEnd end = ChildEnd::kNotStarted;
  int code = 0;            // exit status, signal number or errno, by `end`
  std::string output;      // the last of stdout, which was not given away
  std::string error_line;  // the last line of stderr that is not empty
};

// Nothing of the child's process group is left when it returns.
ChildResult run_child(const ChildRequest& request);

}  // namespace mcplane::app
