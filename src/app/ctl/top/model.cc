// See model.h.
#include "app/ctl/top/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <tuple>

#include "app/command_line/units.h"
#include "app/ctl/admin.h"
#include "app/ctl/top/metrics.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t count(const Json& json, const char* key) { return json.at(key).get<std::uint64_t>(); }

std::uint64_t sum(const Json& counts, std::initializer_list<const char*> keys) {
  std::uint64_t all = 0;
  for (const char* const key : keys) all += count(counts, key);
  return all;
}

std::uint64_t sum(const Json& counts) {
  std::uint64_t all = 0;
  for (const Json& one : counts) all += one.get<std::uint64_t>();
  return all;
}

// Counters begin again with an appliance that was started again.
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return seconds > 0 && now > before ? static_cast<double>(now - before) / seconds : 0;
}

std::string joined(const Json& names) {
  std::string joined;
  for (const Json& name : names) joined += (joined.empty() ? "" : ",") + string_of(name);
  return joined;
}

const Json* find_node(const Json& nodes, const std::string& id) {
  for (const Json& node : nodes.at("nodes"))
    if (node.at("node_id") == id) return &node;
  return nullptr;
}

bool is_worker(const Json& node) { return node.at("service") != "client"; }

int rank(const TopWorker& worker) {
  return worker.gone                     ? 0
         : worker.breaker == "open"      ? 1
         : worker.breaker == "half-open" ? 2
         : worker.state != "up"          ? 3
                                         : 4;
}

// The least comes first.
double key_of(const TopWorker& worker, TopSort by) {
  switch (by) {
    case TopSort::kName:
      return 0;
    case TopSort::kState:
    case TopSort::kBreaker:
      return rank(worker);
    case TopSort::kLoad:
      return -worker.load();
    case TopSort::kTasks:
      return -worker.tasks_per_s;
    case TopSort::kErrors:
      return -worker.errors_per_s;
  }
  return 0;
}

}  // namespace

void TopModel::add(TopLook look) {
  // Another boot is another appliance: nothing of before says anything of it.
  if (last_ && last_->info.at("boot_id") != look.info.at("boot_id")) {
    last_.reset();
    workers_.clear();
  }
  const double seconds = last_ ? look.at_s - last_->at_s : 0;
  read_totals(look, seconds);
  read_cores(look, seconds);
  read_metrics(look, seconds);
  read_workers(look, seconds);
  last_ = std::move(look);
}

void TopModel::read_totals(const TopLook& look, double seconds) {
  const Json& info = look.info;
  const Json& before = last_ ? last_->info : info;
  const auto per_second = [&](const char* group, std::initializer_list<const char*> keys) {
    return rate(sum(before.at(group), keys), sum(info.at(group), keys), seconds);
  };
  const Json& tasks = info.at("tasks");
  totals_ = {};
  totals_.version = string_of(info.at("version"));
  totals_.boot = string_of(info.at("boot_id"));
  totals_.address = fmt::format("{} port {}", joined(info.at("ips")), count(info, "base_port"));
  totals_.uptime_s = count(info, "uptime_s");
  totals_.clients = count(info.at("sessions"), "clients");
  totals_.workers = count(info.at("sessions"), "workers");
  totals_.link_up = info.at("link_up").get<bool>();
  totals_.accepted_per_s = per_second("tasks", {"accepted"});
  totals_.delivered_per_s = per_second("tasks", {"delivered"});
  totals_.refused_per_s = per_second("tasks", {"rejected"});
  totals_.failed_per_s =
      per_second("tasks", {"expired_unrouted", "expired_routed", "worker_lost", "client_lost", "rejected_late"});
  totals_.degraded_per_s = rate(sum(before.at("degraded")), sum(info.at("degraded")), seconds);
  totals_.frames_per_s = per_second("frames", {"received"});
  totals_.drops_per_s = rate(sum(before.at("drops")), sum(info.at("drops")), seconds);
  totals_.queued = sum(tasks, {"queued", "pulling"});
  totals_.at_workers = sum(tasks, {"routed", "running", "cancelling"});
  totals_.delivering = sum(tasks, {"delivering", "rejecting"});
  totals_.buffers = count(info.at("buffers"), "total");
  totals_.buffers_free = count(info.at("buffers"), "free");
}

void TopModel::read_cores(const TopLook& look, double seconds) {
  const Json& now = look.info.at("per_shard");
  const Json& before = last_ ? last_->info.at("per_shard") : now;
  cores_.clear();
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Json& old = i < before.size() ? before[i] : now[i];
    TopCore core{.shard = static_cast<std::uint32_t>(i)};
    core.cpu = now[i].at("cpu").is_null() ? "?" : now[i].at("cpu").dump();
    core.tasks_per_s = rate(count(old, "accepted"), count(now[i], "accepted"), seconds);
    core.busy = std::clamp(rate(count(old, "busy_ms"), count(now[i], "busy_ms"), seconds) / 1'000, 0.0, 1.0);
    cores_.push_back(core);
  }
}

void TopModel::read_metrics(const TopLook& look, double seconds) {
  if (!last_ || seconds <= 0) return;
  const auto quantile = [&](double which) {
    return quantile_between(last_->metrics, look.metrics, "mcplane_task_duration_seconds", which);
  };
  totals_.p50_s = quantile(0.5);
  totals_.p99_s = quantile(0.99);
}

void TopModel::read_workers(const TopLook& look, double seconds) {
  const std::vector<TopWorker> before = std::move(workers_);
  workers_.clear();
  for (const Json& node : look.nodes.at("nodes")) {
    if (!is_worker(node)) continue;
    TopWorker worker{.node = string_of(node.at("node_id")),
                     .name = string_of(node.at("name")),
                     .state = string_of(node.at("state")),
                     .breaker = string_of(node.at("breaker")),
                     .serves = joined(node.at("actions"))};
    if (!node.at("models").empty()) worker.serves += "/" + joined(node.at("models"));
    worker.busy = count(node, "outstanding");
    worker.slots = count(node, "slots");
    worker.seen_s = static_cast<double>(count(node, "last_seen_ms")) / 1'000;
    if (const Json* const old = last_ ? find_node(last_->nodes, worker.node) : nullptr) {
      worker.tasks_per_s = rate(count(*old, "done"), count(node, "done"), seconds);
      worker.errors_per_s = rate(count(*old, "failed"), count(node, "failed"), seconds);
    }
    workers_.push_back(worker);
  }
  keep_gone(before, seconds);
}

void TopModel::keep_gone(const std::vector<TopWorker>& before, double seconds) {
  for (const TopWorker& worker : before) {
    if (std::ranges::find(workers_, worker.node, &TopWorker::node) != workers_.end()) continue;
    TopWorker gone = worker;
    gone.gone = true;
    gone.state = "gone";
    gone.breaker = "-";
    gone.busy = 0;
    gone.tasks_per_s = gone.errors_per_s = 0;
    gone.seen_s = (worker.gone ? worker.seen_s : 0) + seconds;
    if (gone.seen_s <= kGoneShownS) workers_.push_back(gone);
  }
}

void sort_workers(std::vector<TopWorker>& workers, TopSort by, bool reverse) {
  std::ranges::sort(workers, [&](const TopWorker& a, const TopWorker& b) {
    const double x = key_of(a, by), y = key_of(b, by);
    if (x != y) return reverse ? x > y : x < y;
    const auto names = std::tie(a.name, a.node) <=> std::tie(b.name, b.node);
    return by == TopSort::kName && reverse ? std::is_gt(names) : std::is_lt(names);
  });
}

std::string time_text(double seconds) {
  if (seconds < 0.9995e-3) return fmt::format("{:.3g}us", seconds * 1e6);
  if (seconds < 0.9995) return fmt::format("{:.3g}ms", seconds * 1e3);
  return fmt::format("{:.3g}s", seconds);
}

std::string rate_text(double per_second) {
  if (per_second >= 999'950) return fmt::format("{:.2f}M", per_second / 1e6);
  if (per_second >= 99'950) return fmt::format("{:.0f}k", per_second / 1e3);
  if (per_second >= 9'999.5) return fmt::format("{:.1f}k", per_second / 1e3);
  if (per_second >= 999.5) {
    const long whole = std::lround(per_second);
    return fmt::format("{},{:03}", whole / 1'000, whole % 1'000);
  }
  if (per_second >= 99.95 || per_second == 0) return fmt::format("{:.0f}", per_second);
  return fmt::format("{:.1f}", per_second);
}

}  // namespace mcplane::app
