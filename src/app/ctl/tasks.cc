// See tasks.h.
#include "app/ctl/tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/task_id.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

// "12ms", "3.4s", "-0.5s".
std::string ms_text(const Json& ms) {
  const auto value = ms.get<std::int64_t>();
  return value > -1'000 && value < 1'000 ? fmt::format("{}ms", value)
                                         : fmt::format("{:.1f}s", static_cast<double>(value) / 1'000);
}

// A name, or the id of who has none or is gone.
std::string node_text(const Json& node) {
  if (node.is_null()) return "-";
  const std::string name = string_of(node.at("name"));
  return name.empty() ? string_of(node.at("node_id")) : name;
}

std::string route_text(const Json& task) {
  const std::string action = string_of(task.at("action")), model = string_of(task.at("model"));
  return action.empty() ? "?" : model.empty() ? action : action + "/" + model;
}

Row task_row(const Json& task) {
  return {string_of(task.at("id")),
          string_of(task.at("state")),
          route_text(task),
          ms_text(task.at("age_ms")),
          ms_text(task.at("ttl_left_ms")),
          std::to_string(task.at("priority").get<unsigned>()),
          std::to_string(task.at("attempt").get<unsigned>()),
          node_text(task.at("client")),
          node_text(task.at("worker"))};
}

std::string tasks_text(const Json& answer) {
  std::vector<Row> rows = {{"TASK", "STATE", "ROUTE", "AGE", "TTL LEFT", "PRIORITY", "ATTEMPT", "CLIENT", "WORKER"}};
  for (const Json& task : answer.at("tasks")) rows.push_back(task_row(task));
  const std::string more = answer.at("more").get<bool>() ? "there are more; --limit COUNT shows them\n" : "";
  return rows.size() == 1 ? "no such task is open\n" : aligned(rows) + more;
}

// What there is to say of the state besides its name.
std::string state_text(const Json& task) {
  const std::string state = string_of(task.at("state"));
  if (state == "queued")
    return fmt::format("queued {}, {} wait in its class, {} in its route", ms_text(task.at("queued_ms")),
                       task.at("waiting_in_class").get<std::uint64_t>(),
                       task.at("waiting_in_route").get<std::uint64_t>());
  if (state == "routed") return "routed: its worker has not said yet that it came";
  if (state == "running")
    return std::string("running at its worker") + (task.at("answer_begun").get<bool>() ? ", its answer has begun" : "");
  if (state == "pulling") return "pulling: its worker is gone, and the client is asked to send it again";
  if (state == "delivering") return "delivering: its answer left; the client has not said yet that it came";
  if (state == "rejecting") return "rejecting: its refusal left; the client has not said yet that it came";
  return "cancelling: it has ended; its worker has not given the slot back yet";
}

std::string tags_text(const Json& tags) {
  std::string joined;
  for (const Json& tag : tags) joined += (joined.empty() ? ", tags " : ", ") + string_of(tag);
  return joined;
}

std::string candidates_text(const Json& task) {
  if (string_of(task.at("action")).empty()) return "  what it asked for is not known any more\n";
  std::string lines;
  if (const std::string why = string_of(task.at("route_refuses")); !why.empty()) lines += "  " + why + "\n";
  if (task.at("candidates").empty()) return lines + "  no worker is registered\n";
  const std::string holder = task.at("worker").is_null() ? "" : string_of(task.at("worker").at("node_id"));
  std::vector<Row> rows = {{"  CANDIDATE", "NODE", "BREAKER", "BUSY", "A TASK LIKE IT NOW"}};
  for (const Json& worker : task.at("candidates"))
    rows.push_back(
        {"  " + string_of(worker.at("name")), string_of(worker.at("node_id")), string_of(worker.at("breaker")),
         fmt::format("{}/{}", worker.at("outstanding").get<std::uint64_t>(), worker.at("bound").get<std::uint64_t>()),
         (worker.at("takes_it").get<bool>() ? "may go there" : "refused: " + string_of(worker.at("why_not"))) +
             (string_of(worker.at("node_id")) == holder ? "; has this one" : "")});
  lines += aligned(rows);
  if (const auto left_out = task.at("candidates_left_out").get<std::uint64_t>(); left_out > 0)
    lines += fmt::format("  and {} more\n", left_out);
  return lines;
}

std::string task_text(const Json& task) {
  std::string lines = fmt::format("task {}, token {}, shard {}\n", string_of(task.at("id")),
                                  string_of(task.at("token")), task.at("shard").get<unsigned>());
  const auto row = [&lines](const char* name, const std::string& value) {
    lines += fmt::format("  {:<9}{}\n", name, value);
  };
  row("state", state_text(task));
  row("route", fmt::format("{}{}, priority {}{}", route_text(task), tags_text(task.at("tags")),
                           task.at("priority").get<unsigned>(),
                           task.at("idempotent").get<bool>() ? ", idempotent" : ", runs at most once"));
  row("times", fmt::format("came {} ago, waited {} for a worker, {} of its TTL left", ms_text(task.at("age_ms")),
                           ms_text(task.at("queued_ms")), ms_text(task.at("ttl_left_ms"))));
  row("client", fmt::format("{}, slot {}", node_text(task.at("client")), task.at("slot").get<unsigned>()));
  row("worker", fmt::format("{}, attempt {}", node_text(task.at("worker")), task.at("attempt").get<unsigned>()));
  for (const auto& [key, what] : {std::pair{"degraded", "its worker stands in for those asked for"},
                                  std::pair{"mirror", "a copy of another task, for shadow workers"},
                                  std::pair{"shadow", "of a load test: shadow workers only"}})
    if (task.at(key).get<bool>()) row("kind", what);
  return lines + candidates_text(task);
}

std::string explanation_text(const Json& answer) {
  std::string lines;
  for (const Json& task : answer.at("tasks")) lines += (lines.empty() ? "" : "\n") + task_text(task);
  return lines;
}

bool is_token(const std::string& task) {
  return task.size() == 17 && task[8] == ':' &&
         std::ranges::all_of(task, [](unsigned char letter) { return letter == ':' || std::isxdigit(letter) != 0; });
}

std::string hex_of(const wire::Id16& id) { return fmt::format("{:02x}", fmt::join(id, "")); }

}  // namespace

void add_tasks_flags(CLI::App& command, TasksFlags& flags) {
  add_admin_flags(command, flags.admin);
  add_text(command, "--route", flags.route, "ROUTE", "Only tasks of this ACTION or ACTION/MODEL");
  add_text(command, "--state", flags.state, "queued|routed|running|pulling|delivering|rejecting|cancelling",
           "Only in this state; several with commas");
  add_count(command, "--limit", flags.limit, "Tasks shown, the oldest of those found", {1, 10'000});
}

void add_explain_flags(CLI::App& command, ExplainFlags& flags) {
  add_admin_flags(command, flags.admin);
  command.add_option("TASK", flags.task, "Its id, as it was sent with, or its token")->required()->type_name("");
}

Request tasks_request(const TasksFlags& flags) {
  return {Method::kGet,
          fmt::format("/v1/tasks?limit={}&route={}&state={}", flags.limit, encoded(flags.route), encoded(flags.state))};
}

Request explain_request(const ExplainFlags& flags) {
  std::string name = is_token(flags.task) ? flags.task : hex_of(client::task_id_from(flags.task).bytes);
  std::ranges::transform(name, name.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return {Method::kGet, "/v1/tasks/" + name};
}

Parsed<std::string> tasks_table(std::string_view body) { return table_of(body, tasks_text); }
Parsed<std::string> explanation(std::string_view body) { return table_of(body, explanation_text); }

int run_tasks(const TasksFlags& flags) { return ask_and_print(flags.admin, tasks_request(flags), tasks_table); }

int run_explain(const ExplainFlags& flags) {
  const Request request = explain_request(flags);
  const auto reply = ask(flags.admin, request);
  if (!reply) return kExitBrokerUnreachable;
  if (reply->status == 200) return print_reply(flags.admin, *reply, explanation);
  if (reply->status != 404) return print_refusal(request, *reply);
  return end(failure("mcplane-ctl", "no core has task " + quote(flags.task) + ": it has ended, or never came here",
                     kExitRuntime));
}

}  // namespace mcplane::app
