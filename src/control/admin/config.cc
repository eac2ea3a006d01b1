// See config.h. 400: a parameter is wrong; 409: there is nothing to confirm or to go back to; 422: mistakes.
#include "control/admin/config.h"

#include <fmt/core.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "control/control.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;
using Server = httplib::Server;
using DocumentAnswer = std::function<Answer(Control&, const ConfigDocument&)>;

Answer json_answer(const Json& json, int status = 200) {
  // Paths and names need not be UTF-8.
  return {status, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n", kJson};
}

Json changes_json(const std::vector<ConfigChange>& changes) {
  Json list = Json::array();
  for (const ConfigChange& change : changes)
    list.push_back({{"key", change.key}, {"before", change.before}, {"after", change.after}, {"restart", !change.hot}});
  return list;
}

// Every answer about what runs begins so.
Json running_json(const Control& control) {
  const ConfigHistory& config = control.config();
  Json json = {{"generation", config.running().number}};
  const auto left_ns = config.trial_left_ns(control.now_ns());
  json["confirm_left_ms"] = left_ns ? Json(*left_ns / kNsPerMs) : Json(nullptr);
  json["pending"] = changes_json(config.pending());
  return json;
}

Answer show(const Control& control) {
  Json json = running_json(control);
  json["values"] = Json::array();
  for (const ConfigValue& value : control.config().values())
    json["values"].push_back(
        {{"key", value.key}, {"value", value.value}, {"origin", value.origin}, {"restart", !value.hot}});
  return json_answer(json);
}

Answer history(const Control& control) {
  Json json = running_json(control);
  json["generations"] = Json::array();
  for (const auto& kept : control.config().kept())
    json["generations"].push_back({{"generation", kept->number},
                                   {"unix_s", kept->author.unix_s},
                                   {"how", kept->author.how},
                                   {"by", kept->author.by},
                                   {"origin", kept->document.origin},
                                   {"text", kept->document.text}});
  return json_answer(json);
}

// What a caller says of itself ends in logs and on terminals.
std::string printable(std::string text) {
  constexpr std::size_t kBytesMax = 256;
  if (text.size() > kBytesMax) text.resize(kBytesMax);
  std::ranges::replace_if(
      text, [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; }, '?');
  return text;
}

std::string parameter(const httplib::Request& request, const char* name) {
  return printable(request.get_param_value(name));
}

ConfigAuthor author_of(const httplib::Request& request, const ConfigHooks& hooks) {
  return {.by = parameter(request, "by"), .how = "apply", .unix_s = hooks.unix_s ? hooks.unix_s() : 0};
}

// Absent: empty; no number: false.
bool read_number(const httplib::Request& request, const char* name, std::optional<std::uint64_t>& number) {
  if (!request.has_param(name)) return true;
  const std::string text = request.get_param_value(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  number = value;
  return error == std::errc{} && end == text.data() + text.size();
}

Answer with_document(const ConfigHooks& hooks, const httplib::Request& request, const Ask& ask, DocumentAnswer then) {
  if (!hooks.read) return error_answer(501, "this appliance takes no configuration");
  ConfigReading reading = hooks.read(request.body, parameter(request, "origin"));
  if (!reading.mistakes.empty()) return json_answer({{"mistakes", reading.mistakes}}, 422);
  return ask([document = std::move(reading.document), then = std::move(then)](Control& control) {
    return then(control, document);
  });
}

Answer diff(const Control& control, const ConfigDocument& document) {
  return json_answer({{"generation", control.config().running().number},
                      {"changes", changes_json(control.config().changes_to(document))}});
}

Answer apply(const ConfigHooks& hooks, const httplib::Request& request, const Ask& ask) {
  constexpr std::uint64_t kConfirmMsMax = 24ULL * 3'600 * 1'000;
  std::optional<std::uint64_t> confirm_ms;
  if (!read_number(request, "confirm-within-ms", confirm_ms) || confirm_ms == 0U ||
      confirm_ms.value_or(1) > kConfirmMsMax)
    return error_answer(400, "confirm-within-ms is no number from 1 to 86400000");
  const std::uint64_t confirm_ns = confirm_ms.value_or(0) * kNsPerMs;
  return with_document(hooks, request, ask,
                       [author = author_of(request, hooks), confirm_ns](Control& control, const ConfigDocument& read) {
                         Json changes = changes_json(control.config().changes_to(read));
                         control.config().apply(read, author, control.now_ns(), confirm_ns);
                         Json json = running_json(control);
                         json["changes"] = std::move(changes);
                         return json_answer(json);
                       });
}

Answer confirm(Control& control) {
  if (!control.config().confirm()) return error_answer(409, "no configuration waits to be confirmed");
  return json_answer(running_json(control));
}

Answer roll_back(const ConfigHooks& hooks, const httplib::Request& request, const Ask& ask) {
  std::optional<std::uint64_t> number;
  if (!read_number(request, "generation", number)) return error_answer(400, "generation is no number");
  return ask([author = author_of(request, hooks), number](Control& control) {
    ConfigHistory& config = control.config();
    if (config.roll_back(number, author, control.now_ns())) return json_answer(running_json(control));
    const std::uint64_t oldest = config.kept().front()->number, newest = config.running().number;
    return error_answer(409, number ? fmt::format("generation {} is not kept; {} to {} are", *number, oldest, newest)
                                    : "there is no earlier configuration");
  });
}

}  // namespace

void serve_config_reads(Server& server, const Ask& ask) {
  server.Get("/v1/config", [=](const httplib::Request&, httplib::Response& response) { give(ask(show), response); });
  server.Get("/v1/config/history",
             [=](const httplib::Request&, httplib::Response& response) { give(ask(history), response); });
}

void serve_config_changes(Server& server, const Ask& ask, const ConfigHooks& hooks) {
  server.set_payload_max_length(kConfigBytesMax);
  const auto post = [&](const char* path, const std::function<Answer(const httplib::Request&)>& answer) {
    server.Post(path,
                [=](const httplib::Request& request, httplib::Response& response) { give(answer(request), response); });
  };
  // A text that is sound says nothing more.
  post("/v1/config/check", [=](const httplib::Request& request) {
    return with_document(hooks, request, ask, [](Control&, const ConfigDocument&) {
      return json_answer({{"mistakes", Json::array()}});
    });
  });
  post("/v1/config/diff", [=](const httplib::Request& request) { return with_document(hooks, request, ask, diff); });
  post("/v1/config/apply", [=](const httplib::Request& request) { return apply(hooks, request, ask); });
  post("/v1/config/confirm", [=](const httplib::Request&) { return ask(confirm); });
  post("/v1/config/rollback", [=](const httplib::Request& request) { return roll_back(hooks, request, ask); });
}

}  // namespace mcplane::control
