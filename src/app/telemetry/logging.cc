// See logging.h. ECS: https://github.com/elastic/ecs-logging, whose first fields come in an order.
#include "app/telemetry/logging.h"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTraceMark = " trace_id=";
constexpr std::size_t kTraceDigits = 32;

// Of a line about a task, what it says and its trace id; else the whole and nothing.
std::pair<std::string_view, std::string_view> split_trace(std::string_view text) {
  const std::size_t tail = kTraceMark.size() + kTraceDigits;
  if (text.size() < tail || text.substr(text.size() - tail, kTraceMark.size()) != kTraceMark) return {text, {}};
  return {text.substr(0, text.size() - tail), text.substr(text.size() - kTraceDigits)};
}

std::string_view level_name(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return "error";
  if (level == spdlog::level::warn) return "warning";
  return level == spdlog::level::info ? "info" : "debug";
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  constexpr std::array kLevels = {spdlog::level::err, spdlog::level::warn, spdlog::level::info, spdlog::level::debug};
  return kLevels[static_cast<std::size_t>(level)];
}

class LineFormatter : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const std::string line = log_line(format_, {message.time,
                                                level_name(message.level),
                                                {message.logger_name.data(), message.logger_name.size()},
                                                {message.payload.data(), message.payload.size()}});
    to.append(line);
    to.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(format_); }

 private:
  const LogFormat format_;
};

class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::shared_ptr<AppendFile> file) : file_(std::move(file)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    file_->write({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  std::shared_ptr<AppendFile> file_;
};

template <class Enum, std::size_t kCount>
std::string accept_name(const std::string& typed, const std::array<std::string_view, kCount>& names, Enum& value,
                        const char* wanted) {
  const auto found = std::ranges::find(names, typed);
  if (found == names.end()) return quote(typed) + " is no " + wanted;
  value = static_cast<Enum>(found - names.begin());
  return "";
}

}  // namespace

void add_log_flags(CLI::App& app, LogOptions& options) {
  add_value(app, "--log-level", "LEVEL", "info", "error, warning, info or debug", [&options](const std::string& typed) {
    constexpr std::array<std::string_view, 4> kNames = {"error", "warning", "info", "debug"};
    return accept_name(typed, kNames, options.level, "log level; type error, warning, info or debug");
  });
  add_value(app, "--log-format", "FORMAT", "text", "text, json, or ecs (JSON by the Elastic Common Schema)",
            [&options](const std::string& typed) {
              constexpr std::array<std::string_view, 3> kNames = {"text", "json", "ecs"};
              return accept_name(typed, kNames, options.format, "log format; type text, json or ecs");
            });
  add_text(app, "--log-file", options.file, "PATH", "Appended to, in place of stderr");
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (ms - seconds).count());
}

std::shared_ptr<spdlog::sinks::sink> file_sink(std::shared_ptr<AppendFile> file) {
  return std::make_shared<FileSink>(std::move(file));
}

std::string log_line(LogFormat format, const LogLine& line) {
  const std::string time = time_text(line.time);
  if (format == LogFormat::kText) return fmt::format("{} {} {}: {}", time, line.level, line.service, line.text);
  const auto [text, trace] = split_trace(line.text);
  Json json;
  if (format == LogFormat::kEcs) {
    json = {{"@timestamp", time},
            {"log.level", line.level},
            {"message", text},
            {"ecs.version", "8.11.0"},
            {"service.name", line.service}};
  } else {
    json = {{"time", time}, {"level", line.level}, {"service", line.service}, {"message", text}};
  }
  if (!trace.empty()) json[format == LogFormat::kEcs ? "trace.id" : "trace_id"] = trace;
  // Names come from peers: bytes that are no UTF-8 are replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Logging::Logging(const LogOptions& options, std::string service) {
  spdlog::sink_ptr sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    file_ = std::make_shared<AppendFile>(options.file);
    sink = file_sink(file_);
  }
  logger_ = std::make_shared<spdlog::logger>(std::move(service), std::move(sink));
  logger_->set_formatter(std::make_unique<LineFormatter>(options.format));
  logger_->set_level(spdlog_level(options.level));
  logger_->flush_on(spdlog::level::debug);
}

void Logging::warning(const std::string& text) { logger_->warn(text); }
void Logging::debug(const std::string& text) { logger_->debug(text); }

void Logging::reopen() {
  if (file_) file_->reopen();
}

}  // namespace mcplane::app
