// Which parts of a message have come, and when its sender is told (schemas/README.md, Messages in parts). Knows
// numbers, not bytes; time is an argument. Counts parts from the message's first; on the wire 16 bits of that count.
// One thread.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "wire/header.h"

namespace mcplane::client {

class PartReceiver {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint32_t kWindow = 64;  // parts granted beyond the next, at most

  // The first `unscheduled` parts come without a GRANT; until open() no more are granted.
  explicit PartReceiver(std::uint32_t unscheduled = 1) : limit_(unscheduled) {}

  enum class Arrival : std::uint8_t { kNew, kAgain, kBeyond };  // kBeyond: never granted
  struct Part {
    Arrival arrival{};
    std::uint32_t number = 0;
  };
  // A part that has come, its number as on the wire.
  Part on_part(std::uint16_t number, std::uint64_t now_ns) noexcept;

  std::uint32_t next() const noexcept { return next_; }  // all before it are here
  // From now on so many parts are granted beyond the next, 4 to kWindow, by the next GRANT.
  void open(std::uint32_t window = kWindow) noexcept { window_ = window; }
  bool is_open() const noexcept { return window_ != 0; }
  // When a GRANT is due, kNever: none is. 0: at once.
  std::uint64_t due_ns(std::uint64_t delay_ns) const noexcept;
  // A GRANT is due at once.
  void tell() noexcept { due_now_ = true; }
  // Room that write_grant() needs, and what it writes: the GRANT's next, limit and bitmap, behind a lead that was
  // begun. Returns the datagram's length.
  static constexpr std::size_t kGrantBytesMax = wire::kLeadBytes + kWindow / 8;
  std::size_t write_grant(std::span<std::byte> datagram) noexcept;

 private:
  bool has(std::uint32_t part) const noexcept { return here_[part % kWindow]; }

  std::uint32_t next_ = 0, high_ = 0, limit_;  // high_: the last that has come, and one
  std::uint32_t told_ = 0;                     // next_, as the last GRANT said
  std::uint64_t since_ns_ = kNever;            // the first that came since the last GRANT
  std::uint32_t window_ = 0;                   // 0: not open
  bool due_now_ = false;
  std::bitset<kWindow> here_;  // by part, from next_ to high_
};

}  // namespace mcplane::client
