// Everything that Prometheus is told (README.md has the table). Counters are the cores' own, added up when they are
// asked for; label values are bounded by the tables they come from, and no task is among them.
//
// metrics.cc: the list, and the broker as a whole.  tasks.cc: tasks, and how long they took.
// frames.cc: frames, events, cores, ports, buffers.  workers.cc: workers, breakers, routes.
// process.cc: process, heap and host.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "control/control.h"
#include "control/metrics/list.h"

namespace mcplane::control {

// Control thread: reads one consistent state of Control. What it found, for any thread to write.
std::vector<prometheus::MetricFamily> collect_metrics(const Control& control);
// Prometheus' text format.
std::string metrics_text(const std::vector<prometheus::MetricFamily>& families);

void add_task_metrics(const Control& control, MetricList& list);
void add_frame_metrics(const Control& control, MetricList& list);
void add_worker_metrics(const Control& control, MetricList& list);
void add_process_metrics(const Control& control, MetricList& list);

}  // namespace mcplane::control
