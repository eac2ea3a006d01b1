// Which ports are up, and how often we have yet to say who we are on each: neighbours that knew an earlier holder of
// our addresses, and switches that learned another way to us, hear it when we start and when a link comes back. Control
// thread; time is an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/types.h"

namespace mcplane::control {

class Links {
 public:
  static constexpr std::uint64_t kPollIntervalNs = 10 * kNsPerMs;
  static constexpr std::uint64_t kAnnounceIntervalNs = kNsPerSecond;
  static constexpr std::uint32_t kAnnouncements = 3;  // one may be lost, or meet a switch that does not forward yet

  explicit Links(std::size_t ports) : ports_(ports) {}

  // Once a poll. is_up may be empty: then every link always is. changed(port) is called for each that went up or down,
  // and at first for those that are down.
  void poll(std::uint64_t now_ns, const std::function<bool(PortId)>& is_up, const std::function<void(PortId)>& changed);
  // Whether to announce our addresses there now; says so once for each time that is due.
  bool take_announcement(PortId port, std::uint64_t now_ns) noexcept;

  bool up(PortId port) const noexcept { return ports_[raw(port)].up; }
  bool all_up() const noexcept;

 private:
  struct Port {
    bool up = true;
    std::uint32_t announcements = kAnnouncements;  // still to be made
    std::uint64_t announce_ns = 0;
  };

  std::vector<Port> ports_;
  std::uint64_t next_poll_ns_ = 0;
};

}  // namespace mcplane::control
