// See broker_cost.h.
#include "app/load/broker_cost.h"

#include <httplib.h>

#include <nlohmann/json.hpp>

#include "app/command_line/admin_socket.h"
#include "base/types.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

// Nothing that has members when nobody answers, or no JSON.
Json answer_to(const std::string& admin, const char* target) {
  httplib::Client client = connect_admin(admin);
  const httplib::Result answer = client.Get(target);
  return answer && answer->status == 200 ? Json::parse(answer->body, nullptr, false) : Json();
}

std::uint64_t accepted(const Json& books) { return books.at("accepted").get<std::uint64_t>(); }

}  // namespace

std::optional<BrokerAccount> ask_broker(const std::string& admin) {
  const Json info = answer_to(admin, "/v1/info"), perf = answer_to(admin, "/v1/perf");
  try {
    BrokerAccount account{.boot_id = info.at("boot_id").get<std::string>(),
                          .tasks = accepted(info.at("tasks")) + accepted(info.at("shadow")),
                          .tsc_hz = perf.at("tsc_hz").get<std::uint64_t>()};
    for (const Json& shard : info.at("per_shard")) account.busy_ms += shard.at("busy_ms").get<std::uint64_t>();
    return account;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::optional<double> cycles_per_task(const BrokerAccount& before, const BrokerAccount& after) noexcept {
  if (after.boot_id != before.boot_id || after.tasks <= before.tasks) return std::nullopt;
  const double busy_s = static_cast<double>(after.busy_ms - before.busy_ms) * kNsPerMs / kNsPerSecond;
  return busy_s * static_cast<double>(after.tsc_hz) / static_cast<double>(after.tasks - before.tasks);
}

}  // namespace mcplane::app
