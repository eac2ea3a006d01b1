// The prompt of task n of a run: n in 16 hex digits, then printable bytes made from a random block of the run and a key
// of (seed, n). An answer is checked by making them again, so nothing is stored while a task is away, and any byte
// lost, swapped within a task or between tasks, or taken from another run shows. One exclusive-or a word, so that eight
// bytes cost less than a cycle. Pure, but for the writers' buffers; one thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "wire/header.h"

namespace mcplane::loadgen {

inline constexpr std::size_t kPromptBytesMin = 16;

// Prompts of one run, all of one size.
class PromptPattern {
 public:
  // prompt_bytes is at least kPromptBytesMin.
  PromptPattern(std::uint64_t seed, std::size_t prompt_bytes);

  // prompt has prompt_bytes() bytes.
  void write(std::span<char> prompt, std::uint64_t number) const noexcept;
  // `answer` is exactly write()'s bytes.
  bool matches(std::string_view answer, std::uint64_t number) const noexcept;
  std::size_t prompt_bytes() const noexcept { return prompt_bytes_; }

 private:
  std::uint64_t key_of(std::uint64_t number) const noexcept;

  std::uint64_t run_;                 // the seed, mixed
  std::vector<std::uint64_t> block_;  // a word for each 8 bytes of a prompt
  std::size_t prompt_bytes_;
};

// A version 8 UUID (RFC 9562 5.8) of run and task.
wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept;

// Task payloads of one size, by overwriting the prompt inside one that wire::write_task_payload() made.
class PayloadWriter {
 public:
  explicit PayloadWriter(PromptPattern pattern);

  // Valid until the next call.
  std::span<const std::byte> write(std::uint64_t number) noexcept;
  std::size_t payload_bytes() const noexcept { return payload_.size(); }
  const PromptPattern& pattern() const noexcept { return pattern_; }

 private:
  PromptPattern pattern_;
  std::vector<std::byte> payload_;
  std::size_t prompt_offset_ = 0;
};

// Answers that hold a given text, by overwriting the text inside one that wire::write_answer() made for that length.
class AnswerWriter {
 public:
  // Valid until the next call. Allocates only when the length differs from the last call's.
  std::span<const std::byte> write(std::string_view text);

 private:
  std::vector<std::byte> answer_;
  std::size_t text_offset_ = 0, text_bytes_ = 0;
};

}  // namespace mcplane::loadgen
