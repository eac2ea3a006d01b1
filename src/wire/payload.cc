// Payloads come from the other end of the system, through a broker that did not look at them.
#include "wire/payload.h"

#include "wire/header.h"
#include "wire/verified_root.h"

namespace mcplane::wire {
namespace {

// Every turn and parameter is a table; the root and a few spare ones.
constexpr std::uint32_t kPayloadTablesMax = kTurnsMax + kParametersMax + 8;

std::string copy(const flatbuffers::String* text) { return {text->c_str(), text->size()}; }

// Text the payload would take as separate strings: entries may share one string in the buffer.
std::size_t text_bytes(const fb::TaskPayload& root) noexcept {
  std::size_t total = root.prompt()->size();
  if (const auto* history = root.history())
    for (const auto* turn : *history) total += turn->role()->size() + turn->content()->size();
  if (const auto* parameters = root.parameters())
    for (const auto* parameter : *parameters) total += parameter->key()->size() + parameter->value()->size();
  return total;
}

const fb::TaskPayload* sound_task_payload(std::span<const std::byte> payload) noexcept {
  const auto* root = verified_root<fb::TaskPayload>(payload, kMessageBytesMax, kPayloadTablesMax);
  if (root == nullptr) return nullptr;
  if (root->history() != nullptr && root->history()->size() > kTurnsMax) return nullptr;
  if (root->parameters() != nullptr && root->parameters()->size() > kParametersMax) return nullptr;
  return text_bytes(*root) > payload.size() ? nullptr : root;
}

std::vector<std::byte> finished(const flatbuffers::FlatBufferBuilder& builder) {
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::optional<TaskPayload> read_task_payload(std::span<const std::byte> payload) {
  const auto* root = sound_task_payload(payload);
  if (root == nullptr) return std::nullopt;
  TaskPayload task;
  task.prompt = copy(root->prompt());
  if (const auto* history = root->history()) {
    task.history.reserve(history->size());
    for (const auto* turn : *history) task.history.push_back({copy(turn->role()), copy(turn->content())});
  }
  if (const auto* parameters = root->parameters()) {
    task.parameters.reserve(parameters->size());
    for (const auto* entry : *parameters) task.parameters.push_back({copy(entry->key()), copy(entry->value())});
  }
  return task;
}

std::optional<std::string_view> read_prompt(std::span<const std::byte> payload) noexcept {
  const auto* root = sound_task_payload(payload);
  if (root == nullptr) return std::nullopt;
  return std::string_view{root->prompt()->c_str(), root->prompt()->size()};
}

std::vector<std::byte> write_task_payload(const TaskPayload& payload) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<fb::Turn>> turns;
  turns.reserve(payload.history.size());
  for (const auto& turn : payload.history) {
    const auto role = builder.CreateString(turn.role);
    turns.push_back(fb::CreateTurn(builder, role, builder.CreateString(turn.content)));
  }
  std::vector<flatbuffers::Offset<fb::Parameter>> parameters;
  parameters.reserve(payload.parameters.size());
  for (const auto& entry : payload.parameters) {
    const auto key = builder.CreateString(entry.key);
    parameters.push_back(fb::CreateParameter(builder, key, builder.CreateString(entry.value)));
  }
  const auto prompt = builder.CreateString(payload.prompt);
  const auto history_at = builder.CreateVector(turns);
  const auto parameters_at = builder.CreateVector(parameters);
  builder.Finish(fb::CreateTaskPayload(builder, prompt, history_at, parameters_at));
  return finished(builder);
}

std::optional<std::string_view> read_answer(std::span<const std::byte> payload) noexcept {
  const auto* root = verified_root<fb::Answer>(payload, kMessageBytesMax, kFlatTablesMax);
  if (root == nullptr) return std::nullopt;
  return std::string_view{root->text()->c_str(), root->text()->size()};
}

std::vector<std::byte> write_answer(std::string_view text) {
  flatbuffers::FlatBufferBuilder builder(text.size() + 64);
  builder.Finish(fb::CreateAnswer(builder, builder.CreateString(text)));
  return finished(builder);
}

}  // namespace mcplane::wire
