// What the control thread and a shard say to each other, by value, over one SPSC ring each way.
// Trivially copyable: control never holds a packet buffer, a core never holds control's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/types.h"
#include "net/ring.h"
#include "state/worker_table.h"
#include "wire/datagram.h"
#include "wire/lower_headers.h"
#include "wire/registration.h"

namespace mcplane::state {

inline constexpr std::size_t kMailboxFrameBytes = 1'600;
inline constexpr std::size_t kMailboxSlots = 512;
inline constexpr std::size_t kNeighbourSlots = 128;

// A session as a shard needs to know it.
struct SessionRecord {
  SessionId id;
  wire::Service service = wire::Service::kClient;
  PortId port{};                         // the appliance port it is reached through
  std::uint16_t slot_limit = 0;          // clients: slots 0 .. slot_limit - 1
  std::uint32_t client_slot_base = 0;    // clients: first of them in the shard's client slot table
  WorkerId worker = kNoWorker;           // workers: its line
  std::uint16_t worker_slots = 0;        // workers: tasks it runs at once
  std::uint16_t pto_ms = 50;             // before it has measured its round trip
  NeighbourId neighbour = kNoNeighbour;  // its next hop
  wire::LowerHeaders lower;              // towards the peer, from the owner shard's address and port
  wire::Endpoint peer;
};

// Shard to control.
enum class PuntKind : std::uint8_t {
  kNeighbour,     // ARP, ICMP, neighbour discovery: `bytes` is the whole frame
  kHello,         // a HELLO with a valid cookie: `bytes` is the frame up to the end of its table
  kBye,           // a BYE of `session`
  kSessionEnded,  // the shard has ended every task of `session`; no bytes
  kSubscribe,     // a SUBSCRIBE or UNSUBSCRIBE of `session`: `bytes` is the frame up to the end of its table
};

struct Punt {
  PuntKind kind = PuntKind::kNeighbour;
  PortId port{};
  std::uint16_t length = 0;          // of bytes
  std::uint16_t payload_offset = 0;  // kHello, kSubscribe: where the MCP datagram starts
  std::uint16_t vlan = 0;            // kHello
  SessionId session;                 // kBye, kSessionEnded, kSubscribe
  wire::Endpoint peer;               // kHello, kBye, kSubscribe
  wire::IpAddress local;             // kHello: the address of ours it was sent to
  std::uint16_t local_port = 0;      // kHello: and the UDP port
  std::uint16_t handshake_ms = 0;    // kHello: since its cookie was made
  std::array<std::byte, kMailboxFrameBytes> bytes;

  std::span<const std::byte> frame() const noexcept { return {bytes.data(), length}; }
};

// Control to shard.
enum class CommandKind : std::uint8_t {
  kInstallSession,  // record
  kEndSession,      // record.id: end its tasks, then answer kSessionEnded
  kRefreshWorker,   // record.worker: its line was changed; to one shard
  kSetGate,         // record.worker, gate; to one shard
  kTransmit,        // bytes: a whole frame, checksums valid, out of `port`
  kDrain,           // refuse new tasks with Reason::Draining
  kResume,          // take them again
  kInspect,         // answer the shard's Inspection::question, a piece of it
};

struct Command {
  CommandKind kind = CommandKind::kTransmit;
  PortId port{};
  std::uint16_t length = 0;
  Gate gate;
  SessionRecord record;
  std::array<std::byte, kMailboxFrameBytes> bytes;

  std::span<const std::byte> frame() const noexcept { return {bytes.data(), length}; }
};

// What egress reads of a session besides `lower` shares a cache line at the start of the record.
static_assert(offsetof(SessionRecord, neighbour) + sizeof(NeighbourId) <= kCacheLineBytes);
static_assert(std::is_trivially_copyable_v<Punt> && sizeof(Punt) % 4 == 0);
static_assert(std::is_trivially_copyable_v<Command> && sizeof(Command) % 4 == 0);

// The rings between control and one shard. Neighbour frames have their own: anybody can send them at line rate, and
// what only a peer with a valid cookie or session can cause must not be crowded out.
struct Mailbox {
  static constexpr std::size_t kBytes =
      (kMailboxSlots + kNeighbourSlots) * sizeof(Punt) + kMailboxSlots * sizeof(Command);

  net::SpscRing<Punt> to_control{kMailboxSlots};  // every kind but kNeighbour
  net::SpscRing<Punt> neighbours{kNeighbourSlots};
  net::SpscRing<Command> to_shard{kMailboxSlots};
};

}  // namespace mcplane::state
