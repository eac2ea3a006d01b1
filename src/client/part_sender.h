// Which part of a message goes next (schemas/README.md, Messages in parts): new ones as far as the receiver's limit,
// those that are lost before them, and the last one again when no GRANT comes. A part is lost when one three later has
// come and a round trip has passed since it was sent, or any later one and a probe timeout (RFC 8985; RFC 9002, 6.1).
// The round trip is that of parts and GRANTs, from end to end. Knows numbers, not bytes; time is an argument. Counts
// parts from the message's first; on the wire 16 bits of that count. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "client/round_trip.h"

namespace mcplane::client {

class PartSender {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint32_t kWindowMax = 256;  // parts unacknowledged at once

  // `unscheduled` parts may be sent without a GRANT.
  explicit PartSender(std::uint32_t unscheduled) : limit_(unscheduled), flights_(kWindowMax) {}

  // So many more parts are there to be sent.
  void add(std::uint32_t parts) noexcept { made_ += parts; }
  // For another receiver: the first part is there, of all others nothing is known.
  void begin_again() noexcept;

  // The part to be sent now, kNone when there is none.
  std::uint32_t take_next(std::uint64_t now_ns) noexcept;
  bool has_next() const noexcept { return lost_ > 0 || sent_ < end(); }
  bool has_lost() const noexcept { return lost_ > 0; }
  // The one to be sent again for want of a GRANT, from due_ns() on.
  std::uint32_t take_probe(std::uint64_t now_ns) noexcept;
  std::uint64_t due_ns(std::uint64_t pto_ns) const noexcept;
  // When there is anything to be sent, new or again; 0: now.
  std::uint64_t next_ns(std::uint64_t pto_ns) const noexcept { return has_next() ? 0 : due_ns(pto_ns); }
  // Calls write(part, again) for what is to be sent now, while there is room().
  template <class Room, class Write>
  void send(std::uint64_t now_ns, Room room, Write write) noexcept {
    while (room()) {
      const bool again = has_lost();
      const std::uint32_t part = take_next(now_ns);
      if (part == kNone) return;
      write(part, again);
    }
  }
  // Its numbers as on the wire; false when it is older than one before, or nonsense.
  bool on_grant(std::uint16_t next, std::uint16_t limit, std::span<const std::byte> bitmap, std::uint64_t now_ns,
                std::uint64_t pto_ns) noexcept;

  std::uint32_t acknowledged() const noexcept { return acknowledged_; }  // all before it
  std::uint32_t made() const noexcept { return made_; }
  bool all_acknowledged() const noexcept { return acknowledged_ == made_; }

 private:
  struct Flight {
    std::uint64_t sent_ns = 0;
    bool here = false, lost = false;  // at the receiver; not, and to be sent again
    bool again = false;               // sent more than once
  };

  std::uint32_t end() const noexcept { return std::min({made_, limit_, acknowledged_ + kWindowMax}); }
  Flight& flight(std::uint32_t part) noexcept { return flights_[part % kWindowMax]; }
  // False: it was known to be.
  bool note_here(std::uint32_t part, std::uint64_t now_ns) noexcept;
  void find_lost(std::uint64_t now_ns, std::uint64_t pto_ns) noexcept;

  std::uint32_t made_ = 0, sent_ = 0, acknowledged_ = 0, limit_;
  std::uint32_t lost_ = 0;       // of those sent
  std::uint32_t high_ = 0;       // the last that is known to be there, and one
  std::uint64_t news_ns_ = 0;    // of the last GRANT that said any, or part sent for the first time, or probe
  std::uint32_t probes_ = 0;     // since then
  RoundTrip round_trip_;         // of parts and their GRANTs
  std::vector<Flight> flights_;  // by part, from acknowledged_ to sent_
};

}  // namespace mcplane::client
