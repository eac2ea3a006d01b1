// Where next hops are: one word an entry, read by every core as it sends and written by control as neighbours are
// heard. A session names its entry by index, so a neighbour that moves costs one store, however many sessions go
// through it. Port and VLAN belong to an entry's identity and never change; control gives an index to another next hop
// only when every shard has let go of the sessions that named it.
//
// Cost: one load a frame, of a line that is shared by eight next hops and hardly ever written.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "wire/address.h"

namespace mcplane::state {

// Entries of the table beyond one a session: gateways are known before anybody needs them.
inline constexpr std::uint32_t kGatewaysMax = 64;

class NeighbourTable {
 public:
  static constexpr std::size_t kEntryBytes = sizeof(std::atomic<std::uint64_t>);

  // Indices 1 to `capacity`; 0 is kNoNeighbour's.
  explicit NeighbourTable(std::uint32_t capacity)
      : words_(new std::atomic<std::uint64_t>[capacity + 1]()), capacity_(capacity) {}

  // Cores. Writes the MAC over the first 6 bytes of `frame`, if it is known.
  // Relaxed: the word is all there is, nothing is published through it. That it is set before a session is sent to
  // comes from the mailbox that the session's install came by.
  void write_mac(NeighbourId id, std::byte* frame) const noexcept {
    const std::uint64_t word = at(id).load(std::memory_order_relaxed);
    if (word == 0) return;
    // From the register that it is in: six bytes of it at once would go through memory.
    const auto first = static_cast<std::uint32_t>(word);
    const auto last = static_cast<std::uint16_t>(word >> 32);
    static_assert(sizeof first + sizeof last == sizeof(wire::MacAddress));
    std::memcpy(frame, &first, sizeof first);
    std::memcpy(frame + sizeof first, &last, sizeof last);
  }

  void prefetch(NeighbourId id) const noexcept { prefetch_to_read(&at(id)); }

  // Control. `mac` is not all zero. Relaxed stores pair with the relaxed load in write_mac(): a core may send a few
  // more frames to where the neighbour was.
  void set(NeighbourId id, const wire::MacAddress& mac) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, mac.data(), mac.size());
    DCHECK(id != kNoNeighbour && word != 0);
    at(id).store(word, std::memory_order_relaxed);
  }
  void clear(NeighbourId id) noexcept { at(id).store(0, std::memory_order_relaxed); }

  std::optional<wire::MacAddress> find(NeighbourId id) const noexcept {
    const std::uint64_t word = at(id).load(std::memory_order_relaxed);
    if (word == 0) return std::nullopt;
    wire::MacAddress mac;
    std::memcpy(mac.data(), &word, mac.size());
    return mac;
  }
  std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::atomic<std::uint64_t>& at(NeighbourId id) const noexcept {
    DCHECK(raw(id) <= capacity_);
    return words_[raw(id)];
  }

  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;  // Written by: control. The MAC's bytes first, then 0.
  std::uint32_t capacity_;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::endian::native == std::endian::little, "the first bytes of a word are its low ones");

}  // namespace mcplane::state
