// JSON by nlohmann: a tree of values, both ways.
#include "json.h"

namespace mcplane::perf {

Json to_json(const CodecTask& task) {
  Json history = Json::array(), parameters = Json::array();
  for (const wire::Turn& turn : task.payload.history)
    history.push_back({{"role", turn.role}, {"content", turn.content}});
  for (const wire::Parameter& parameter : task.payload.parameters)
    parameters.push_back({{"key", parameter.key}, {"value", parameter.value}});
  return {{"task_id", to_hex(task.task_id)},
          {"trace_id", to_hex(task.trace_id)},
          {"parent_span", to_hex(task.parent_span)},
          {"session", task.session},
          {"slot", task.slot},
          {"sequence", task.sequence},
          {"attempt", task.attempt},
          {"worker_session", task.worker_session},
          {"ttl_ms", task.ttl_ms},
          {"action", task.action},
          {"model", task.model},
          {"tags", task.tags},
          {"payload",
           {{"prompt", task.payload.prompt}, {"history", std::move(history)}, {"parameters", std::move(parameters)}}}};
}

namespace {

class NlohmannCodec final : public Codec {
 public:
  std::string_view name() const override { return "nlohmann"; }

  void encode(const CodecTask& task, std::string& message) override { message = to_json(task).dump(); }

  std::uint64_t route(std::string& message, const Rewrite& rewrite) override {
    try {
      Json json = Json::parse(message);
      RouteDigest digest;
      for (const char* name : {"session", "slot", "sequence", "ttl_ms"}) digest.add(json.at(name).get<std::uint64_t>());
      for (const char* name : {"action", "model"}) digest.add(json.at(name).get_ref<const std::string&>());
      for (const Json& tag : json.at("tags")) digest.add(tag.get_ref<const std::string&>());
      json.at("attempt") = rewrite.attempt;
      json.at("worker_session") = rewrite.worker_session;
      json.at("ttl_ms") = rewrite.ttl_ms;
      message = json.dump();
      return digest.value();
    } catch (const Json::exception&) {
      return 0;
    }
  }

  bool decode(const std::string& message, CodecTask& task) override {
    try {
      const Json json = Json::parse(message);
      const auto id = [&](const char* name, auto& bytes) {
        return from_hex(json.at(name).get_ref<const std::string&>(), bytes);
      };
      if (!id("task_id", task.task_id) || !id("trace_id", task.trace_id) || !id("parent_span", task.parent_span))
        return false;
      json.at("session").get_to(task.session);
      json.at("slot").get_to(task.slot);
      json.at("sequence").get_to(task.sequence);
      json.at("attempt").get_to(task.attempt);
      json.at("worker_session").get_to(task.worker_session);
      json.at("ttl_ms").get_to(task.ttl_ms);
      json.at("action").get_to(task.action);
      json.at("model").get_to(task.model);
      json.at("tags").get_to(task.tags);
      const Json& payload = json.at("payload");
      payload.at("prompt").get_to(task.payload.prompt);
      task.payload.history.clear();
      for (const Json& turn : payload.at("history"))
        task.payload.history.push_back({turn.at("role").get<std::string>(), turn.at("content").get<std::string>()});
      task.payload.parameters.clear();
      for (const Json& parameter : payload.at("parameters"))
        task.payload.parameters.push_back(
            {parameter.at("key").get<std::string>(), parameter.at("value").get<std::string>()});
      return true;
    } catch (const Json::exception&) {
      return false;
    }
  }
};

}  // namespace

std::unique_ptr<Codec> make_nlohmann_codec() { return std::make_unique<NlohmannCodec>(); }

}  // namespace mcplane::perf
