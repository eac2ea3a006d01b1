// What the loads of perf have in common: flags, what they measure themselves and a broker by, and the report.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "event_loop.h"
#include "loadgen/histogram.h"
#include "measuring_options.h"

namespace mcplane::peers {

inline void add_flags(CLI::App& app, Measuring& options) {
  app.add_option("--port", options.port, "The broker's port on 127.0.0.1")->required()->check(CLI::Range(1, 65535));
  app.add_option("--broker-pid", options.broker_pids, "Processes whose CPU time is the broker's")->delimiter(',');
  app.add_option("--payload", options.payload_bytes, "Bytes a message")
      ->capture_default_str()
      ->check(CLI::Range(16, 9'000));
  app.add_option("--seconds", options.seconds, "Measured part")->capture_default_str()->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warmup", options.warmup_seconds, "Seconds before it")->capture_default_str();
}

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

struct CpuUse {
  double seconds = 0;          // measured
  double broker = 0, own = 0;  // of CPU time

  double broker_busy() const { return broker / seconds; }
  double load_busy() const { return own / seconds; }
};

// Turns for the measured part.
inline CpuUse measure(EventLoop& loop, const Measuring& options) {
  const double broker_before = cpu_seconds(options.broker_pids), own_before = own_cpu_seconds();
  const double seconds = turn_until(loop, options.seconds, [] { return false; });
  return {seconds, cpu_seconds(options.broker_pids) - broker_before, own_cpu_seconds() - own_before};
}

inline nlohmann::json percentiles_us(const loadgen::Histogram& latency_ns) {
  const auto us = [&](double percent) { return static_cast<double>(latency_ns.percentile(percent)) / 1e3; };
  return {{"p50", us(50)}, {"p99", us(99)}};
}

// Prints what run() reports, one JSON object. 1 when any of the faults is not 0, or when it throws Failure.
template <class Run>
int print_report(const char* program, std::initializer_list<const char*> faults, Run run) {
  try {
    const nlohmann::json report = run();
    std::puts(report.dump().c_str());
    for (const char* const fault : faults)
      if (report[fault] != 0) return 1;
    return 0;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "%s: %s\n", program, failure.what());
    return 1;
  }
}

}  // namespace mcplane::peers
