// DPDK's packet buffers, ports, and the Nic over one queue pair of a port.
// Pool and ports are made and ended on the main thread, the pool outliving the ports; each DpdkNic belongs to one
// lcore.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "net/dpdk/device.h"
#include "net/nic.h"
#include "net/upcoming.h"
#include "wire/address.h"

struct rte_mbuf;

namespace mcplane::net {

struct PoolOptions {
  std::uint32_t buffers = 16'383;
  std::uint16_t mtu = 1500;              // IP packet bytes; a frame is always one buffer
  const char* name = "mcplane_buffers";  // DPDK's, each once
};

// The one pool that every port receives into, so that a frame may leave through any port and be freed by any core.
class DpdkPool {
 public:
  // Throws std::runtime_error with one clear line.
  explicit DpdkPool(const PoolOptions& options);
  ~DpdkPool();
  DpdkPool(const DpdkPool&) = delete;
  DpdkPool& operator=(const DpdkPool&) = delete;

  std::uint32_t buffers_total() const noexcept;
  std::uint32_t buffers_free() const noexcept;  // counts the cores' caches too; control thread

 private:
  friend class DpdkPort;
  void* pool_;  // rte_mempool
};

// Whether frames may leave in two buffers, of which the second is shared. A driver that is promised that none is may
// send faster.
enum class Sharing : std::uint8_t { kNever, kUnlessSlower, kWherePossible };

struct PortOptions {
  std::string name{};  // as the user knows it
  std::string device;  // DPDK name: "net_tap0"
  PortId id{};
  std::uint16_t queues = 1;
  std::uint16_t rx_descriptors = 1024;
  std::uint16_t tx_descriptors = 1024;
  std::uint16_t mtu = 1500;       // IP packet bytes
  bool verify_checksums = false;  // let the device do it, if it can
  bool rings_for_frames = false;  // the driver reads only after a signal that a frame has come
  bool interrupts = false;        // for RxWait
  bool shares_rings = false;      // of the vhost driver: its guest can be served directly
  Sharing sharing = Sharing::kNever;
};

// What a device's description says of its port; descriptors are the caller's.
PortOptions port_options(const DeviceSpec& device, std::uint8_t index);

struct PortStatistics {
  std::uint64_t rx_frames = 0, tx_frames = 0, rx_missed = 0, rx_errors = 0, tx_errors = 0, rx_no_buffer = 0;
};

class VhostGuest;

class DpdkPort {
 public:
  // Throws std::runtime_error with one clear line.
  DpdkPort(const PortOptions& options, DpdkPool& pool);
  ~DpdkPort();
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;

  const std::string& name() const noexcept { return options_.name; }
  PortId id() const noexcept { return options_.id; }
  wire::MacAddress mac() const noexcept;
  bool link_up() const noexcept;               // control thread
  PortStatistics statistics() const noexcept;  // control thread
  // Has a receiver that ran out of buffers look again; it may wait for a signal that never comes. Control thread, now
  // and then.
  void revive() noexcept;
  std::uint16_t queues() const noexcept { return options_.queues; }
  // The device verifies UDP checksums of what it receives.
  bool verifies_checksums() const noexcept { return offloads_.verifies_checksums; }
  // A frame may leave in two buffers (Packet::tail).
  bool sends_tails() const noexcept { return offloads_.sends_tails; }

  struct Offloads {
    bool verifies_checksums = false, sends_tails = false;
  };

 private:
  friend class DpdkNic;
  friend class RxWait;
  PortOptions options_;
  std::uint16_t dpdk_id_ = 0;
  Offloads offloads_;
  std::unique_ptr<VhostGuest> guest_;  // of the vhost driver, else null
  std::uint64_t starved_ = 0;          // frames without a buffer, when revive() last looked
  void* pool_;                         // rte_mempool
};

// One queue pair. Satisfies net::Nic; one lcore uses it.
class DpdkNic {
 public:
  DpdkNic(DpdkPort& port, std::uint16_t queue) noexcept;

  std::uint16_t rx_burst(std::span<Packet> packets) noexcept;
  std::uint16_t tx_burst(std::span<Packet> packets) noexcept;
  bool allocate(std::span<Packet> packets) noexcept;
  void free(std::span<Packet> packets) noexcept;
  void share(const Packet& packet, std::uint16_t times) noexcept;
  void peek(std::uint16_t frames, Upcoming& upcoming) noexcept;
  static std::span<const std::byte> tail_of(const Packet& packet) noexcept;

 private:
  std::uint16_t receive(std::span<rte_mbuf*> frames) noexcept;
  std::uint16_t send(std::span<rte_mbuf*> frames) noexcept;

  std::uint16_t dpdk_id_;
  std::uint16_t queue_;
  PortId id_;
  VhostGuest* guest_;
  void* pool_;
};

static_assert(Nic<DpdkNic> && Peeking<DpdkNic>);

}  // namespace mcplane::net
