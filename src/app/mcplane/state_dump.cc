// See state_dump.h.
#include "app/mcplane/state_dump.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "control/reports/breaker_report.h"
#include "control/reports/degradation_report.h"
#include "control/reports/report.h"

namespace mcplane::app {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);

// `"info":{...},"nodes":{...}`. Control thread.
std::string control_members(control::Control& control) {
  control.hear_all();
  std::string members = R"("control":"answers")";
  for (const auto& [name, json] :
       {std::pair{"info", control::info_json(control)}, std::pair{"nodes", control::nodes_json(control)},
        std::pair{"breakers", control::breakers_json(control)},
        std::pair{"degradation", control::degradation_json(control)},
        std::pair{"subscriptions", control::subscriptions_json(control)}})
    members += fmt::format(R"(,"{}":{})", name, std::string_view(json).substr(0, json.find_last_not_of('\n') + 1));
  return members;
}

std::string asked_members(Appliance& appliance) {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  const bool asked =
      appliance.ask([promise](control::Control& control) { promise->set_value(control_members(control)); });
  if (!asked || future.wait_for(kPatience) != std::future_status::ready)
    return R"("control":"does not answer within 1 s")";
  return future.get();
}

// Read while the cores write: each number is right by itself.
nlohmann::ordered_json cores_json(const state::Shared& shared, const ApplianceConfig& config) {
  nlohmann::ordered_json cores = nlohmann::ordered_json::array();
  const std::uint64_t now_ns = net::tsc_now_ns();
  for (std::size_t i = 0; i < shared.shards.size(); ++i) {
    const auto& shard = *shared.shards[i];
    const std::uint64_t looped_ns = shard.loop_ns.load(std::memory_order_relaxed);
    cores.push_back({{"shard", i},
                     {"cpu", config.cores[i]},
                     {"loops", shard.counters.loops.read()},
                     {"busy_loops", shard.counters.busy_loops.read()},
                     {"last_loop_us_ago", now_ns > looped_ns ? (now_ns - looped_ns) / kNsPerUs : 0},
                     {"open_tasks", shard.counters.open_tasks() + shard.counters.shadow.open_tasks()}});
  }
  return cores;
}

// Readers see the last dump or this one, whole. One line when it cannot be written; else empty.
std::string replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::ofstream file(fresh, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(fresh, path, error);
  if (file && !error) return "";
  return fmt::format("--dump-file '{}' cannot be written: {}", path, error ? error.message() : std::strerror(errno));
}

}  // namespace

void write_state_dump(Appliance& appliance, const ApplianceConfig& config) {
  const std::string text = fmt::format(R"({{"at":"{:%Y-%m-%dT%H:%M:%SZ}","cores":{},{}}})"
                                       "\n",
                                       fmt::gmtime(std::time(nullptr)), cores_json(appliance.shared(), config).dump(),
                                       asked_members(appliance));
  if (config.dump_path.empty()) {
    std::fputs(text.c_str(), stderr);
    return;
  }
  const std::string problem = replace_file(config.dump_path, text);
  std::fprintf(stderr, "mcplane: %s\n",
               problem.empty() ? ("state written to " + config.dump_path).c_str() : problem.c_str());
}

}  // namespace mcplane::app
