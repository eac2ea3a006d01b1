// What a worker remembers of tasks it has finished, so that a repeated ROUTE is never a second execution:
//   - the last RESULTs as sent, to send again (at most 64 of them and 256 KiB);
//   - for longer, that a token was finished. A token's location is a slot of the broker's task table and its generation
//     only grows, so one word a location is enough; locations share entries, the newest wins.
// Fixed storage. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"

namespace mcplane::client {

class ResultCache {
 public:
  static constexpr std::size_t kResultsMax = 64;
  static constexpr std::size_t kBytesMax = 256 * 1024;

  // tasks: what the worker may have unacknowledged at once; datagram_bytes_max: of a RESULT.
  ResultCache(std::size_t tasks, std::size_t datagram_bytes_max);

  // True when this attempt, or a later one on the same location, was finished or stopped.
  bool finished(TaskToken token, std::uint8_t attempt) const noexcept;
  void mark_finished(TaskToken token, std::uint8_t attempt) noexcept;

  // Keeps a copy of a RESULT, in place of the oldest.
  void keep(TaskToken token, std::uint8_t attempt, std::span<const std::byte> datagram) noexcept;
  // Empty when it is no longer there.
  std::span<const std::byte> find(TaskToken token, std::uint8_t attempt) const noexcept;
  void drop(TaskToken token, std::uint8_t attempt) noexcept;
  void clear() noexcept;
  // The entry of finished(), and the place of the next RESULT, of about that many bytes.
  void prefetch(TaskToken token, std::size_t datagram_bytes) const noexcept;

 private:
  struct Kept {
    TaskToken token;  // generation 0: nothing here
    std::uint8_t attempt = 0;
    std::uint32_t length = 0;  // bytes
  };
  struct Finished {
    TaskToken token;
    std::uint8_t attempt = 0;
  };

  const Kept* find_kept(TaskToken token, std::uint8_t attempt) const noexcept;
  std::size_t entry_of(TaskToken token) const noexcept;

  std::size_t place_bytes_;
  std::vector<Kept> kept_;
  std::unique_ptr<std::byte[]> storage_;
  std::size_t next_ = 0;
  std::vector<Finished> finished_;  // a power of two
};

}  // namespace mcplane::client
