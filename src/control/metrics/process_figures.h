// What the kernel says of this process and of its host (proc(5)). Any thread; reads a handful of files. What cannot be
// read is 0.
#pragma once

#include <cstdint>

namespace mcplane::control {

struct ProcessFigures {
  double cpu_seconds = 0;         // user and system, of all threads
  double start_time_seconds = 0;  // since 1970
  std::uint64_t virtual_bytes = 0, resident_bytes = 0;
  std::uint64_t threads = 0, open_fds = 0, max_fds = 0;
};

struct HostFigures {
  std::uint64_t huge_pages = 0, huge_pages_free = 0;  // of the default size
  std::uint64_t memory_bytes = 0, memory_available_bytes = 0;
  double load = 0;  // threads that run or could, a mean over a minute
};

ProcessFigures process_figures();
HostFigures host_figures();

}  // namespace mcplane::control
