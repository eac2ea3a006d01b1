// How the binaries log: a line an event, with its time in UTC, level, service and, where it is about a task, trace id;
// as text, as JSON, or as JSON by the Elastic Common Schema. To stderr, or to a file that can be opened anew. Any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "app/command_line/cli.h"
#include "app/telemetry/append_file.h"

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace mcplane::app {

enum class LogFormat : std::uint8_t { kText, kJson, kEcs };
enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };

struct LogOptions {
  LogFormat format = LogFormat::kText;
  LogLevel level = LogLevel::kInfo;
  std::string file{};  // "": stderr
};

// --log-format, --log-level and --log-file.
void add_log_flags(CLI::App& app, LogOptions& options);

struct LogLine {
  std::chrono::system_clock::time_point time;
  std::string_view level, service;
  std::string_view text;  // may end with " trace_id=" and 32 hexadecimal digits
};
// Without its end.
std::string log_line(LogFormat format, const LogLine& line);

// "2026-01-31T12:00:00.123Z".
std::string time_text(std::chrono::system_clock::time_point time);
// Any thread.
std::shared_ptr<spdlog::sinks::sink> file_sink(std::shared_ptr<AppendFile> file);

class Logging {
 public:
  // Throws std::runtime_error, one line, when the file cannot be written.
  Logging(const LogOptions& options, std::string service);

  const std::shared_ptr<spdlog::logger>& logger() const noexcept { return logger_; }
  void warning(const std::string& text);
  void debug(const std::string& text);
  // The file, once a log rotator has moved it away.
  void reopen();

 private:
  std::shared_ptr<AppendFile> file_;  // null: stderr
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace mcplane::app
