// Who asked for which change on the admin socket, and what came of it: a JSON line each, appended to a file by a thread
// of its own. Any thread may write; nobody waits. Of more than kWaitingMax that wait for the disk the oldest are lost,
// and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "app/telemetry/append_file.h"
#include "control/config/options.h"

namespace spdlog {
class async_logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace mcplane::app {

class AuditLog {
 public:
  static constexpr std::size_t kWaitingMax = 1'024;

  // Throws std::runtime_error, one line, when the file cannot be written.
  explicit AuditLog(const std::string& path);
  // What waits is written.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void write(const control::AuditEntry& entry);
  void reopen() { file_->reopen(); }

 private:
  std::shared_ptr<AppendFile> file_;
  std::shared_ptr<spdlog::details::thread_pool> writer_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace mcplane::app
