// See report.h.
#include "loadgen/report.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

namespace mcplane::loadgen {
namespace {

constexpr int kSchemaVersion = 1;

struct Quantile {
  std::string_view table_name, json_name;
  double percent;
};
constexpr std::array<Quantile, 6> kQuantiles = {{{"p50_us", "p50", 50},
                                                 {"p90_us", "p90", 90},
                                                 {"p99_us", "p99", 99},
                                                 {"p99.9_us", "p999", 99.9},
                                                 {"p99.99_us", "p9999", 99.99},
                                                 {"p99.999_us", "p99999", 99.999}}};

double us(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerUs); }

class Table {
 public:
  void count(std::string_view name, std::uint64_t value) { text(name, fmt::format("{}", value)); }
  void number(std::string_view name, double value) { text(name, fmt::format("{:.1f}", value)); }
  void text(std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(lines_), "{:<24} {:>14}\n", name, value);
  }
  std::string take() { return std::move(lines_); }

 private:
  std::string lines_;
};

void add_station(Table& table, std::string_view name, const Histogram& histogram) {
  table.number(fmt::format("{}_p50_us", name), us(histogram.percentile(50)));
  table.number(fmt::format("{}_p99_us", name), us(histogram.percentile(99)));
}

nlohmann::ordered_json station_json(const Histogram& histogram) {
  return {{"p50", us(histogram.percentile(50))}, {"p99", us(histogram.percentile(99))}};
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

// Names for endings that are neither an answer nor a loss.
template <class Fn>
void for_each_refusal(const Tally& tally, Fn fn) {
  for (std::size_t i = 0; i < kEndings; ++i) {
    const auto ending = static_cast<Ending>(i);
    if (ending != Ending::kDelivered && !is_lost(ending) && tally.endings[i] > 0) fn(name_of(ending), tally.endings[i]);
  }
}

}  // namespace

std::string table_of(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  Table table;
  table.count("sent", tally.sent);
  table.count("delivered", tally.delivered());
  table.count("lost", tally.lost());
  table.count("duplicates", tally.duplicates);
  table.count("mismatched", tally.mismatched);
  table.count("rejected", tally.refused());
  for_each_refusal(
      tally, [&](std::string_view name, std::uint64_t count) { table.count(fmt::format("rejected_{}", name), count); });
  if (options.open_loop()) {
    table.count("late", tally.late);
    table.count("skipped", tally.skipped);
    table.number("target_rate_per_s", options.rate_per_second);
  }
  table.number("rate_per_s", tally.measured_rate());
  for (const Quantile& quantile : kQuantiles)
    table.number(quantile.table_name, us(tally.latency.percentile(quantile.percent)));
  table.number("max_us", us(tally.latency.max()));
  add_station(table, "queued", tally.queued);
  add_station(table, "worker", tally.worker);
  add_station(table, "broker", tally.broker);
  if (tally.rejected.count() > 0) {
    add_station(table, "reject", tally.rejected);
    table.number("reject_max_us", us(tally.rejected.max()));
  }
  table.text("transport", options.transport());
  if (options.port) {
    table.number("busy_polls_percent", 100 * result.cpu.clients);
    table.count("port_tx_dropped", result.tx_dropped);
    table.count("port_rx_dropped", result.rx_dropped);
    return table.take();
  }
  table.number("cpu_clients_percent", 100 * result.cpu.clients);
  if (options.workers > 0) table.number("cpu_workers_percent", 100 * result.cpu.workers);
  return table.take();
}

std::string json_of(const Options& options, const RunResult& result, std::string_view command_line) {
  const Tally& tally = result.tally;
  nlohmann::ordered_json json = {{"schema_version", kSchemaVersion},
                                 {"command_line", command_line},
                                 {"loop", options.open_loop() ? "open" : "closed"}};
  json["target_rate_per_s"] = options.open_loop() ? nlohmann::ordered_json(options.rate_per_second) : nullptr;
  json["achieved_rate_per_s"] = tally.measured_rate();
  json["sent"] = tally.sent;
  json["delivered"] = tally.delivered();
  json["errors"] = nlohmann::ordered_json::object();
  for_each_refusal(tally,
                   [&](std::string_view name, std::uint64_t count) { json["errors"][std::string(name)] = count; });
  json["lost"] = tally.lost();
  json["duplicates"] = tally.duplicates;
  json["mismatched"] = tally.mismatched;
  json["late"] = tally.late;
  json["skipped"] = tally.skipped;
  json["repeated_frames"] = tally.repeated_frames;
  json["dropped_frames"] = tally.dropped_frames;
  auto& latency = json["latency_us"];
  for (const Quantile& quantile : kQuantiles)
    latency[std::string(quantile.json_name)] = us(tally.latency.percentile(quantile.percent));
  latency["max"] = us(tally.latency.max());
  latency["mean"] = tally.latency.mean() / static_cast<double>(kNsPerUs);
  latency["count"] = tally.latency.count();
  json["queued_us"] = station_json(tally.queued);
  json["worker_us"] = station_json(tally.worker);
  json["broker_us"] = station_json(tally.broker);
  json["reject_latency_us"] = station_json(tally.rejected);
  json["reject_latency_us"]["max"] = us(tally.rejected.max());
  json["reject_latency_us"]["count"] = tally.rejected.count();
  json["duration_s"] = static_cast<double>(tally.measured_ns) / static_cast<double>(kNsPerSecond);
  json["clients"] = options.clients;
  json["workers"] = options.workers;
  json["transport"] = options.transport();
  json["payload_bytes"] = options.prompt_bytes;
  json["send_bytes"] = send_bytes(options);
  json["seed"] = options.seed;
  json["cpu"] = {
      {"clients", result.cpu.clients}, {"workers", result.cpu.workers}, {"saturated", was_bottleneck(options, result)}};
  if (options.port) json["port"] = {{"tx_dropped", result.tx_dropped}, {"rx_dropped", result.rx_dropped}};
  json["interrupted"] = result.interrupted;
  // An argument may be any bytes: what is no UTF-8 is shown replaced.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string remarks_on(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  std::string remarks;
  auto say = std::back_inserter(remarks);
  if (options.port && was_bottleneck(options, result))
    fmt::format_to(say, "the load generator was the bottleneck: {:.0f} % of its polls found work; {}\n",
                   100 * result.cpu.clients, options.open_loop() ? "lower --rate" : "this is what it can do");
  else if (was_bottleneck(options, result))
    fmt::format_to(say, "the load generator was the bottleneck: {} sends were late; lower --rate\n", tally.late);
  else if (tally.late > 0)
    fmt::format_to(say, "{} sends were more than 1 ms late; latency counts from when they were due\n", tally.late);
  if (tally.skipped > 0)
    fmt::format_to(say, "{} sends were skipped, every slot was taken: latency leaves them out\n", tally.skipped);
  if (result.tx_dropped > 0)
    fmt::format_to(say, "{} did not take {} frames: is the other side there, and fast enough?\n", options.transport(),
                   result.tx_dropped);
  if (options.workers > 0 && result.cpu.workers > kSaturatedShare)
    fmt::format_to(say, "the in-process workers were saturated: run mcplane-worker elsewhere\n");
  if (tally.delivered() == 0) {
    fmt::format_to(say, "nothing was delivered{}\n",
                   tally.of(Ending::kNoWorker) > 0 && options.workers == 0
                       ? fmt::format(": no worker serves \"{}\"; add --workers 4", options.action)
                       : std::string());
  }
  if (!objective_met(result)) return remarks;
  if (options.open_loop())
    fmt::format_to(say, "next: mcplane-ctl top\n");
  else
    fmt::format_to(say, "next: mcplane-load {} --rate {:.0f}/s --poisson  (latency at 70 % of this load)\n",
                   way_to_broker(options), std::max(1.0, 0.7 * tally.measured_rate()));
  return remarks;
}

}  // namespace mcplane::loadgen
