// See observers.h.
#include "app/appliance/observers.h"

#include <fmt/format.h>

#include "app/command_line/cli.h"
#include "net/dpdk/eal.h"

namespace mcplane::app {
namespace {

ExportOptions export_options(const ApplianceConfig& config, Logging& log) {
  const std::string instance = fmt::format("{}:{}", wire::to_string(config.ports[0].ips[0].ip), config.base_port);
  return {.endpoint = config.otlp_endpoint,
          .file = config.trace_path,
          .resource = {.service = "mcplane", .version = std::string(version()), .instance = instance},
          .say = [&log](const std::string& line) { log.warning(line); }};
}

}  // namespace

Observers::Observers(const ApplianceConfig& config) : log_(config.log, "mcplane") {
  if (!config.audit_path.empty()) audit_.emplace(config.audit_path);
  if (!config.traces()) return;
  exporter_.emplace(export_options(config, log_));
  spans_.emplace(*exporter_, net::tsc_now_ns);
}

void Observers::watch(control::ControlOptions& options) {
  options.logger = log_.logger();
  if (audit_) options.audit = [this](const control::AuditEntry& entry) { audit_->write(entry); };
  if (spans_) options.spans = &*spans_;
}

void Observers::note_signal(const std::string& name, const std::string& arguments) {
  if (audit_) audit_->write({"", name, arguments, 0});
}

void Observers::reopen() {
  log_.reopen();
  if (audit_) audit_->reopen();
  if (exporter_) exporter_->reopen();
}

}  // namespace mcplane::app
