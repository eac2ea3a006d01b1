// JSON read by simdjson on demand, fields in the order they were written. To rewrite, the text around the three numbers
// is copied. On demand, a broker's step checks structure and UTF-8 of the whole, and values only where it reads them.
#include <simdjson.h>

#include <charconv>
#include <stdexcept>
#include <utility>

#include "json.h"

namespace mcplane::perf {
namespace {

namespace ondemand = simdjson::ondemand;

std::string_view text_of(ondemand::value value) { return value.get_string(); }

class SimdjsonCodec final : public Codec {
 public:
  std::string_view name() const override { return "simdjson"; }

  void encode(const CodecTask& task, std::string& message) override {
    const std::string text = to_json(task).dump();
    message.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    message = text;
  }

  std::uint64_t route(std::string& message, const Rewrite& rewrite) override {
    try {
      ondemand::document document = parse(message);
      ondemand::object object = document.get_object();
      RouteDigest digest;
      for (const char* name : {"session", "slot", "sequence"}) digest.add(number(object, name));
      begin_splice(message);
      splice(object.find_field("attempt").value(), rewrite.attempt);
      splice(object.find_field("worker_session").value(), rewrite.worker_session);
      ondemand::value ttl = object.find_field("ttl_ms");
      digest.add(std::uint64_t{ttl.get_uint64()});
      splice(ttl, rewrite.ttl_ms);
      for (const char* name : {"action", "model"}) digest.add(text_of(object.find_field(name)));
      for (ondemand::value tag : object.find_field("tags").get_array()) digest.add(text_of(tag));
      end_splice(message);
      return digest.value();
    } catch (const simdjson::simdjson_error&) {
      return 0;
    }
  }

  bool decode(const std::string& message, CodecTask& task) override {
    try {
      ondemand::document document = parse(message);
      ondemand::object object = document.get_object();
      if (!from_hex(text_of(object.find_field("task_id")), task.task_id) ||
          !from_hex(text_of(object.find_field("trace_id")), task.trace_id) ||
          !from_hex(text_of(object.find_field("parent_span")), task.parent_span))
        return false;
      task.session = number(object, "session");
      task.slot = number(object, "slot");
      task.sequence = number(object, "sequence");
      task.attempt = number(object, "attempt");
      task.worker_session = number(object, "worker_session");
      task.ttl_ms = number(object, "ttl_ms");
      task.action = text_of(object.find_field("action"));
      task.model = text_of(object.find_field("model"));
      task.tags.clear();
      for (ondemand::value tag : object.find_field("tags").get_array()) task.tags.emplace_back(text_of(tag));
      ondemand::object payload = object.find_field("payload").get_object();
      decode_payload(payload, task.payload);
      return true;
    } catch (const simdjson::simdjson_error&) {
      return false;
    }
  }

 private:
  ondemand::document parse(const std::string& message) {
    return parser_.iterate(simdjson::padded_string_view(message.data(), message.size(), message.capacity()));
  }

  static std::uint32_t number(ondemand::object& object, const char* name) {
    return static_cast<std::uint32_t>(std::uint64_t{object.find_field(name).get_uint64()});
  }

  static void decode_payload(ondemand::object& from, wire::TaskPayload& payload) {
    payload.prompt = text_of(from.find_field("prompt"));
    payload.history.clear();
    for (ondemand::object turn : from.find_field("history").get_array()) {
      wire::Turn& added = payload.history.emplace_back();
      added.role = text_of(turn.find_field("role"));
      added.content = text_of(turn.find_field("content"));
    }
    payload.parameters.clear();
    for (ondemand::object parameter : from.find_field("parameters").get_array()) {
      wire::Parameter& added = payload.parameters.emplace_back();
      added.key = text_of(parameter.find_field("key"));
      added.value = text_of(parameter.find_field("value"));
    }
  }

  // Rewriting copies what is between the values.
  void begin_splice(const std::string& message) {
    out_.clear();
    copied_ = message.data();
  }
  void splice(ondemand::value value, std::uint32_t by) {
    const std::string_view token = value.raw_json_token();
    out_.append(copied_, token.data());
    std::array<char, 10> digits;
    out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), by).ptr);
    copied_ = token.data() + token.size();
  }
  void end_splice(std::string& message) {
    out_.append(copied_, static_cast<const char*>(message.data() + message.size()));
    out_.reserve(out_.size() + simdjson::SIMDJSON_PADDING);
    std::swap(message, out_);
  }

  ondemand::parser parser_;
  std::string out_;
  const char* copied_ = nullptr;
};

}  // namespace

std::unique_ptr<Codec> make_simdjson_codec() { return std::make_unique<SimdjsonCodec>(); }

}  // namespace mcplane::perf
