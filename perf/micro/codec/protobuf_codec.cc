// Protobuf. Message objects are kept, so that their strings keep their memory.
#include <cstring>

#include "task.h"
#include "task.pb.h"

namespace mcplane::perf {
namespace {

template <std::size_t kBytes>
bool load(const std::string& from, std::array<std::uint8_t, kBytes>& to) {
  if (from.size() != kBytes) return false;
  std::memcpy(to.data(), from.data(), kBytes);
  return true;
}

class ProtobufCodec final : public Codec {
 public:
  std::string_view name() const override { return "protobuf"; }

  void encode(const CodecTask& task, std::string& message) override {
    envelope_.Clear();
    payload_.Clear();
    payload_.set_prompt(task.payload.prompt);
    for (const wire::Turn& turn : task.payload.history) {
      proto::Turn& added = *payload_.add_history();
      added.set_role(turn.role);
      added.set_content(turn.content);
    }
    for (const wire::Parameter& parameter : task.payload.parameters) {
      proto::Parameter& added = *payload_.add_parameters();
      added.set_key(parameter.key);
      added.set_value(parameter.value);
    }
    envelope_.set_task_id(task.task_id.data(), task.task_id.size());
    envelope_.set_trace_id(task.trace_id.data(), task.trace_id.size());
    envelope_.set_parent_span(task.parent_span.data(), task.parent_span.size());
    envelope_.set_session(task.session);
    envelope_.set_slot(task.slot);
    envelope_.set_sequence(task.sequence);
    envelope_.set_attempt(task.attempt);
    envelope_.set_worker_session(task.worker_session);
    envelope_.set_ttl_ms(task.ttl_ms);
    envelope_.set_action(task.action);
    envelope_.set_model(task.model);
    for (const std::string& tag : task.tags) envelope_.add_tags(tag);
    payload_.SerializeToString(envelope_.mutable_payload());
    envelope_.SerializeToString(&message);
  }

  std::uint64_t route(std::string& message, const Rewrite& rewrite) override {
    if (!envelope_.ParseFromString(message)) return 0;
    RouteDigest digest;
    digest.add(envelope_.session());
    digest.add(envelope_.slot());
    digest.add(envelope_.sequence());
    digest.add(envelope_.ttl_ms());
    digest.add(envelope_.action());
    digest.add(envelope_.model());
    for (const std::string& tag : envelope_.tags()) digest.add(tag);
    envelope_.set_attempt(rewrite.attempt);
    envelope_.set_worker_session(rewrite.worker_session);
    envelope_.set_ttl_ms(rewrite.ttl_ms);
    envelope_.SerializeToString(&message);
    return digest.value();
  }

  bool decode(const std::string& message, CodecTask& task) override {
    if (!envelope_.ParseFromString(message) || !payload_.ParseFromString(envelope_.payload())) return false;
    if (!load(envelope_.task_id(), task.task_id) || !load(envelope_.trace_id(), task.trace_id) ||
        !load(envelope_.parent_span(), task.parent_span))
      return false;
    task.session = envelope_.session();
    task.slot = envelope_.slot();
    task.sequence = envelope_.sequence();
    task.attempt = envelope_.attempt();
    task.worker_session = envelope_.worker_session();
    task.ttl_ms = envelope_.ttl_ms();
    task.action = envelope_.action();
    task.model = envelope_.model();
    task.tags.assign(envelope_.tags().begin(), envelope_.tags().end());
    task.payload.prompt = payload_.prompt();
    task.payload.history.clear();
    for (const proto::Turn& turn : payload_.history()) task.payload.history.push_back({turn.role(), turn.content()});
    task.payload.parameters.clear();
    for (const proto::Parameter& parameter : payload_.parameters())
      task.payload.parameters.push_back({parameter.key(), parameter.value()});
    return true;
  }

 private:
  proto::Envelope envelope_;
  proto::Payload payload_;
};

}  // namespace

std::unique_ptr<Codec> make_protobuf_codec() { return std::make_unique<ProtobufCodec>(); }

}  // namespace mcplane::perf
