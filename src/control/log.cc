// spdlog does the writing; this file only decides whether.
#include "control/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

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

std::shared_ptr<spdlog::logger> make_stderr_logger() {
  auto logger = std::make_shared<spdlog::logger>("mcplane", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace mcplane::control
