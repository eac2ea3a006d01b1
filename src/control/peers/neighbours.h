// Next hops and their MACs: who is asked for, when, and what the answers change. Owner of state::NeighbourTable.
// An entry is (port, VLAN, address) and lives as long as a session goes through it, a gateway for good. Only a
// validated HELLO makes one: strangers' ARP and neighbour discovery leave nothing behind.
// Rules of RFC 826 and RFC 4861 7.2.5 and 7.3. Control thread; time is an argument, frames are made by others.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/siphash.h"
#include "control/peers/links.h"
#include "state/neighbour_table.h"
#include "wire/neighbour.h"

namespace mcplane::control {

// By PortId; at most one a family and port.
using Gateways = std::vector<std::vector<wire::IpAddress>>;

class Neighbours {
 public:
  static constexpr std::uint64_t kReachableNs = 30 * kNsPerSecond;
  static constexpr std::uint64_t kAskIntervalNs = kNsPerSecond;
  static constexpr std::uint64_t kSlowAskIntervalNs = 10 * kNsPerSecond;  // of who does not answer
  static constexpr std::uint32_t kAsksDirectly = 2;                       // to the known MAC, before everyone is asked
  static constexpr std::uint32_t kAsksMax = 5;
  // Over all neighbours: a table full of them must not flood the links.
  static constexpr std::uint64_t kAskSpacingNs = kNsPerMs;
  static constexpr std::uint32_t kAskBurst = 32;
  static constexpr std::size_t kVisitsPerPoll = 256;

  //                 answer                  30 s
  //   incomplete ───────────▶ reachable ───────────▶ refreshing    Any state asked for: a MAC learned otherwise
  //       │                     ▲   ▲      answer      │           (a HELLO's, or news nobody asked for) is used
  //       │ 3 asks              │   └──────────────────┤           at once and confirmed by refreshing.
  //       ▼        answer       │                      │ 5 asks
  //     failed ─────────────────┘                      │           failed keeps its last MAC and asks on, slowly.
  //       ▲                                            │
  //       └────────────────────────────────────────────┘
  // learned: off the subnet where no gateway is given; its HELLOs alone say where it is, and nobody can be asked.
  enum class State : std::uint8_t { kFree, kIncomplete, kReachable, kRefreshing, kFailed, kLearned };

  struct Ask {
    PortId port{};
    wire::Question question;
  };

  // `table` and `ports` outlive it. Every session of the table's capacity has room for its next hop.
  Neighbours(state::NeighbourTable& table, const std::vector<wire::LocalAddresses>& ports, const Gateways& gateways,
             Random& random);

  // The next hop towards a peer whose HELLO was validated, `seen` being its source MAC: at once known, and asked for.
  // Each take() needs a release(), when no shard sends through it any more.
  NeighbourId take(PortId port, std::uint16_t vlan, const wire::IpAddress& peer, const wire::MacAddress& seen,
                   std::uint64_t now_ns);
  void release(NeighbourId id);
  // Another validated HELLO through it.
  void on_hello(NeighbourId id, const wire::MacAddress& seen, std::uint64_t now_ns);
  // What somebody on the link says of himself.
  void on_claim(PortId port, const wire::NeighbourClaim& claim, std::uint64_t now_ns);
  // Whom to ask now, on links that are up: at most kVisitsPerPoll are looked at. Good until the next call.
  std::span<const Ask> due(std::uint64_t now_ns, const Links& links);

  std::optional<wire::MacAddress> mac(NeighbourId id) const noexcept { return table_.find(id); }
  State state(NeighbourId id) const noexcept { return entries_[raw(id)].state; }
  std::size_t count(PortId port) const noexcept { return on_port_[raw(port)]; }

 private:
  struct Key {
    wire::IpAddress ip;
    PortId port{};
    std::uint16_t vlan = wire::kNoVlan;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    SipKey key;
    std::size_t operator()(const Key& of) const noexcept;
  };
  struct Entry {
    Key key;
    State state = State::kFree;
    bool gateway = false;
    bool proven = false;  // its MAC is its own word, and it has not fallen silent since
    wire::MacAddress mac{};
    wire::IpAddress source;  // of ours, to ask from
    std::uint32_t users = 0;
    std::uint32_t asks = 0;  // since it last answered
    std::uint64_t asked_ns = 0, due_ns = 0;
    std::uint32_t live_position = 0;
  };
  // How to reach a peer: the next hop's address, and whether it can be asked for.
  struct Hop {
    wire::IpAddress ip;
    bool gateway = false, asked = true;
  };

  Hop hop_to(PortId port, const wire::IpAddress& peer) const noexcept;
  const wire::IpAddress* source_for(PortId port, const wire::IpAddress& target) const noexcept;
  NeighbourId find_or_add(const Key& key, const Hop& hop, std::uint64_t now_ns);
  Entry& at(NeighbourId id) noexcept { return entries_[raw(id)]; }
  void set_mac(NeighbourId id, const wire::MacAddress& mac);
  static void refresh(Entry& entry, std::uint32_t asks, std::uint64_t now_ns) noexcept;
  bool try_spend_ask(std::uint64_t now_ns) noexcept;
  void step(Entry& entry, std::uint64_t now_ns);

  state::NeighbourTable& table_;
  const std::vector<wire::LocalAddresses>& ports_;
  Gateways gateways_;
  std::vector<Entry> entries_;  // by NeighbourId
  std::deque<std::uint32_t> free_;
  std::vector<std::uint32_t> live_;
  std::vector<std::size_t> on_port_;
  std::unordered_map<Key, std::uint32_t, KeyHash> by_key_;
  std::size_t cursor_ = 0;      // in live_
  std::uint64_t spent_ns_ = 0;  // asks are paid for up to here
  std::vector<Ask> asks_;
};

}  // namespace mcplane::control
