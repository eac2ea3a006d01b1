// See metrics.h.
#include "control/metrics/metrics.h"

#include <prometheus/text_serializer.h>

namespace mcplane::control {
namespace {

void add_broker_metrics(const Control& control, MetricList& list) {
  const Registry& registry = control.registry();
  list.gauge("mcplane_build_info", "Constant 1; the version is its label.")
      .add({{"version", control.options().version}}, 1);
  list.gauge("mcplane_draining", "1 while new tasks and sessions are refused.").add({}, control.draining() ? 1 : 0);
  list.gauge("mcplane_config_generation", "Number of the configuration that is served.")
      .add({}, control.config_generation());
  list.gauge("mcplane_sessions", "Endpoints that are registered; who is client and worker counts as both.")
      .add({{"service", "client"}}, registry.clients())
      .add({{"service", "worker"}}, registry.workers())
      .add({{"service", "shadow_worker"}}, registry.shadow_workers());
  list.gauge("mcplane_subscribers", "Sessions with subscriptions to events.")
      .add({}, control.subscriptions().by_session().size());
  list.gauge("mcplane_subscriptions", "Subscriptions to events.").add({}, control.subscriptions().size());
  list.counter("mcplane_core_stalls_total", "Times that a core stood still longer than it may.")
      .add({}, control.lease_clock().stalls());
  list.counter("mcplane_commands_dropped_total", "Commands of the control thread that found a core's mailbox full.")
      .add({}, control.commands_dropped());
  list.gauge("mcplane_tables_bytes", "Memory of the tables that start allocates.")
      .add({}, control.options().memory.tables_bytes);
}

}  // namespace

std::vector<prometheus::MetricFamily> collect_metrics(const Control& control) {
  MetricList list;
  add_broker_metrics(control, list);
  add_task_metrics(control, list);
  add_worker_metrics(control, list);
  add_frame_metrics(control, list);
  add_process_metrics(control, list);
  return list.take();
}

std::string metrics_text(const std::vector<prometheus::MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace mcplane::control
