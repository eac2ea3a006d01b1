// The prompt of task n of a run: n in 16 hex digits, then printable bytes drawn from (seed, n). An answer is checked by
// drawing them again, so nothing is stored while a task is away, and any byte lost, swapped between tasks or taken from
// another run shows. Pure, but for PayloadWriter's buffer; one thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/header.h"

namespace mcplane::loadgen {

inline constexpr std::size_t kPromptBytesMin = 16;

// prompt.size() is at least kPromptBytesMin.
void write_prompt(std::span<char> prompt, std::uint64_t seed, std::uint64_t number) noexcept;
// `answer` is exactly write_prompt()'s bytes at this length.
bool is_prompt(std::string_view answer, std::size_t prompt_bytes, std::uint64_t seed, std::uint64_t number) noexcept;
// A version 8 UUID (RFC 9562 5.8) of run and task.
wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept;

// Task payloads of one size, by overwriting the prompt inside one that wire::write_task_payload() made: about 40 ns
// for 256 B against a microsecond for building each anew.
class PayloadWriter {
 public:
  explicit PayloadWriter(std::size_t prompt_bytes);

  // Valid until the next call.
  std::span<const std::byte> write(std::uint64_t seed, std::uint64_t number) noexcept;
  std::size_t payload_bytes() const noexcept { return payload_.size(); }

 private:
  std::vector<std::byte> payload_;
  std::size_t prompt_offset_ = 0;
  std::size_t prompt_bytes_;
};

}  // namespace mcplane::loadgen
