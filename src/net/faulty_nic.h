// A NIC queue behind a bad network: wraps another and loses, repeats, delays and damages frames both ways, as seeded
// dice say. A testing aid: `mcplane --faults`, and tests over any Nic. One thread. It has no clock: late frames wait
// for a number of polls, in both directions, so that they leave although nobody sends. Nothing allocates after
// construction; a lost frame's buffer goes back through the wrapped NIC, a copy's comes from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "net/faults.h"
#include "net/nic.h"

namespace mcplane::net {

template <Nic Wrapped>
class FaultyNic {
 public:
  // stream: another one for each queue, or all would meet the same fates.
  template <class... Arguments>
  FaultyNic(const Faults& faults, std::uint32_t stream, Arguments&&... of_wrapped)
      : nic_(std::forward<Arguments>(of_wrapped)...),
        receiving_(faults, 2 * std::uint64_t{stream}),
        sending_(faults, 2 * std::uint64_t{stream} + 1),
        withheld_(faults.withheld) {
    if (!withheld_.empty() && !nic_.allocate(withheld_)) withheld_.clear();
  }
  ~FaultyNic() {
    free_late(receiving_);
    free_late(sending_);
    nic_.free(withheld_);
  }
  FaultyNic(const FaultyNic&) = delete;
  FaultyNic& operator=(const FaultyNic&) = delete;

  std::uint16_t rx_burst(std::span<Packet> packets) noexcept {
    const std::size_t late = take_due(receiving_, packets);
    const auto received = packets.subspan(late, nic_.rx_burst(packets.subspan(late)));
    std::size_t kept = late;
    for (Packet& packet : received)
      if (keep_received(packet)) packets[kept++] = std::move(packet);
    send_due();
    return static_cast<std::uint16_t>(kept);
  }

  // Runs of untouched frames go out as they are; what the wrapped NIC refuses stays the caller's, to be thrown for
  // again.
  std::uint16_t tx_burst(std::span<Packet> packets) noexcept {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Fate fate = sending_.dice.fate();
      if (fate.untouched()) continue;
      taken += pass(packets.subspan(taken, i - taken));
      if (taken < i) return static_cast<std::uint16_t>(taken);
      suffer(packets[i], fate);
      taken = i + 1;
    }
    return static_cast<std::uint16_t>(taken + pass(packets.subspan(taken)));
  }

  bool allocate(std::span<Packet> packets) noexcept { return nic_.allocate(packets); }
  void free(std::span<Packet> packets) noexcept { nic_.free(packets); }
  void share(const Packet& packet, std::uint16_t times) noexcept { nic_.share(packet, times); }
  static std::span<const std::byte> tail_of(const Packet& packet) noexcept { return Wrapped::tail_of(packet); }

  Wrapped& wrapped() noexcept { return nic_; }
  const FaultCounts& received() const noexcept { return receiving_.counts; }
  const FaultCounts& sent() const noexcept { return sending_.counts; }
  std::size_t withheld() const noexcept { return withheld_.size(); }

 private:
  static constexpr std::size_t kLateMax = 64;  // of a direction; beyond it frames come in order and copies not at all

  struct Late {
    Packet packet;
    std::uint32_t polls = 0;
  };
  struct Way {
    Way(const Faults& faults, std::uint64_t stream) noexcept : dice(faults, stream) {}

    Dice dice;
    FaultCounts counts;
    std::array<Late, kLateMax> late;
    std::size_t late_count = 0;
  };

  // Whether the caller gets the frame now.
  bool keep_received(Packet& packet) noexcept {
    ++receiving_.counts.frames;
    const Fate fate = receiving_.dice.fate();
    if (fate.untouched()) return true;
    if (fate.lost) {
      ++receiving_.counts.lost;
      nic_.free({&packet, 1});
      return false;
    }
    if (fate.duplicated) duplicate(receiving_, packet);
    if (fate.corrupted) corrupt(receiving_, packet);
    return !(fate.late && reorder(receiving_, packet));
  }

  // Takes a frame to be sent, in whatever way its fate says.
  void suffer(Packet& packet, const Fate& fate) noexcept {
    ++sending_.counts.frames;
    if (fate.lost) {
      ++sending_.counts.lost;
      return nic_.free({&packet, 1});
    }
    if (fate.duplicated) duplicate(sending_, packet);
    if (fate.corrupted) corrupt(sending_, packet);
    if (fate.late && reorder(sending_, packet)) return;
    // Thrown for once: a full queue loses it.
    if (nic_.tx_burst({&packet, 1}) == 0) nic_.free({&packet, 1});
  }

  std::size_t pass(std::span<Packet> packets) noexcept {
    const std::size_t taken = packets.empty() ? 0 : nic_.tx_burst(packets);
    sending_.counts.frames += taken;
    return taken;
  }

  void duplicate(Way& way, const Packet& packet) noexcept {
    Packet copy;
    if (way.late_count == kLateMax || packet.chained() || !nic_.allocate({&copy, 1})) return;
    // At the original's offset, so that it fits: buffers of a pool are of one size.
    copy = Packet(copy.data() - copy.headroom() + packet.headroom(), copy.buffer(), packet.frame_length(),
                  packet.headroom(), packet.port());
    std::memcpy(copy.data(), packet.data(), packet.length());
    std::ranges::copy(tail_of(packet), copy.data() + packet.length());
    if (way.dice.corrupts()) corrupt(way, copy);
    delay(way, copy);
    ++way.counts.duplicated;
  }

  void corrupt(Way& way, Packet& packet) noexcept {
    if (packet.chained() || !way.dice.corrupt(packet.bytes())) return;
    ++way.counts.corrupted;
    packet.forget_checksum();
  }

  bool reorder(Way& way, Packet& packet) noexcept {
    if (way.late_count == kLateMax) return false;
    delay(way, packet);
    ++way.counts.reordered;
    return true;
  }

  void delay(Way& way, Packet& packet) noexcept {
    way.late[way.late_count++] = {std::move(packet), way.dice.polls_late()};
  }

  // Once a poll: moves the late frames whose time has come to the front of the span, as many as it holds.
  std::size_t take_due(Way& way, std::span<Packet> packets) noexcept {
    std::size_t taken = 0, kept = 0;
    for (std::size_t i = 0; i < way.late_count; ++i) {
      Late& late = way.late[i];
      if (late.polls > 1 || taken == packets.size()) {
        late.polls -= late.polls > 1 ? 1 : 0;
        if (kept != i) way.late[kept] = std::move(late);
        ++kept;
      } else {
        packets[taken++] = std::move(late.packet);
      }
    }
    way.late_count = kept;
    return taken;
  }

  void send_due() noexcept {
    if (sending_.late_count == 0) return;
    std::array<Packet, kLateMax> due;
    const auto packets = std::span(due).first(take_due(sending_, due));
    if (packets.empty()) return;
    const std::size_t taken = nic_.tx_burst(packets);
    nic_.free(packets.subspan(taken));
  }

  void free_late(Way& way) noexcept {
    for (Late& late : std::span(way.late).first(way.late_count)) nic_.free({&late.packet, 1});
  }

  Wrapped nic_;
  Way receiving_, sending_;
  std::vector<Packet> withheld_;
};

}  // namespace mcplane::net
