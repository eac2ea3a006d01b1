// Answers that may stand in for workers later, of this shard's tasks: the last good one to each question, which is
// action, model, tags and payload, known by a keyed hash. Owner: the shard's core.
//
// A circular log and a lossy index, as MICA's cache mode has them (Lim, Han, Andersen, Kaminsky, NSDI 2014): an answer
// is written behind the last one, over the oldest; the index is 4-way set-associative and gives up a set's oldest.
// Nothing is freed or moved, every step is O(1) but for the bytes of the answer, and all of it is one block that the
// kernel backs page by page as it fills: who keeps no answers pays for none.
//
//   log    | hash, time, length | payload ... | hash, time, length | payload ... |     positions only grow;
//   index  | hash, position | hash, position | hash, position | hash, position |        byte = position % log
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "base/siphash.h"

namespace mcplane::dataplane {

// A question, by its hash: no peer knows the key, so two that meet are one chance in 2^64 for each pair.
using Question = std::uint64_t;

class AnswerCache {
 public:
  // bytes: of everything but a word a task; too few for one long answer: none is kept. tasks: that there are at once.
  AnswerCache(std::size_t bytes, std::uint32_t tasks, const SipKey& key);

  // selector: the hash of action, model and tags.
  Question question_of(std::uint64_t selector, std::span<const std::byte> payload) const noexcept;

  // The task asks it, until another has that index.
  void expect(std::uint32_t task, Question question) noexcept { expected_[task] = question; }
  Question expected(std::uint32_t task) const noexcept { return expected_[task]; }

  void store(Question question, std::span<const std::byte> answer, std::uint64_t now_ns) noexcept;
  // Not stored before `since_ns`. Good until the next store().
  std::optional<std::span<const std::byte>> find(Question question, std::uint64_t since_ns) const noexcept;

  bool keeps_any() const noexcept { return sets_ > 0; }
  std::size_t log_bytes() const noexcept { return log_bytes_; }
  static constexpr std::uint32_t kWays = 4;
  static constexpr std::size_t kBytesMin = std::size_t{64} << 10, kAnswerBytesMax = 9'216;

 private:
  struct Record {
    Question question = 0;
    std::uint64_t stored_ns = 0;
    std::uint64_t length = 0;  // of the payload behind it
  };
  struct Place {
    Question question = 0;
    std::uint64_t position = 0;  // 0: free
  };
  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };
  template <class T>
  using Zeroed = std::unique_ptr<T[], Free>;
  template <class T>
  static Zeroed<T> zeroed(std::size_t count);

  Place* set_of(Question question) const noexcept { return &index_[(question & (sets_ - 1)) * kWays]; }
  std::byte* at(std::uint64_t position) const noexcept { return &log_[position % log_bytes_]; }
  // It was written, and nothing over it.
  bool is_whole(std::uint64_t position) const noexcept { return position != 0 && end_ - position <= log_bytes_; }

  SipKey key_;
  std::size_t sets_ = 0, log_bytes_ = 0;
  Zeroed<std::byte> log_;
  Zeroed<Place> index_;
  Zeroed<Question> expected_;  // by task index
  std::uint64_t end_ = 0;      // of the last record, a position
};

}  // namespace mcplane::dataplane
