// Command line conventions of every mcplane binary, on top of CLI11: grouped help with defaults, ranges and units,
// MCPLANE_* environment names, and one line per mistake that says what was wrong, where, and what to type instead.
// Main thread, before any other starts.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/command_line/units.h"

namespace mcplane::app {

// Exit codes; scripts rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRuntime = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitConfigInvalid = 4;
inline constexpr int kExitBrokerUnreachable = 5;
inline constexpr int kExitObjectiveMissed = 10;

// The programs, as their messages begin.
inline constexpr const char* kBrokerProgram = "mcplane";
inline constexpr const char* kCtlProgram = "mcplane-ctl";
inline constexpr const char* kWorkerProgram = "mcplane-worker";

// The process ends here: `text` goes to stdout when exit_code is kExitOk, otherwise it is one line for stderr.
struct Stop {
  int exit_code = kExitOk;
  std::string text;
};

std::string_view version() noexcept;
// The CPUs this process might run on when it was first asked, ascending. Any thread.
std::vector<unsigned> allowed_cpus();
// An error line when `cpu` is none of those; else empty.
std::string cpu_error(std::uint64_t cpu, const std::vector<unsigned>& allowed);
// How many of argv's elements are ours; "--" and what follows are EAL's.
int count_own(int argc, const char* const* argv);

// Help format and --version. `app` is the top level and has its name; subcommands come after this call.
void set_conventions(CLI::App& app);

// Parses; nullopt means go on. Gives every long flag its environment name first (--rx-burst: MCPLANE_RX_BURST), so
// call it once every flag is added.
std::optional<Stop> parse_command_line(CLI::App& app, int argc, const char* const* argv);

// Prints to stdout or stderr and returns the exit code, for `return end(stop)`.
int end(const Stop& stop);
// "PROGRAM: LINE".
Stop failure(std::string_view program, std::string_view line, int exit_code);

// Inclusive.
struct Bounds {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

// An error line when `value`, read from `typed`, is out of bounds; else empty.
std::string bounds_error(const std::string& typed, std::uint64_t value, Bounds bounds,
                         std::string (*format)(std::uint64_t));
std::string format_count(std::uint64_t count);

// Flags. What the variable holds when the flag is added is its default and shown in the help. A flag given twice is a
// mistake, except with add_values and add_texts.

// A value of any form: `accept` gets the text and returns an error line, empty when it took it.
CLI::Option* add_value(CLI::App& app, const std::string& flag, const std::string& type, const std::string& default_text,
                       const std::string& help, std::function<std::string(const std::string&)> accept);
CLI::Option* add_duration(CLI::App& app, const std::string& flag, std::uint64_t& value_ns, const std::string& help,
                          Bounds bounds_ns = {});
CLI::Option* add_size(CLI::App& app, const std::string& flag, std::uint64_t& value_bytes, const std::string& help,
                      Bounds bounds_bytes = {});
CLI::Option* add_rate(CLI::App& app, const std::string& flag, double& value_per_second, const std::string& help);
CLI::Option* add_text(CLI::App& app, const std::string& flag, std::string& value, const std::string& type,
                      const std::string& help);
// Given once for each value; `accept` gets them one by one. `commas`: one flag, and the environment, may hold several
// values between commas.
CLI::Option* add_values(CLI::App& app, const std::string& flag, const std::string& type, const std::string& help,
                        std::function<std::string(const std::string&)> accept, bool commas = true);
// Appends to `values`.
CLI::Option* add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& values,
                       const std::string& type, const std::string& help);
CLI::Option* add_switch(CLI::App& app, const std::string& flag, bool& value, const std::string& help);

// add_count for any integer; `store` gets what is within bounds.
CLI::Option* add_bounded_count(CLI::App& app, const std::string& flag, std::uint64_t default_value,
                               const std::string& help, Bounds bounds, std::function<void(std::uint64_t)> store);

template <class T>
CLI::Option* add_count(CLI::App& app, const std::string& flag, T& value, const std::string& help, Bounds bounds = {}) {
  bounds.max = std::min(bounds.max, std::uint64_t{std::numeric_limits<T>::max()});
  return add_bounded_count(app, flag, value, help, bounds,
                           [&value](std::uint64_t typed) { value = static_cast<T>(typed); });
}

}  // namespace mcplane::app
