// What a bad network does to frames, as plain values, and the dice that decide it: a testing aid that FaultyNic throws
// for every frame of a queue. A seed gives the same fates in the same order of frames. Any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/random.h"

namespace mcplane::net {

// Probabilities of each frame, each way, 0 to 1.
struct Faults {
  double loss = 0;
  double duplicate = 0;  // the copy comes late
  double reorder = 0;    // the frame itself comes late
  double corrupt = 0;    // of each copy; only UDP frames that carry a checksum
  std::uint64_t seed = 1;
  std::uint32_t withheld = 0;  // buffers that each queue takes from the pool and keeps

  friend bool operator==(const Faults&, const Faults&) = default;
};

// Frames of one direction, and what was done to them.
struct FaultCounts {
  std::uint64_t frames = 0;  // that came, copies not among them
  std::uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0;

  FaultCounts& operator+=(const FaultCounts& other) noexcept;
};

struct Fate {
  bool lost = false, duplicated = false, late = false, corrupted = false;

  bool untouched() const noexcept { return !lost && !duplicated && !late && !corrupted; }
};

// Polls until a late frame or copy is let go: the others overtake it meanwhile.
inline constexpr std::uint32_t kLatePollsMax = 1'024;

// Of bits: what an Internet checksum always finds, unless it hits the checksum itself.
inline constexpr std::uint32_t kBurstBits = 15;
// Flips bits within one random burst. `bytes` has at least kBurstBits.
void flip_burst(std::span<std::byte> bytes, Random& random) noexcept;

class Dice {
 public:
  Dice(const Faults& faults, std::uint64_t stream) noexcept : faults_(faults), random_(faults.seed + stream) {}

  Fate fate() noexcept;
  bool corrupts() noexcept { return random_.unit() < faults_.corrupt; }
  std::uint32_t polls_late() noexcept { return 1 + random_.below(kLatePollsMax); }
  // Flips one burst of the UDP payload's bits. False, and nothing is changed, when the frame is not UDP or carries no
  // checksum.
  bool corrupt(std::span<std::byte> frame) noexcept;

 private:
  Faults faults_;
  Random random_;
};

}  // namespace mcplane::net
