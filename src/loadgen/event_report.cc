// What a run of events says, as a table, as JSON and in remarks. See event_run.h.
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "loadgen/event_run.h"
#include "loadgen/json_parts.h"
#include "loadgen/report.h"

namespace mcplane::loadgen {
namespace {

constexpr int kEventSchemaVersion = 1;
// Of late sends: as of run.cc.
constexpr double kEventLateShare = 0.01;

// Counts by name, in the order of table and JSON.
std::vector<std::pair<std::string_view, std::uint64_t>> counts_of(const EventTally& tally) {
  return {{"published", tally.published},   {"delivered", tally.delivered},   {"lost", tally.lost},
          {"duplicates", tally.duplicates}, {"mismatched", tally.mismatched}, {"late", tally.late},
          {"missed", tally.missed},         {"skipped", tally.skipped},       {"published_late", tally.published_late}};
}

}  // namespace

std::string bottleneck_of(const Options& options, const EventResult& result) {
  const EventTally& tally = result.tally;
  if (result.busy >= kSaturatedShare)
    return options.port ? fmt::format("{:.0f} % of its core's time went to polls that found work", 100 * result.busy)
                        : fmt::format("its thread used {:.0f} % of a CPU", 100 * result.busy);
  const double published = static_cast<double>(tally.published);
  if (tally.published_late > 0 && static_cast<double>(tally.published_late) >= kEventLateShare * published)
    return fmt::format("{} of {} events were published more than 1 ms late", tally.published_late, tally.published);
  return {};
}

std::vector<std::string> missed_objectives(const Options& options, const EventResult& result) {
  const Objectives& asked = options.objectives;
  std::vector<std::string> missed;
  const std::uint64_t p99_ns = result.tally.latency.percentile(99);
  if (asked.p99_max_ns > 0 && p99_ns > asked.p99_max_ns)
    missed.push_back(fmt::format("--p99-max {:.1f} us: p99 was {:.1f} us", us(asked.p99_max_ns), us(p99_ns)));
  if (result.tally.measured_rate() < asked.rate_min_per_second)
    missed.push_back(fmt::format("--rate-min {:.0f}/s: it was {:.0f} deliveries/s", asked.rate_min_per_second,
                                 result.tally.measured_rate()));
  return missed;
}

bool objective_met(const EventResult& result) noexcept {
  const EventTally& tally = result.tally;
  return tally.lost == 0 && tally.duplicates == 0 && tally.mismatched == 0 && tally.delivered > 0;
}

std::string table_of(const Options& options, const EventResult& result) {
  const EventTally& tally = result.tally;
  std::string lines;
  const auto text = [&lines](std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(lines), "{:<24} {:>14}\n", name, value);
  };
  const auto number = [&text](std::string_view name, double value) { text(name, fmt::format("{:.1f}", value)); };
  for (const auto& [name, count] : counts_of(tally)) text(name, fmt::format("{}", count));
  if (options.open_loop()) number("target_rate_per_s", options.rate_per_second);
  number("deliveries_per_s", tally.measured_rate());
  for (const Quantile& quantile : kQuantiles)
    number(quantile.table_name, us(tally.latency.percentile(quantile.percent)));
  number("max_us", us(tally.latency.max()));
  text("transport", options.transport());
  number(options.port ? "busy_percent" : "cpu_percent", 100 * result.busy);
  if (!options.port) return lines;
  text("port_tx_dropped", fmt::format("{}", result.tx_dropped));
  text("port_rx_dropped", fmt::format("{}", result.rx_dropped));
  return lines;
}

std::string json_of(const Options& options, const EventResult& result, std::string_view command_line) {
  const EventTally& tally = result.tally;
  Json json = {{"schema_version", kEventSchemaVersion},
               {"command_line", command_line},
               {"loop", options.open_loop() ? "open" : "closed"}};
  json["target_rate_per_s"] = options.open_loop() ? Json(options.rate_per_second) : Json(nullptr);
  json["deliveries_per_s"] = tally.measured_rate();
  for (const auto& [name, count] : counts_of(tally)) json[std::string(name)] = count;
  json["repeated_frames"] = tally.repeated_frames;
  json["latency_us"] = percentiles_json(tally.latency);
  json["histograms_ns"] = {{"latency", buckets_json(tally.latency)}};
  json["duration_s"] = seconds(tally.measured_ns);
  json["registration_s"] = seconds(result.registration_ns);
  json["clients"] = options.clients;
  json["subscribers"] = options.subscribers;
  json["topics"] = options.topics;
  json["transport"] = options.transport();
  json["payload_bytes"] = options.prompt_bytes;
  json["seed"] = options.seed;
  const std::string because = bottleneck_of(options, result);
  json["cpu"] = {{"busy", result.busy}, {"saturated", !because.empty()}, {"because", because}};
  if (options.port) json["port"] = {{"tx_dropped", result.tx_dropped}, {"rx_dropped", result.rx_dropped}};
  json["objectives"] = {{"missed", missed_objectives(options, result)}};
  json["interrupted"] = result.interrupted;
  // An argument may be any bytes: what is no UTF-8 is shown replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string remarks_on(const Options& options, const EventResult& result) {
  const EventTally& tally = result.tally;
  std::string remarks;
  auto say = std::back_inserter(remarks);
  if (const std::string because = bottleneck_of(options, result); !because.empty())
    fmt::format_to(say, "the load generator was the bottleneck: {}; {}\n", because,
                   options.open_loop() ? "lower --rate" : "this is what it can do");
  if (tally.skipped > 0)
    fmt::format_to(say, "{} events were skipped, too many were on their way: latency leaves them out\n", tally.skipped);
  if (tally.lost > 0)
    fmt::format_to(say, "{} deliveries were not there after a second: mcplane-ctl status says what was dropped\n",
                   tally.lost);
  if (result.tx_dropped > 0)
    fmt::format_to(say, "{} did not take {} frames: is the other side there, and fast enough?\n", options.transport(),
                   result.tx_dropped);
  for (const std::string& line : missed_objectives(options, result)) fmt::format_to(say, "missed {}\n", line);
  if (tally.delivered == 0) fmt::format_to(say, "nothing was delivered\n");
  return remarks;
}

}  // namespace mcplane::loadgen
