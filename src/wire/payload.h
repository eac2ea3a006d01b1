// Task payloads and answers: opaque to the broker, read by workers and clients with limits of their own.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::wire {

struct Turn {
  std::string role, content;
  friend bool operator==(const Turn&, const Turn&) = default;
};
struct Parameter {
  std::string key, value;
  friend bool operator==(const Parameter&, const Parameter&) = default;
};

struct TaskPayload {
  std::string prompt;
  std::vector<Turn> history;          // at most kTurnsMax
  std::vector<Parameter> parameters;  // at most kParametersMax
  friend bool operator==(const TaskPayload&, const TaskPayload&) = default;
};

inline constexpr std::size_t kTurnsMax = 65'536;
inline constexpr std::size_t kParametersMax = 256;

// nullopt when the bytes are no sound TaskPayload, break a limit, or share strings so that their text
// would be longer than the payload itself (a small frame must not become a large allocation).
std::optional<TaskPayload> read_task_payload(std::span<const std::byte> payload);
// The prompt alone, in place, after the same checks.
std::optional<std::string_view> read_prompt(std::span<const std::byte> payload) noexcept;
std::vector<std::byte> write_task_payload(const TaskPayload& payload);

// The text points into `payload`. nullopt when it is no sound Answer.
std::optional<std::string_view> read_answer(std::span<const std::byte> payload) noexcept;
std::vector<std::byte> write_answer(std::string_view text);
// Most that it adds to the text.
inline constexpr std::size_t kAnswerBytesAround = 32;

}  // namespace mcplane::wire
