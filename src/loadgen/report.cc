// See report.h.
#include "loadgen/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace mcplane::loadgen {
namespace {

class Figures {
 public:
  void count(std::string_view name, std::uint64_t value) { text(name, fmt::format("{}", value)); }
  void number(std::string_view name, double value) { text(name, fmt::format("{:.1f}", value)); }
  void text(std::string_view name, std::string_view value) { all_.emplace_back(name, value); }
  std::vector<std::pair<std::string, std::string>> take() { return std::move(all_); }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

void add_station(Figures& figures, std::string_view name, const Histogram& histogram) {
  figures.number(fmt::format("{}_p50_us", name), us(histogram.percentile(50)));
  figures.number(fmt::format("{}_p99_us", name), us(histogram.percentile(99)));
}

void add_counts(Figures& figures, const Tally& tally) {
  figures.count("sent", tally.sent);
  figures.count("delivered", tally.delivered());
  if (tally.degraded() > 0) figures.count("degraded", tally.degraded());
  figures.count("lost", tally.lost());
  figures.count("duplicates", tally.duplicates);
  figures.count("mismatched", tally.mismatched);
  figures.count("rejected", tally.refused());
  for_each_refusal(tally, [&](std::string_view name, std::uint64_t count) {
    figures.count(fmt::format("rejected_{}", name), count);
  });
}

// A streamed task's own latency is that of its last chunk.
void add_chunks(Figures& figures, const ChunkTally& chunks) {
  figures.count("chunks", chunks.received);
  figures.count("chunks_lost", chunks.lost);
  figures.count("chunks_duplicated", chunks.duplicates);
  figures.count("chunks_out_of_order", chunks.out_of_order);
  figures.number("chunks_per_s", chunks.measured_rate());
  add_station(figures, "first_chunk", chunks.first_chunk);
  add_station(figures, "chunk", chunks.chunk);
}

void add_surge(Figures& figures, const Tally& surge) {
  figures.count("surge_sent", surge.sent);
  figures.count("surge_delivered", surge.delivered());
  figures.count("surge_lost", surge.lost());
  figures.count("surge_rejected", surge.refused());
  figures.number("surge_rate_per_s", surge.measured_rate());
  add_station(figures, "surge", surge.latency);
}

void add_transport(Figures& figures, const Options& options, const RunResult& result) {
  figures.text("transport", options.transport());
  if (options.port) {
    figures.number("busy_percent", 100 * result.cpu.clients);
    figures.count("port_tx_dropped", result.tx_dropped);
    figures.count("port_rx_dropped", result.rx_dropped);
    return;
  }
  figures.number("cpu_clients_percent", 100 * result.cpu.clients);
  if (options.workers > 0) figures.number("cpu_workers_percent", 100 * result.cpu.workers);
}

// The flags that lead there again.
std::string way_to_broker(const Options& options) {
  const std::string broker = wire::to_string(options.broker);
  if (!options.port) return "--udp " + broker;
  const PortTransport& port = *options.port;
  std::string flags = fmt::format("--port {} --ip {}/{} --broker {}", net::to_string(port.device),
                                  wire::to_string(port.address.ip), port.address.length, broker);
  if (port.gateway) flags += " --gateway " + wire::to_string(*port.gateway);
  return flags;
}

void add_sweep(std::string& text, const std::vector<SweepStep>& steps) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "\n{:>12} {:>12} {:>10} {:>10} {:>10} {:>7}  held\n", "offered/s", "achieved/s", "p50_us",
                 "p99_us", "p99.9_us", "busy_%");
  for (const SweepStep& step : sorted_by_rate(steps))
    fmt::format_to(out, "{:>12.0f} {:>12.0f} {:>10.1f} {:>10.1f} {:>10.1f} {:>7.1f}  {}\n", step.offered_per_second,
                   step.achieved_per_second, us(step.p50_ns), us(step.p99_ns), us(step.p999_ns), 100 * step.busy,
                   step.kept ? "yes" : "no");
}

}  // namespace

std::vector<SweepStep> sorted_by_rate(std::vector<SweepStep> steps) {
  std::ranges::sort(steps, {}, &SweepStep::rate_per_second);
  return steps;
}

std::vector<std::pair<std::string, std::string>> figures_of(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  Figures figures;
  add_counts(figures, tally);
  if (options.open_loop()) {
    figures.count("late", tally.late);
    figures.count("skipped", tally.skipped);
  }
  if (options.sweep) figures.number("knee_per_s", result.knee_per_second);
  if (options.open_loop()) figures.number("target_rate_per_s", target_rate(options, result));
  figures.number("rate_per_s", tally.measured_rate());
  for (const Quantile& quantile : kQuantiles)
    figures.number(quantile.table_name, us(tally.latency.percentile(quantile.percent)));
  figures.number("max_us", us(tally.latency.max()));
  add_station(figures, "queued", tally.queued);
  add_station(figures, "worker", tally.worker);
  add_station(figures, "broker", tally.broker);
  if (tally.rejected.count() > 0) {
    add_station(figures, "reject", tally.rejected);
    figures.number("reject_max_us", us(tally.rejected.max()));
  }
  if (tally.chunks) add_chunks(figures, *tally.chunks);
  if (result.surge) add_surge(figures, *result.surge);
  if (options.workers > 0) figures.count("worker_tasks", result.worker_tasks);
  if (options.faulty_workers.count > 0) figures.count("faulty_worker_tasks", result.faulty_worker_tasks);
  add_transport(figures, options, result);
  if (result.broker_cycles_per_task) figures.number("broker_cycles_per_task", *result.broker_cycles_per_task);
  return figures.take();
}

// Of a sweep: the rate whose measurements are shown.
double target_rate(const Options& options, const RunResult& result) noexcept {
  if (!options.sweep) return options.rate_per_second;
  return result.knee_per_second > 0 ? result.knee_per_second : options.sweep->from_per_second;
}

std::string table_of(const Options& options, const RunResult& result) {
  std::string lines;
  for (const auto& [name, value] : figures_of(options, result))
    fmt::format_to(std::back_inserter(lines), "{:<24} {:>14}\n", name, value);
  if (options.sweep) add_sweep(lines, result.sweep);
  return lines;
}

std::string remarks_on(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  std::string remarks;
  auto say = std::back_inserter(remarks);
  const std::string because = bottleneck_of(options, result);
  if (!because.empty())
    fmt::format_to(say, "the load generator was the bottleneck: {}; {}\n", because,
                   options.sweep         ? "the knee may be its own"
                   : options.open_loop() ? "lower --rate"
                                         : "this is what it can do");
  else if (tally.late > 0)
    fmt::format_to(say, "{} sends were more than 1 ms late; latency counts from when they were due\n", tally.late);
  if (tally.skipped > 0)
    fmt::format_to(say, "{} sends were skipped, every slot was taken: latency leaves them out\n", tally.skipped);
  if (result.tx_dropped > 0)
    fmt::format_to(say, "{} did not take {} frames: is the other side there, and fast enough?\n", options.transport(),
                   result.tx_dropped);
  if (options.workers > 0 && result.cpu.workers >= kSaturatedShare)
    fmt::format_to(say, "the in-process workers were saturated: run mcplane-worker elsewhere\n");
  const std::vector<std::string> missed = missed_objectives(options, result);
  for (const std::string& line : missed) fmt::format_to(say, "missed {}\n", line);
  if (tally.delivered() == 0) {
    fmt::format_to(say, "nothing was delivered{}\n",
                   tally.of(Ending::kNoWorker) > 0 && options.workers == 0
                       ? fmt::format(": no worker serves \"{}\"; add --workers 4", options.action)
                       : std::string());
  }
  if (!objective_met(result) || !missed.empty()) return remarks;
  if (options.sweep)
    fmt::format_to(say, "next: mcplane-load {} --rate {:.0f}/s --poisson  (latency at 70 % of the knee)\n",
                   way_to_broker(options), std::max(1.0, 0.7 * result.knee_per_second));
  else if (options.open_loop())
    fmt::format_to(say, "next: mcplane-ctl top\n");
  else
    fmt::format_to(say, "next: mcplane-load {} --rate {:.0f}/s --poisson  (latency at 70 % of this load)\n",
                   way_to_broker(options), std::max(1.0, 0.7 * tally.measured_rate()));
  return remarks;
}

}  // namespace mcplane::loadgen
