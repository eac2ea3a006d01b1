// Reading a link's state may cost a system call, so it is read far less often than control polls.
#include "control/peers/links.h"

#include <algorithm>

namespace mcplane::control {

void Links::poll(std::uint64_t now_ns, const std::function<bool(PortId)>& is_up,
                 const std::function<void(PortId)>& changed) {
  if (now_ns < next_poll_ns_ || !is_up) return;
  next_poll_ns_ = now_ns + kPollIntervalNs;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const PortId id{static_cast<std::uint8_t>(i)};
    Port& port = ports_[i];
    const bool up = is_up(id);
    if (up == port.up) continue;
    port.up = up;
    port.announcements = kAnnouncements;
    port.announce_ns = now_ns;
    changed(id);
  }
}

bool Links::take_announcement(PortId id, std::uint64_t now_ns) noexcept {
  Port& port = ports_[raw(id)];
  if (!port.up || port.announcements == 0 || now_ns < port.announce_ns) return false;
  --port.announcements;
  port.announce_ns = now_ns + kAnnounceIntervalNs;
  return true;
}

bool Links::all_up() const noexcept {
  return std::ranges::all_of(ports_, [](const Port& port) { return port.up; });
}

}  // namespace mcplane::control
