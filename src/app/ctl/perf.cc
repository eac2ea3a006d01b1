// See perf.h.
#include "app/ctl/perf.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOnHint = "next: mcplane-ctl perf --on, some load, mcplane-ctl perf\n";

Row station_row(const std::string& name, double per_frame, double frames_per_task, double of) {
  return {name, fmt::format("{:.1f}", per_frame), fmt::format("{:.0f}", per_frame * frames_per_task),
          fmt::format("{:.1f}", of > 0 ? 100 * per_frame / of : 0)};
}

// One core: what it measured, then a row a station.
std::string core_text(const Json& core) {
  const double frames = core.at("frames").get<double>(), tasks = core.at("tasks").get<double>();
  std::string text = fmt::format(
      "shard {}: busy {:.1f} %; measured {} of {} loops, {:.0f} frames in, {:.0f} tasks; a loop takes {:.0f} cycles, "
      "{:.1f} % of them go to idle ones\n",
      core.at("shard").get<unsigned>(), 100 * core.at("busy_ratio").get<double>(),
      core.at("sampled_loops").get<std::uint64_t>(), core.at("loops").get<std::uint64_t>(), frames, tasks,
      core.at("cycles_per_loop").get<double>(), core.at("idle_cycles_percent").get<double>());
  double sum = 0;
  for (const auto& station : core.at("cycles_per_frame").items()) sum += station.value().get<double>();
  const double frames_per_task = tasks > 0 ? frames / tasks : 0;
  std::vector<Row> rows = {{"STATION", "CYCLES/FRAME", "CYCLES/TASK", "PERCENT"}};
  for (const auto& station : core.at("cycles_per_frame").items())
    rows.push_back(station_row(one_line(station.key()), station.value().get<double>(), frames_per_task, sum));
  rows.push_back(station_row("all", sum, frames_per_task, sum));
  return text + aligned(rows) + "\n";
}

std::string us(const Json& ns) { return fmt::format("{:.1f}", ns.get<double>() / 1'000); }

std::string residence_text(const Json& residence) {
  std::vector<Row> rows = {{"IN THE BROKER, us", "COUNT", "P50", "P90", "P99", "P99.9", "MAX"}};
  for (const auto& [leg, name] : {std::pair{"route", "SEND to ROUTE"}, std::pair{"deliver", "RESULT to DELIVER"}}) {
    const Json& of = residence.at(leg);
    rows.push_back({name, std::to_string(of.at("count").get<std::uint64_t>()), us(of.at("p50")), us(of.at("p90")),
                    us(of.at("p99")), us(of.at("p999")), us(of.at("max"))});
  }
  return aligned(rows);
}

std::string perf_text(const Json& answer) {
  const bool on = answer.at("on").get<bool>();
  if (answer.at("cores").empty()) return on ? "measuring; nothing yet\n" : fmt::format("off; {}", kOnHint);
  std::string text = on ? "" : "off; the last run's figures:\n";
  for (const Json& core : answer.at("cores")) text += core_text(core);
  return text + residence_text(answer.at("residence_ns"));
}

// What was switched, rather than the figures, which are of before.
Parsed<std::string> switched(std::string_view body) {
  return table_of(body, [](const Json& answer) -> std::string {
    return answer.at("on").get<bool>() ? "measuring; next: mcplane-ctl perf\n" : "off\n";
  });
}

}  // namespace

void add_perf_flags(CLI::App& command, PerfFlags& flags) {
  add_admin_flags(command, flags.admin);
  CLI::Option* const on = command.add_flag("--on", flags.on, "Begin to measure, afresh");
  command.add_flag("--off", flags.off, "Stop; the figures stay")->excludes(on);
}

Parsed<std::string> perf_table(std::string_view body) { return table_of(body, perf_text); }

int run_perf(const PerfFlags& flags) {
  if (flags.on) return ask_and_print(flags.admin, {Method::kPost, "/v1/perf/on"}, switched);
  if (flags.off) return ask_and_print(flags.admin, {Method::kPost, "/v1/perf/off"}, switched);
  return ask_and_print(flags.admin, {Method::kGet, "/v1/perf"}, perf_table);
}

}  // namespace mcplane::app
