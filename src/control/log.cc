// spdlog does the writing; this file only decides whether.
#include "control/log.h"

#include <spdlog/logger.h>

namespace mcplane::control {

bool Log::admits(std::uint64_t now_ns) {
  if (!logger_) return false;
  if (now_ns - window_start_ns_ >= kNsPerSecond) {
    window_start_ns_ = now_ns;
    lines_ = 0;
    if (suppressed_ > 0) write(fmt::format("{} lines held back", std::exchange(suppressed_, 0)), false);
  }
  if (lines_ < kLinesPerSecond) {
    ++lines_;
    return true;
  }
  ++suppressed_;
  return false;
}

void Log::write(std::string_view line, bool warns) {
  logger_->log(warns ? spdlog::level::warn : spdlog::level::info, line);
}

bool Log::wants_debug() const noexcept { return logger_ && logger_->should_log(spdlog::level::debug); }

void Log::write_debug(std::string_view line) { logger_->log(spdlog::level::debug, line); }

}  // namespace mcplane::control
