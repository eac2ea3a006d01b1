// What the loads of perf measure themselves and a broker by.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "event_loop.h"

namespace mcplane::peers {

// CPU seconds of the brokers' processes, all threads, user and system: fields 14 and 15 of /proc/PID/stat.
inline double cpu_seconds(const std::vector<int>& pids) {
  std::uint64_t ticks = 0;
  for (const int pid : pids) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    for (int i = 3; i < 14; ++i) fields >> text;
    std::uint64_t user = 0, system = 0;
    fields >> user >> system;
    ticks += user + system;
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

inline double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Turns until `done` or the time is up; seconds spent.
template <class Done>
double turn_until(EventLoop& loop, double seconds, Done done) {
  constexpr int kTurnMs = 10;
  const std::uint64_t start = now_ns();
  const auto passed = [start] { return static_cast<double>(now_ns() - start) / 1e9; };
  while (passed() < seconds && !done()) loop.turn(kTurnMs);
  return passed();
}

}  // namespace mcplane::peers
