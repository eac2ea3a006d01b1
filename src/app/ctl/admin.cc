// Names in the answers were chosen by peers: control characters do not reach the terminal.
#include "app/ctl/admin.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

// "4" and "busy", "a, b" of lists; whatever else as JSON.
std::string text_of(const Json& value) {
  if (value.is_string()) return one_line(value.get<std::string>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& item : value) text += (text.empty() ? "" : ", ") + text_of(item);
  return text;
}

// "accepted 5, delivered 4".
std::string counts_of(const Json& counts) {
  std::string text;
  for (const auto& item : counts.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one_line(item.key()), text_of(item.value()));
  return text.empty() ? "none" : text;
}

bool any_of(const Json& counts) {
  return std::ranges::any_of(counts, [](const Json& count) { return count.get<std::uint64_t>() > 0; });
}

std::string ports_text(const Json& ports) {
  std::vector<Row> rows = {
      {"PORT", "LINK", "QUEUES", "NEIGHBOURS", "RX", "TX", "LOST", "ERRORS", "ADDRESSES", "OFFLOADS"}};
  const auto sum = [](const Json& port, const char* a, const char* b) {
    return std::to_string(port.at(a).get<std::uint64_t>() + port.at(b).get<std::uint64_t>());
  };
  for (const Json& port : ports)
    rows.push_back({text_of(port.at("name")), text_of(port.at("link")), text_of(port.at("queues")),
                    text_of(port.at("neighbours")), text_of(port.at("rx_frames")), text_of(port.at("tx_frames")),
                    sum(port, "rx_missed", "rx_no_buffer"), sum(port, "rx_errors", "tx_errors"),
                    text_of(port.at("ips")), text_of(port.at("offloads"))});
  return aligned(rows);
}

std::string status_text(const Json& info) {
  std::string text = fmt::format("mcplane {}, boot {}, up {}\n", text_of(info.at("version")),
                                 text_of(info.at("boot_id")), age_text(info.at("uptime_s").get<std::uint64_t>()));
  const auto row = [&text](const char* name, const std::string& value) {
    text += fmt::format("  {:<10}{}\n", name, value);
  };
  row("addresses",
      fmt::format("{}; UDP port {}, MTU {}, link {}", text_of(info.at("ips")), text_of(info.at("base_port")),
                  text_of(info.at("mtu")), info.at("link_up").get<bool>() ? "up" : "down"));
  row("shards", fmt::format("{}, on CPU {}", text_of(info.at("shards")), text_of(info.at("cores"))));
  row("sessions", counts_of(info.at("sessions")));
  row("tasks", counts_of(info.at("tasks")));
  row("degraded", counts_of(info.at("degraded")));
  for (const char* name : {"shadow", "mirror"})
    if (any_of(info.at(name))) row(name, counts_of(info.at(name)));
  row("frames", counts_of(info.at("frames")));
  row("drops", counts_of(info.at("drops")));
  row("buffers",
      fmt::format("{} free of {}", text_of(info.at("buffers").at("free")), text_of(info.at("buffers").at("total"))));
  return text + "\n" + ports_text(info.at("ports"));
}

// "up 12s, HTTP 200": since when, and the last answer.
std::string health_text(const Json& probe) {
  if (probe.is_null() || text_of(probe.at("health")).empty()) return "-";
  const std::string health =
      fmt::format("{} {}", text_of(probe.at("health")), age_text(probe.at("since_ms").get<std::uint64_t>() / 1'000));
  const std::string said = text_of(probe.at("said"));
  return said.empty() ? health : health + ", " + said;
}

Row node_row(const Json& node) {
  return {text_of(node.at("node_id")),
          (node.at("shadow").get<bool>() ? "shadow " : "") + text_of(node.at("service")),
          text_of(node.at("name")),
          text_of(node.at("address")),
          text_of(node.at("state")),
          text_of(node.at("breaker")),
          node.at("probe").is_null() ? "-" : text_of(node.at("probe").at("asks")),
          health_text(node.at("probe")),
          fmt::format("{}ms ago", node.at("last_seen_ms").get<std::uint64_t>()),
          age_text(node.at("age_s").get<std::uint64_t>()),
          text_of(node.at("slots")),
          text_of(node.at("outstanding")),
          text_of(node.at("actions")),
          text_of(node.at("models")),
          text_of(node.at("tags"))};
}

std::string nodes_text(const Json& answer) {
  std::vector<Row> rows = {{"NODE", "SERVICE", "NAME", "ADDRESS", "STATE", "BREAKER", "PROBE", "HEALTH", "SEEN", "AGE",
                            "SLOTS", "BUSY", "ACTIONS", "MODELS", "TAGS"}};
  for (const Json& node : answer.at("nodes")) rows.push_back(node_row(node));
  if (rows.size() == 1) return "no node is registered; next: mcplane-worker --broker HOST --backend echo\n";
  return aligned(rows);
}

}  // namespace

std::string age_text(std::uint64_t age_s) {
  if (age_s >= 86'400) return fmt::format("{}d {}h", age_s / 86'400, age_s % 86'400 / 3'600);
  if (age_s >= 3'600) return fmt::format("{}h {}m", age_s / 3'600, age_s % 3'600 / 60);
  if (age_s >= 60) return fmt::format("{}m {}s", age_s / 60, age_s % 60);
  return fmt::format("{}s", age_s);
}

std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string string_of(const Json& json) { return one_line(json.get<std::string>()); }

std::string list_text(const Json& names) {
  std::string joined;
  for (const Json& name : names) joined += (joined.empty() ? "" : ", ") + string_of(name);
  return joined.empty() ? "-" : joined;
}

std::string figure(const Json& json, const char* key) { return std::to_string(json.at(key).get<std::uint64_t>()); }

Parsed<std::string> table_of(std::string_view body, std::string (*format)(const nlohmann::ordered_json&)) {
  try {
    return Parsed<std::string>::good(format(Json::parse(body)));
  } catch (const Json::exception& error) {
    return Parsed<std::string>::bad(std::string("the admin socket's answer is not understood: ") + error.what());
  }
}

std::string encoded(const std::string& text) { return httplib::detail::encode_query_param(text); }

int say_unreachable(const AdminFlags& flags) { return end(admin_unreachable(kCtlProgram, flags.path)); }

std::optional<Reply> try_ask(const AdminFlags& flags, const Request& request) {
  httplib::Client client = connect_admin(flags.path);
  const httplib::Result answer = request.method == Method::kGet
                                     ? client.Get(request.target)
                                     : client.Post(request.target, request.body, "application/octet-stream");
  return answer ? std::optional(Reply{answer->status, answer->body}) : std::nullopt;
}

std::optional<Reply> ask(const AdminFlags& flags, const Request& request) {
  auto reply = try_ask(flags, request);
  if (!reply) say_unreachable(flags);
  return reply;
}

int print_refusal(const Request& request, const Reply& reply) {
  const Json body = Json::parse(reply.body, nullptr, false);
  if (body.is_object() && body.contains("error") && body["error"].is_string())
    return end(failure(kCtlProgram, one_line(body["error"].get<std::string>()), kExitRuntime));
  return end(
      failure(kCtlProgram,
              fmt::format("{}: the appliance answers HTTP {}: {}", request.target, reply.status, one_line(reply.body)),
              kExitRuntime));
}

int print_reply(const AdminFlags& flags, const Reply& reply, Parsed<std::string> (*table)(std::string_view)) {
  const auto text = flags.json ? Parsed<std::string>::good(reply.body) : table(reply.body);
  return end(text ? Stop{kExitOk, *text.value} : failure(kCtlProgram, text.error, kExitRuntime));
}

int ask_and_print(const AdminFlags& flags, const Request& request, Parsed<std::string> (*table)(std::string_view)) {
  const auto reply = ask(flags, request);
  if (!reply) return kExitBrokerUnreachable;
  return reply->status == 200 ? print_reply(flags, *reply, table) : print_refusal(request, *reply);
}

void add_admin_flags(CLI::App& command, AdminFlags& flags) {
  add_text(command, "--admin", flags.path, "PATH", "UNIX socket of the appliance");
  add_switch(command, "--json", flags.json, "Print the appliance's JSON");
}

Parsed<std::string> status_table(std::string_view body) { return table_of(body, status_text); }
Parsed<std::string> nodes_table(std::string_view body) { return table_of(body, nodes_text); }

int run_status(const AdminFlags& flags) { return ask_and_print(flags, {Method::kGet, "/v1/info"}, status_table); }
int run_nodes(const AdminFlags& flags) { return ask_and_print(flags, {Method::kGet, "/v1/nodes"}, nodes_table); }

}  // namespace mcplane::app
