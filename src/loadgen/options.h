// What a run of the load generator does: plain values that the command line fills and everything else only reads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "loadgen/chunk.h"
#include "loadgen/pattern.h"
#include "loadgen/schedule.h"
#include "net/dpdk/device.h"
#include "wire/address.h"
#include "wire/datagram.h"
#include "wire/header.h"

namespace mcplane::loadgen {

// IP packet bytes our HELLO proves and our frames keep to; the broker may grant fewer.
inline constexpr std::uint16_t kMtuBytes = 1'500;
// A client's slots in open loop, so that a slow broker shows in the latency before it shows in skipped sends.
inline constexpr std::uint16_t kOpenLoopSlots = 1'024;
// All clients' slots in open loop, where that is fewer: about 120 B each, and its last SEND.
inline constexpr std::uint32_t kOpenLoopSlotsMax = 1U << 20;
// The same where frames are turned round: slots take turns, and those of more packets than caches hold cost both cores.
inline constexpr std::uint32_t kReflectedSlotsMax = 1'024;
// Clients, and workers. Each has a socket, or on a port a UDP port of one of our addresses.
inline constexpr std::uint32_t kSocketsMax = 16'384;
inline constexpr std::uint32_t kEndpointsPerAddress = 60'000;
inline constexpr std::uint32_t kAddressesMax = wire::LocalAddresses::kCapacity;
inline constexpr std::uint32_t kEndpointsMax = kAddressesMax * kEndpointsPerAddress;

// A DPDK port of our own, in place of kernel sockets.
struct PortTransport {
  net::DeviceSpec device;
  wire::Prefix address;                    // more endpoints than it has UDP ports: also those behind it
  std::optional<wire::IpAddress> gateway;  // when the broker is on another network
  unsigned cpu = 0;                        // which is polled wholly
  bool huge_pages = false;
  std::uint32_t memory_mib = 512;
  std::vector<std::string> eal_arguments;
};

// Rates from the first to the last one, each loaded for a while: where does the broker stop keeping up?
struct SweepRange {
  double from_per_second = 0, to_per_second = 0;
};

// Clients beside the others, in open loop too, that are counted apart.
struct Surge {
  std::uint32_t clients = 1;
  double rate_per_second = 0;   // of all of them; 0: there are none
  std::uint64_t after_ns = 0;   // since the start of the run
  std::uint64_t length_ns = 0;  // 0: to its end
};

// The last `count` workers are not as the others.
struct FaultyWorkers {
  enum class Form : std::uint8_t { kFail, kSlow };
  Form form = Form::kFail;  // fail: each task ends at once, with an error
  std::uint32_t count = 0;
  std::uint32_t times = 1;  // slow: as long as the others take
};

// What a run is held to; 0: not asked for.
struct Objectives {
  std::uint64_t p99_max_ns = 0;
  double rate_min_per_second = 0;
};

struct Options {
  wire::Endpoint broker;
  std::optional<PortTransport> port;
  std::string action = "generate";
  std::uint16_t mtu = kMtuBytes;

  // Load. rate_per_second 0: closed loop of `window` tasks a client.
  std::uint32_t clients = 8;
  std::uint16_t window = 16;
  double rate_per_second = 0;
  std::uint64_t ramp_ns = 0;  // before the warm-up; the rate rises to rate_per_second
  double ramp_from_per_second = 0;
  std::optional<SweepRange> sweep;  // rate_per_second is then its last
  Arrivals arrivals = Arrivals::kConstant;
  std::uint64_t warmup_ns = kNsPerSecond;
  std::uint64_t duration_ns = 10 * kNsPerSecond;  // measured part, after the warm-up
  std::uint64_t tasks = 0;  // the run ends once these are sent, if that is sooner; 0: by time alone
  std::uint64_t seed = 1;
  std::uint64_t interval_ns = kNsPerSecond;  // of the time line
  Surge surge;
  bool reflect = false;               // frames are turned round in place of made and read: see reflect_fleet.h
  std::uint32_t check_every = 1'024;  // of its answers, one is held against its bytes

  // Tasks.
  std::uint64_t prompt_bytes = 256;  // of the largest
  PromptSizes prompt_sizes;
  std::uint64_t ttl_ns = 5 * kNsPerSecond;
  bool idempotent = false;
  bool shadow = false;        // tasks and workers are of a load test beside production
  std::uint8_t priority = 1;  // class, 0 the most urgent

  // Events in place of tasks: each client publishes, prompt_bytes an event, and each subscriber has one of the topics.
  bool events = false;
  std::uint32_t subscribers = 8;
  std::uint32_t topics = 1;

  // In-process workers. 0: those that others have registered.
  std::uint32_t workers = 0;
  std::uint16_t worker_slots = 16;
  ServiceTime service_time;
  FaultyWorkers faulty_workers;
  StreamShape stream;  // of their answers; otherwise they echo

  Objectives objectives;

  // "udp", or the port as typed.
  std::string transport() const { return port ? net::to_string(port->device) : "udp"; }
  RateProfile profile() const noexcept { return {rate_per_second, ramp_from_per_second, ramp_ns}; }
  std::uint32_t surge_clients() const noexcept { return surge.rate_per_second > 0 ? surge.clients : 0; }
  std::size_t endpoints() const noexcept {
    return std::size_t{clients} + (events ? subscribers : surge_clients() + workers);
  }
  bool open_loop() const noexcept { return rate_per_second > 0; }
  bool streams() const noexcept { return stream.chunks > 0; }
  std::uint16_t client_slots() const noexcept {
    if (!open_loop()) return window;
    const std::uint32_t most = reflect ? kReflectedSlotsMax : kOpenLoopSlotsMax;
    return static_cast<std::uint16_t>(std::clamp(most / clients, 16U, kOpenLoopSlots + 0U));
  }
};

// What the surge's clients do; their run begins surge.after_ns behind the others', and measures when they do.
Options surge_options(const Options& options);

// UDP payload of the largest SEND.
std::uint64_t send_bytes(const Options& options);
// Largest prompt of all; the rest of what a task may be is around it.
inline constexpr std::uint64_t kPromptBytesMost = wire::kMessageBytesMax - 2 * wire::kTableBytesMax;
// Largest prompt whose SEND, or payload whose EVENT, fits one IP packet of packet_bytes to this broker.
std::uint64_t prompt_bytes_max(const Options& options, std::uint16_t packet_bytes);

// Largest chunk of a stream that fits one IP packet of packet_bytes from this broker.
std::uint64_t chunk_bytes_max(const Options& options, std::uint16_t packet_bytes);

// Our addresses on the port, as many as the endpoints need: the first and those that follow it.
std::vector<wire::Prefix> port_addresses(const Options& options);

// What only shows when options are seen together; each alone is in range. Empty: fine; else one line that says what to
// type instead.
std::string conflict_in(const Options& options);

}  // namespace mcplane::loadgen
