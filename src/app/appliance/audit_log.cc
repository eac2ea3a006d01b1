// See audit_log.h. spdlog's asynchronous logger is the bounded queue and the thread.
#include "app/appliance/audit_log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/telemetry/logging.h"

namespace mcplane::app {

AuditLog::AuditLog(const std::string& path)
    : file_(std::make_shared<AppendFile>(path)),
      writer_(std::make_shared<spdlog::details::thread_pool>(kWaitingMax, 1)),
      logger_(std::make_shared<spdlog::async_logger>("audit", file_sink(file_), writer_,
                                                     spdlog::async_overflow_policy::overrun_oldest)) {
  logger_->set_pattern("%v");
}

// The pool's destructor waits for what it holds.
AuditLog::~AuditLog() = default;

void AuditLog::write(const control::AuditEntry& entry) {
  using Json = nlohmann::ordered_json;
  Json json = {{"time", time_text(std::chrono::system_clock::now())},
               {"user", entry.user},
               {"command", entry.command},
               {"arguments", entry.arguments}};
  if (entry.status != 0) json["result"] = entry.status;
  if (const std::size_t lost = writer_->overrun_counter(); lost > 0) json["lost_so_far"] = lost;
  logger_->info(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace mcplane::app
