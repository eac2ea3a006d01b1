// The wire between peers and the appliance: what becomes of each frame, drawn from one options struct. A frame comes
// out no, one or two times, each time later and perhaps damaged by one burst of at most 15 bits, which a checksum
// always catches. Time only ever passes as an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "host.h"
#include "options.h"

namespace mcplane::sim {

enum class Direction : std::uint8_t { kToBroker, kToPeer };

class Network {
 public:
  struct Copy {
    std::uint64_t at_ns = 0;
    bool corrupted = false;
  };

  Network(const Faults& faults, std::size_t peers, Random random)
      : faults_(faults), paths_(2 * peers), random_(random) {}

  // When a frame of that peer arrives, and how often: at most twice.
  std::span<const Copy> transmit(std::uint64_t now_ns, std::size_t peer, Direction direction);
  // Damages a copy from its IP header on: Ethernet's check sequence, which holds what lies before, is not simulated.
  void corrupt(std::span<std::byte> frame, const Peek& peek);

  void clog(std::size_t peer, Direction direction, std::uint64_t until_ns) {
    path(peer, direction).clogged_ns = until_ns;
  }
  void partition(std::size_t peer, Direction direction, std::uint64_t until_ns) {
    path(peer, direction).cut_ns = until_ns;
  }
  // No faults, until spoil(); frames that are under way stay so.
  void heal();
  void spoil(const Faults& faults) { faults_ = faults; }
  // When the last frame that is under way arrives.
  std::uint64_t latest_ns() const noexcept { return latest_ns_; }

 private:
  struct Path {
    std::uint64_t clogged_ns = 0, cut_ns = 0;  // until then
  };
  Path& path(std::size_t peer, Direction direction) { return paths_[2 * peer + static_cast<std::size_t>(direction)]; }
  Copy copy(std::uint64_t now_ns, const Path& path, bool late);

  Faults faults_;
  std::vector<Path> paths_;
  std::vector<Copy> copies_;
  Random random_;
  std::uint64_t latest_ns_ = 0;
};

}  // namespace mcplane::sim
