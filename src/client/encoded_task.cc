// Limits are checked before anything is built: the wire writers take them for granted.
#include "client/encoded_task.h"

#include <chrono>
#include <span>
#include <string_view>

#include "base/siphash.h"
#include "client/task_id.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::client {
namespace {

// What tasks that may share a worker's cache begin with: a conversation so far, or a system prompt.
constexpr std::size_t kPrefixBytes = 256;

std::string prefix_of(const Task& task) {
  std::string prefix;
  const auto append = [&prefix](std::string_view text) {
    prefix.append(text.substr(0, kPrefixBytes - prefix.size()));
    if (prefix.size() < kPrefixBytes) prefix.push_back('\0');
    return prefix.size() < kPrefixBytes;
  };
  for (const auto& turn : task.history)
    if (!append(turn.role) || !append(turn.content)) return prefix;
  append(task.prompt);
  return prefix;
}

// The same in every process. Never 0, which is none.
std::uint32_t affinity_of(const Task& task) {
  constexpr SipKey kKey{0x6166666966666974ULL, 0x7920666f722074ULL};
  const std::string text = task.affinity.empty() ? prefix_of(task) : task.affinity;
  const auto hash = static_cast<std::uint32_t>(siphash24(kKey, std::as_bytes(std::span(text))));
  return hash != 0 ? hash : 1;
}

}  // namespace

std::string malformed_field(const Task& task) {
  using namespace std::chrono_literals;
  if (task.id.size() > wire::kTaskIdTextBytesMax) return "id: longer than 64 bytes";
  if (!wire::is_name(task.action)) return "action: wants 1 to 64 bytes without control characters";
  if (!wire::is_label(task.model)) return "model: wants at most 64 bytes without control characters";
  if (task.tags.size() > wire::kTagsMax) return "tags: more than 8";
  for (const auto& tag : task.tags)
    if (!wire::is_name(tag)) return "tags: each wants 1 to 64 bytes without control characters";
  if (task.history.size() > wire::kTurnsMax) return "history: more than 65536 turns";
  if (task.parameters.size() > wire::kParametersMax) return "parameters: more than 256";
  if (task.ttl < 1ms || task.ttl > 24h) return "ttl: wants 1 ms to 24 h";
  if (task.priority >= wire::kPriorities) return "priority: wants 0 to 3";
  return "";
}

bool certainly_too_large(const Task& task) noexcept {
  std::size_t bytes = task.action.size() + task.prompt.size();
  for (const auto& turn : task.history) bytes += turn.role.size() + turn.content.size();
  for (const auto& [key, value] : task.parameters) bytes += key.size() + value.size();
  return bytes > wire::kMessageBytesMax;
}

EncodedTask encode_task(Task& task, Random& random) {
  if (task.id.empty()) task.id = task_id_text(random_uuid(random), "");
  const TaskId id = task_id_from(task.id);
  wire::TaskPayload payload;
  payload.prompt = task.prompt;
  for (const auto& turn : task.history) payload.history.push_back({turn.role, turn.content});
  for (const auto& [key, value] : task.parameters) payload.parameters.push_back({key, value});
  return {.id = id.bytes,
          .flags = wire::send_flags(task.idempotent, task.shadow, task.priority),
          .affinity = affinity_of(task),
          .table = wire::write_route_table(task.action, task.model, task.tags, id.text_travels ? task.id : ""),
          .payload = wire::write_task_payload(payload)};
}

}  // namespace mcplane::client
