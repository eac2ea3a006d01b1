// One row a path that one reading answers. Where that is more than a report, its function is above the table.
#include "control/admin/read.h"

#include <httplib.h>

#include <array>
#include <memory>
#include <vector>

#include "control/admin/config.h"
#include "control/control.h"
#include "control/metrics/metrics.h"
#include "control/reports/autoscale_report.h"
#include "control/reports/breaker_report.h"
#include "control/reports/degradation_report.h"
#include "control/reports/perf_report.h"
#include "control/reports/report.h"

namespace mcplane::control {
namespace {

Answer healthy(Control&) { return {200, "ok\n", kText}; }

Answer ready(Control& control) {
  if (control.draining()) return {503, "draining\n", kText};
  return control.published_workers() > 0 ? Answer{200, "ready\n", kText} : Answer{503, "no worker\n", kText};
}

// After the successes that nobody was told of yet.
Answer show_breakers(Control& control) {
  control.hear_all();
  return {200, breakers_json(control), kJson};
}

Answer show_autoscale(Control& control) {
  control.count_waiting();
  return {200, autoscale_json(control), kJson};
}

template <std::string (*kReport)(const Control&)>
Answer report(Control& control) {
  return {200, kReport(control), kJson};
}

struct Read {
  const char* path;
  Answer (*answer)(Control&);
};

constexpr std::array kReads = {Read{"/healthz", healthy},
                               Read{"/readyz", ready},
                               Read{"/v1/info", report<info_json>},
                               Read{"/v1/nodes", report<nodes_json>},
                               Read{"/v1/subscriptions", report<subscriptions_json>},
                               Read{"/v1/perf", report<perf_json>},
                               Read{"/v1/autoscale", show_autoscale},
                               Read{"/v1/breakers", show_breakers},
                               Read{"/v1/degradation", report<degradation_json>}};

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

// Collected on the control thread, written on this one.
Answer show_metrics(const Ask& ask) {
  const auto families = std::make_shared<std::vector<prometheus::MetricFamily>>();
  Answer answer = ask([families](Control& asked) {
    *families = collect_metrics(asked);
    return Answer{200, "", kMetricsType};
  });
  if (answer.status == 200) answer.body = metrics_text(*families);
  return answer;
}

}  // namespace

void serve_reads(httplib::Server& server, const Ask& ask) {
  for (const Read& read : kReads)
    server.Get(read.path, [ask, answer = read.answer](const httplib::Request&, httplib::Response& response) {
      give(ask(answer), response);
    });
  server.Get("/metrics",
             [ask](const httplib::Request&, httplib::Response& response) { give(show_metrics(ask), response); });
  serve_config_reads(server, ask);
}

}  // namespace mcplane::control
