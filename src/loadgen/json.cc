// One object, for programs. See report.h.
#include "loadgen/json_parts.h"
#include "loadgen/report.h"

namespace mcplane::loadgen {
namespace {

constexpr int kSchemaVersion = 1;

Json interval_json(const Interval& interval) {
  return {{"from_s", seconds(interval.from_ns)},
          {"length_s", seconds(interval.length_ns)},
          {"sent", interval.sent},
          {"delivered", interval.delivered},
          {"rejected", interval.refused},
          {"lost", interval.lost},
          {"p50_us", us(interval.p50_ns)},
          {"p99_us", us(interval.p99_ns)},
          {"p999_us", us(interval.p999_ns)},
          {"max_us", us(interval.max_ns)},
          {"measured", interval.measured}};
}

Json step_json(const SweepStep& step) {
  return {{"rate_per_s", step.rate_per_second},
          {"offered_per_s", step.offered_per_second},
          {"achieved_per_s", step.achieved_per_second},
          {"p50_us", us(step.p50_ns)},
          {"p99_us", us(step.p99_ns)},
          {"p999_us", us(step.p999_ns)},
          {"lost", step.lost},
          {"rejected", step.refused},
          {"late", step.late},
          {"skipped", step.skipped},
          {"busy", step.busy},
          {"held", step.kept}};
}

void add_counts(Json& json, const Tally& tally) {
  json["sent"] = tally.sent;
  json["delivered"] = tally.delivered();
  json["degraded"] = tally.degraded();
  json["errors"] = Json::object();
  for_each_refusal(tally,
                   [&](std::string_view name, std::uint64_t count) { json["errors"][std::string(name)] = count; });
  json["lost"] = tally.lost();
  json["lost_no_answer"] = tally.of(Ending::kNoAnswer);
  json["lost_broker_lost"] = tally.of(Ending::kBrokerLost);
  json["duplicates"] = tally.duplicates;
  json["mismatched"] = tally.mismatched;
  json["late"] = tally.late;
  json["skipped"] = tally.skipped;
  json["repeated_frames"] = tally.repeated_frames;
  json["dropped_frames"] = tally.dropped_frames;
}

void add_latencies(Json& json, const Tally& tally) {
  json["latency_us"] = percentiles_json(tally.latency);
  json["queued_us"] = percentiles_json(tally.queued);
  json["worker_us"] = percentiles_json(tally.worker);
  json["broker_us"] = percentiles_json(tally.broker);
  json["reject_latency_us"] = percentiles_json(tally.rejected);
  json["series"] = Json::array();
  for (const Interval& interval : tally.intervals) json["series"].push_back(interval_json(interval));
  json["histograms_ns"] = {{"latency", buckets_json(tally.latency)},
                           {"queued", buckets_json(tally.queued)},
                           {"worker", buckets_json(tally.worker)},
                           {"broker", buckets_json(tally.broker)},
                           {"reject", buckets_json(tally.rejected)}};
}

void add_chunks(Json& json, const ChunkTally& chunks) {
  json["chunks"] = chunks.received;
  json["chunks_lost"] = chunks.lost;
  json["chunks_duplicated"] = chunks.duplicates;
  json["chunks_out_of_order"] = chunks.out_of_order;
  json["chunks_per_s"] = chunks.measured_rate();
  json["first_chunk_us"] = percentiles_json(chunks.first_chunk);
  json["chunk_us"] = percentiles_json(chunks.chunk);
  json["histograms_ns"]["first_chunk"] = buckets_json(chunks.first_chunk);
  json["histograms_ns"]["chunk"] = buckets_json(chunks.chunk);
}

// A run of its own within the run: what it counted, as the others' counts stand beside it.
Json surge_json(const Options& options, const Tally& surge) {
  Json json = {{"clients", options.surge.clients},
               {"target_rate_per_s", options.surge.rate_per_second},
               {"offered_rate_per_s", surge.offered_rate()},
               {"achieved_rate_per_s", surge.measured_rate()},
               {"from_s", seconds(options.surge.after_ns)}};
  add_counts(json, surge);
  add_latencies(json, surge);
  return json;
}

void add_sweep(Json& json, const RunResult& result) {
  json["sweep"] = Json::array();
  for (const SweepStep& step : sorted_by_rate(result.sweep)) json["sweep"].push_back(step_json(step));
  json["sweep_p99_max_us"] = us(result.sweep_p99_max_ns);
  json["knee_per_s"] = result.knee_per_second > 0 ? Json(result.knee_per_second) : Json(nullptr);
}

Json objectives_json(const Options& options, const RunResult& result) {
  const Objectives& asked = options.objectives;
  Json json;
  json["p99_max_us"] = asked.p99_max_ns > 0 ? Json(us(asked.p99_max_ns)) : Json(nullptr);
  json["rate_min_per_s"] = asked.rate_min_per_second > 0 ? Json(asked.rate_min_per_second) : Json(nullptr);
  json["missed"] = missed_objectives(options, result);
  return json;
}

void add_self(Json& json, const Options& options, const RunResult& result) {
  const std::string because = bottleneck_of(options, result);
  json["cpu"] = {
      {"clients", result.cpu.clients},
      {"workers", result.cpu.workers},
      {"basis", options.port ? "share of the core's time in polls that found work" : "CPU time of the thread"},
      {"saturated", !because.empty()},
      {"because", because}};
  if (options.port) json["port"] = {{"tx_dropped", result.tx_dropped}, {"rx_dropped", result.rx_dropped}};
}

}  // namespace

Json percentiles_json(const Histogram& histogram) {
  Json json;
  for (const Quantile& quantile : kQuantiles)
    json[std::string(quantile.json_name)] = us(histogram.percentile(quantile.percent));
  json["max"] = us(histogram.max());
  json["mean"] = histogram.mean() / static_cast<double>(kNsPerUs);
  json["count"] = histogram.count();
  return json;
}

Json buckets_json(const Histogram& histogram) {
  Json json = Json::array();
  histogram.for_each_bucket([&](std::uint64_t, std::uint64_t upper, std::uint64_t count) {
    json.push_back({upper, count});
  });
  return json;
}

std::string json_of(const Options& options, const RunResult& result, std::string_view command_line) {
  const Tally& tally = result.tally;
  Json json = {{"schema_version", kSchemaVersion},
               {"command_line", command_line},
               {"loop", options.open_loop() ? "open" : "closed"}};
  json["target_rate_per_s"] = options.open_loop() ? Json(target_rate(options, result)) : Json(nullptr);
  json["offered_rate_per_s"] = options.open_loop() ? Json(tally.offered_rate()) : Json(nullptr);
  json["achieved_rate_per_s"] = tally.measured_rate();
  add_counts(json, tally);
  if (options.sweep) add_sweep(json, result);
  add_latencies(json, tally);
  if (tally.chunks) add_chunks(json, *tally.chunks);
  json["duration_s"] = seconds(tally.measured_ns);
  json["registration_s"] = seconds(result.registration_ns);
  json["clients"] = options.clients;
  json["workers"] = options.workers;
  json["shadow"] = options.shadow;
  json["transport"] = options.transport();
  json["payload_bytes"] = options.prompt_bytes;
  json["send_bytes"] = send_bytes(options);
  json["seed"] = options.seed;
  json["broker_cycles_per_task"] = result.broker_cycles_per_task ? Json(*result.broker_cycles_per_task) : Json(nullptr);
  if (options.workers > 0 && !options.reflect) json["worker_tasks"] = result.worker_tasks;
  if (options.reflect) json["parts_per_task"] = result.reflected_parts;
  if (options.faulty_workers.count > 0) json["faulty_worker_tasks"] = result.faulty_worker_tasks;
  if (result.surge) json["surge"] = surge_json(options, *result.surge);
  add_self(json, options, result);
  json["objectives"] = objectives_json(options, result);
  json["interrupted"] = result.interrupted;
  // An argument may be any bytes: what is no UTF-8 is shown replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mcplane::loadgen
