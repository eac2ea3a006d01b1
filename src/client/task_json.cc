// The JSON form of a task. Parsing is nlohmann's; what it lets through and the protocol does not (repeated keys, deep
// nesting) is refused on the way, and every field is taken out by name, so what is left over is unknown.
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "client/encoded_task.h"
#include "mcplane/task.h"

namespace mcplane {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kDepthMax = 8;
constexpr std::size_t kFieldNameMax = 128;
constexpr double kTtlSecondsMax = 86'400;
constexpr double kMsPerSecond = 1'000;

// Field names may be the sender's own: the message stays one short line.
[[noreturn]] void refuse(std::string field, const std::string& what) {
  for (char& c : field)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (field.size() > kFieldNameMax) field = field.substr(0, kFieldNameMax) + "...";
  throw std::invalid_argument(field + ": " + what);
}

// Refuses what a tree of values would hide or could not hold.
class ParseGuard {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDepthMax) refuse("json", "nested deeper than 8");
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key && !keys_.back().insert(parsed.get<std::string>()).second)
      refuse(parsed.get<std::string>(), "given twice");
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

// An object being taken apart; `path` is how its fields are named in errors.
class Fields {
 public:
  Fields(const Json& object, std::string path, std::initializer_list<std::string_view> known)
      : object_(object), path_(std::move(path)) {
    if (!object.is_object()) refuse(path_.empty() ? "json" : path_, "must be an object");
    const std::set<std::string_view> names(known);
    for (const auto& item : object.items())
      if (!names.contains(item.key())) refuse(named(item.key()), "unknown field");
  }

  const Json* find(const std::string& name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  const Json& required(const std::string& name) const {
    const Json* value = find(name);
    if (value == nullptr) refuse(named(name), "missing");
    return *value;
  }
  std::string text(const std::string& name) const {
    const Json& value = required(name);
    if (!value.is_string()) refuse(named(name), "must be a string");
    return value.get<std::string>();
  }
  const Json& array(const std::string& name) const {
    const Json& value = required(name);
    if (!value.is_array()) refuse(named(name), "must be an array");
    return value;
  }
  std::string named(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }

 private:
  const Json& object_;
  std::string path_;
};

std::string element(const std::string& array, std::size_t index) { return array + "[" + std::to_string(index) + "]"; }

std::vector<Turn> read_history(const Fields& context) {
  std::vector<Turn> history;
  for (const auto& item : context.array("history")) {
    const Fields turn(item, element(context.named("history"), history.size()), {"role", "content"});
    history.push_back({turn.text("role"), turn.text("content")});
  }
  return history;
}

// Numbers and truth values are kept as they are written in JSON: {"temperature": 0.2}.
std::vector<std::pair<std::string, std::string>> read_parameters(const Fields& payload) {
  std::vector<std::pair<std::string, std::string>> parameters;
  const Json* object = payload.find("parameters");
  if (object == nullptr) return parameters;
  if (!object->is_object()) refuse(payload.named("parameters"), "must be an object");
  for (const auto& item : object->items()) {
    const Json& value = item.value();
    if (!value.is_string() && !value.is_number() && !value.is_boolean())
      refuse(payload.named("parameters." + item.key()), "must be a string, a number or a truth value");
    parameters.emplace_back(item.key(), value.is_string() ? value.get<std::string>() : value.dump());
  }
  return parameters;
}

std::vector<std::string> read_tags(const Fields& task) {
  std::vector<std::string> tags;
  if (task.find("tags") == nullptr) return tags;
  for (const auto& tag : task.array("tags")) {
    if (!tag.is_string()) refuse(element("tags", tags.size()), "must be a string");
    tags.push_back(tag.get<std::string>());
  }
  return tags;
}

std::chrono::milliseconds read_ttl(const Fields& task) {
  const Json& value = task.required("ttl");
  if (!value.is_number()) refuse("ttl", "must be a number of seconds");
  const auto seconds = value.get<double>();
  if (!(seconds > 0 && seconds <= kTtlSecondsMax)) refuse("ttl", "must be over 0 and at most 86400 seconds");
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * kMsPerSecond)));
}

void read_optional_fields(const Fields& fields, Task& task) {
  if (fields.find("model") != nullptr) task.model = fields.text("model");
  if (fields.find("affinity") != nullptr) task.affinity = fields.text("affinity");
  if (fields.find("traceparent") != nullptr) task.traceparent = fields.text("traceparent");
  task.tags = read_tags(fields);
  if (const Json* priority = fields.find("priority")) {
    if (!priority->is_number_unsigned() || priority->get<std::uint64_t>() > 3)
      refuse("priority", "must be an integer from 0 to 3");
    task.priority = priority->get<std::uint8_t>();
  }
  for (const auto& [name, value] : {std::pair("idempotent", &task.idempotent), std::pair("shadow", &task.shadow)}) {
    const Json* given = fields.find(name);
    if (given == nullptr) continue;
    if (!given->is_boolean()) refuse(name, "must be true or false");
    *value = given->get<bool>();
  }
}

Task read_task(const Json& json) {
  const Fields fields(json, "",
                      {"mcp_version", "task_id", "action", "payload", "ttl", "model", "tags", "priority", "idempotent",
                       "shadow", "affinity", "traceparent"});
  if (fields.text("mcp_version") != "1.0") refuse("mcp_version", "must be \"1.0\"");
  Task task;
  task.id = fields.text("task_id");
  if (task.id.empty() || task.id.size() > 64) refuse("task_id", "must be 1 to 64 bytes");
  task.action = fields.text("action");
  const Fields payload(fields.required("payload"), "payload", {"prompt", "context", "parameters"});
  task.prompt = payload.text("prompt");
  task.history = read_history(Fields(payload.required("context"), "payload.context", {"history"}));
  task.parameters = read_parameters(payload);
  task.ttl = read_ttl(fields);
  read_optional_fields(fields, task);
  if (const auto fault = client::malformed_field(task); !fault.empty()) throw std::invalid_argument(fault);
  return task;
}

}  // namespace

Task task_from_json(std::string_view json) {
  try {
    return read_task(Json::parse(json, ParseGuard{}));
  } catch (const Json::parse_error& error) {
    refuse("json", "not well-formed at byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    refuse("json", "a number is too large");
  }
}

}  // namespace mcplane
