// Who writes down what the appliance does: its log, the audit log, and the exporter of traces. Made by the main thread
// before control, gone after it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/appliance/audit_log.h"
#include "app/appliance/broker_spans.h"
#include "app/config/config.h"
#include "app/telemetry/logging.h"
#include "app/telemetry/span_exporter.h"
#include "control/config/options.h"

namespace mcplane::app {

class Observers {
 public:
  // Throws std::runtime_error, one line, when a file cannot be written.
  explicit Observers(const ApplianceConfig& config);

  // Tells control of them; they outlive it.
  void watch(control::ControlOptions& options);
  // A change that came by a signal.
  void note_signal(const std::string& name, const std::string& arguments = {});
  // Their files. Any thread.
  void reopen();

 private:
  Logging log_;
  std::optional<AuditLog> audit_;
  std::optional<SpanExporter> exporter_;
  std::optional<BrokerSpans> spans_;
};

}  // namespace mcplane::app
