// One line an event that an operator asks about: who registered, who was evicted, who left. Control thread.
// At most kLinesPerSecond, so that a flapping network does not fill a disk; what was held back is counted and said.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/types.h"

namespace spdlog {
class logger;
}

namespace mcplane::control {

class Log {
 public:
  static constexpr std::uint32_t kLinesPerSecond = 100;

  explicit Log(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  template <class... Args>
  void info(std::uint64_t now_ns, fmt::format_string<Args...> format, Args&&... args) {
    if (admits(now_ns)) write(fmt::format(format, std::forward<Args>(args)...), false);
  }
  template <class... Args>
  void warning(std::uint64_t now_ns, fmt::format_string<Args...> format, Args&&... args) {
    if (admits(now_ns)) write(fmt::format(format, std::forward<Args>(args)...), true);
  }
  // A line about a task ends with " trace_id=" and 32 digits: where lines have fields, that is one of them.
  template <class... Args>
  void debug(std::uint64_t now_ns, fmt::format_string<Args...> format, Args&&... args) {
    if (wants_debug() && admits(now_ns)) write_debug(fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  bool admits(std::uint64_t now_ns);
  bool wants_debug() const noexcept;
  void write(std::string_view line, bool warns);
  void write_debug(std::string_view line);

  std::shared_ptr<spdlog::logger> logger_;
  std::uint64_t window_start_ns_ = 0;
  std::uint32_t lines_ = 0;       // in this window
  std::uint64_t suppressed_ = 0;  // since the last window that said so
};

}  // namespace mcplane::control
