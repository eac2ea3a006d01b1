// The prompt of task n of a run: n in 16 hex digits, then printable bytes made from a random block of the run and a key
// of (seed, n). An answer is checked by making them again, so nothing is stored while a task is away, and any byte
// lost, swapped within a task or between tasks, or taken from another run shows. One exclusive-or a word, so that eight
// bytes cost less than a cycle. Pure, but for the writers' buffers; one thread each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "wire/header.h"

namespace mcplane::loadgen {

inline constexpr std::size_t kPromptBytesMin = 16;

// How large the prompts of a run are: kPromptBytesMin to bytes_max.
struct PromptSizes {
  enum class Form : std::uint8_t { kConstant, kUniform, kExponential, kList };
  Form form = Form::kConstant;  // constant: all bytes_max
  std::size_t bytes_min = 0;    // uniform
  double mean = 0;              // exponential, before it is bounded
  // Each of these is as likely, and what stands there twice twice as much; one at least, none above bytes_max.
  std::shared_ptr<const std::vector<std::uint32_t>> list{};
};

// Prompts of one run. The size of each, too, is made from (seed, n).
class PromptPattern {
 public:
  // bytes_max is at least kPromptBytesMin.
  PromptPattern(std::uint64_t seed, std::size_t bytes_max, const PromptSizes& sizes = {});

  std::size_t bytes_of(std::uint64_t number) const noexcept;
  // prompt has bytes_of(number) bytes.
  void write(std::span<char> prompt, std::uint64_t number) const noexcept;
  // `answer` is exactly write()'s bytes.
  bool matches(std::string_view answer, std::uint64_t number) const noexcept;
  // `piece` is those of write()'s bytes that begin at `at`. Slower.
  bool matches_at(std::string_view piece, std::uint64_t number, std::size_t at) const noexcept;
  std::size_t bytes_max() const noexcept { return bytes_max_; }
  // From here on no prompt is larger. At least kPromptBytesMin.
  void bound(std::size_t bytes_max) noexcept { bytes_max_ = std::min(bytes_max_, bytes_max); }

 private:
  std::uint64_t key_of(std::uint64_t number) const noexcept;

  std::uint64_t run_;                 // the seed, mixed
  std::vector<std::uint64_t> block_;  // a word for each 8 bytes of a prompt
  std::size_t bytes_max_;
  PromptSizes sizes_;
};

// A version 8 UUID (RFC 9562 5.8) of run and task.
wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept;

// A FlatBuffer whose last part is one text, as the wire writers make them: what stands before the text does not depend
// on it, but for the text's own length.
class TextFrame {
 public:
  // `example` ends with `text`, which lies in it.
  TextFrame(std::vector<std::byte> example, std::optional<std::string_view> text);

  // The text of `bytes`, when these are this frame around a text: what the verifier would find, for the price of one
  // comparison. nullopt: something else, and perhaps as good.
  std::optional<std::string_view> text_in(std::span<const std::byte> bytes) const noexcept;
  std::size_t bytes_around(std::size_t text_bytes) const noexcept;
  struct Written {
    std::span<std::byte> bytes;  // the whole
    std::span<char> text;        // yet to be filled in
  };
  // Writes what is around a text of that many bytes, to `place`, or to room of its own if that is too small: valid
  // until the next call, and allocated only for a text larger than any before.
  Written around(std::size_t text_bytes, std::span<std::byte> place);

 private:
  std::vector<std::byte> frame_;
  std::size_t text_offset_ = 0;
};

// Task payloads around the prompts of a pattern.
class PayloadWriter {
 public:
  explicit PayloadWriter(PromptPattern pattern);

  // As of TextFrame: in `place`, or valid until the next call.
  std::span<const std::byte> write(std::uint64_t number, std::span<std::byte> place = {}) noexcept;
  std::size_t payload_bytes_max() const noexcept { return frame_.bytes_around(pattern_.bytes_max()); }
  const PromptPattern& pattern() const noexcept { return pattern_; }
  void bound(std::size_t prompt_bytes_max) noexcept { pattern_.bound(prompt_bytes_max); }

 private:
  PromptPattern pattern_;
  TextFrame frame_;
};

// The prompt of a TaskPayload: as wire::read_prompt(), and quicker for those that a PayloadWriter made.
class PromptReader {
 public:
  PromptReader();
  std::optional<std::string_view> read(std::span<const std::byte> payload) const noexcept;

 private:
  TextFrame frame_;
};

// Answers that hold a given text, and the text of an answer: as wire::read_answer(), and quicker for those.
class AnswerWriter {
 public:
  AnswerWriter();
  // As of TextFrame: in `place`, or valid until the next call.
  std::span<const std::byte> write(std::string_view text, std::span<std::byte> place = {});
  std::optional<std::string_view> read(std::span<const std::byte> answer) const noexcept;

 private:
  TextFrame frame_;
};

}  // namespace mcplane::loadgen
