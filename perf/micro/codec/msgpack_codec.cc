// MessagePack: arrays in the order of the fields, without names; the payload a binary of its own inside the envelope.
#include <cstring>
#include <msgpack.hpp>
#include <span>
#include <stdexcept>

#include "task.h"

namespace mcplane::perf {
namespace {

using Fields = std::span<const msgpack::object>;

// What msgpack itself throws for a message of another shape.
Fields fields_of(const msgpack::object& object) {
  if (object.type != msgpack::type::ARRAY) throw msgpack::type_error();
  return {object.via.array.ptr, object.via.array.size};
}
Fields fields_of(const msgpack::object& object, std::size_t count) {
  const Fields fields = fields_of(object);
  if (fields.size() != count) throw msgpack::type_error();
  return fields;
}
std::string_view text_of(const msgpack::object& object) { return object.as<std::string_view>(); }
std::string_view bytes_of(const msgpack::object& object) {
  if (object.type != msgpack::type::BIN) throw msgpack::type_error();
  return {object.via.bin.ptr, object.via.bin.size};
}
template <std::size_t kBytes>
void load(const msgpack::object& object, std::array<std::uint8_t, kBytes>& to) {
  const std::string_view from = bytes_of(object);
  if (from.size() != kBytes) throw msgpack::type_error();
  std::memcpy(to.data(), from.data(), kBytes);
}

enum Field : std::size_t {
  kTaskId,
  kTraceId,
  kParentSpan,
  kSession,
  kSlot,
  kSequence,
  kAttempt,
  kWorkerSession,
  kTtlMs,
  kAction,
  kModel,
  kTags,
  kPayload,
  kFields
};

class Writer {
 public:
  explicit Writer(msgpack::sbuffer& buffer) : packer_(buffer) { buffer.clear(); }
  void array(std::size_t count) { packer_.pack_array(static_cast<std::uint32_t>(count)); }
  void number(std::uint32_t value) { packer_.pack_uint32(value); }
  void text(std::string_view value) {
    packer_.pack_str(static_cast<std::uint32_t>(value.size()));
    packer_.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
  }
  void bytes(const void* data, std::size_t size) {
    packer_.pack_bin(static_cast<std::uint32_t>(size));
    packer_.pack_bin_body(static_cast<const char*>(data), static_cast<std::uint32_t>(size));
  }
  void object(const msgpack::object& value) { packer_.pack(value); }

 private:
  msgpack::packer<msgpack::sbuffer> packer_;
};

class MsgpackCodec final : public Codec {
 public:
  std::string_view name() const override { return "msgpack"; }

  void encode(const CodecTask& task, std::string& message) override {
    encode_payload(task.payload);
    Writer out(envelope_);
    out.array(kFields);
    out.bytes(task.task_id.data(), task.task_id.size());
    out.bytes(task.trace_id.data(), task.trace_id.size());
    out.bytes(task.parent_span.data(), task.parent_span.size());
    for (const std::uint32_t number :
         {task.session, task.slot, task.sequence, task.attempt, task.worker_session, task.ttl_ms})
      out.number(number);
    out.text(task.action);
    out.text(task.model);
    out.array(task.tags.size());
    for (const std::string& tag : task.tags) out.text(tag);
    out.bytes(payload_.data(), payload_.size());
    message.assign(envelope_.data(), envelope_.size());
  }

  std::uint64_t route(std::string& message, const Rewrite& rewrite) override {
    try {
      const auto fields = unpack(message, kFields);
      RouteDigest digest;
      for (const Field field : {kSession, kSlot, kSequence, kTtlMs}) digest.add(fields[field].as<std::uint32_t>());
      for (const Field field : {kAction, kModel}) digest.add(text_of(fields[field]));
      for (const msgpack::object& tag : fields_of(fields[kTags])) digest.add(text_of(tag));
      Writer out(envelope_);
      out.array(kFields);
      for (std::size_t field = 0; field < kFields; ++field) {
        if (field == kAttempt)
          out.number(rewrite.attempt);
        else if (field == kWorkerSession)
          out.number(rewrite.worker_session);
        else if (field == kTtlMs)
          out.number(rewrite.ttl_ms);
        else
          out.object(fields[field]);
      }
      message.assign(envelope_.data(), envelope_.size());
      return digest.value();
    } catch (const std::exception&) {
      return 0;
    }
  }

  bool decode(const std::string& message, CodecTask& task) override {
    try {
      const auto fields = unpack(message, kFields);
      load(fields[kTaskId], task.task_id);
      load(fields[kTraceId], task.trace_id);
      load(fields[kParentSpan], task.parent_span);
      task.session = fields[kSession].as<std::uint32_t>();
      task.slot = fields[kSlot].as<std::uint32_t>();
      task.sequence = fields[kSequence].as<std::uint32_t>();
      task.attempt = fields[kAttempt].as<std::uint32_t>();
      task.worker_session = fields[kWorkerSession].as<std::uint32_t>();
      task.ttl_ms = fields[kTtlMs].as<std::uint32_t>();
      task.action = text_of(fields[kAction]);
      task.model = text_of(fields[kModel]);
      fields[kTags].convert(task.tags);
      decode_payload(bytes_of(fields[kPayload]), task.payload);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

 private:
  // Strings and binaries stay where they are, in `message`.
  Fields unpack(std::string_view message, std::size_t count) {
    zone_.clear();
    const auto stays = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    return fields_of(msgpack::unpack(zone_, message.data(), message.size(), stays), count);
  }

  void encode_payload(const wire::TaskPayload& payload) {
    Writer out(payload_);
    out.array(3);
    out.text(payload.prompt);
    out.array(payload.history.size());
    for (const wire::Turn& turn : payload.history) {
      out.array(2);
      out.text(turn.role);
      out.text(turn.content);
    }
    out.array(payload.parameters.size());
    for (const wire::Parameter& parameter : payload.parameters) {
      out.array(2);
      out.text(parameter.key);
      out.text(parameter.value);
    }
  }

  void decode_payload(std::string_view bytes, wire::TaskPayload& payload) {
    const auto fields = unpack(bytes, 3);
    payload.prompt = text_of(fields[0]);
    payload.history.clear();
    for (const msgpack::object& turn : fields_of(fields[1])) {
      const auto parts = fields_of(turn, 2);
      payload.history.push_back({std::string(text_of(parts[0])), std::string(text_of(parts[1]))});
    }
    payload.parameters.clear();
    for (const msgpack::object& parameter : fields_of(fields[2])) {
      const auto parts = fields_of(parameter, 2);
      payload.parameters.push_back({std::string(text_of(parts[0])), std::string(text_of(parts[1]))});
    }
  }

  msgpack::sbuffer envelope_, payload_;
  msgpack::zone zone_;  // of what was unpacked last
};

}  // namespace

std::unique_ptr<Codec> make_msgpack_codec() { return std::make_unique<MsgpackCodec>(); }

}  // namespace mcplane::perf
