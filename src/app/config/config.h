// What the appliance runs with: every flag of `mcplane`, with its default, and what its configuration file adds.
// parse_appliance_config() validates all of it before anything starts, so its consumer checks nothing again. Main
// thread; plain values afterwards.
//
// config_flags: the flags, which are the file's restart keys.  config_keys: its hot keys.  config_file: its text.
// config_rules: its contradictions.  config_source: flag, environment, file and default become one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/command_line/admin_socket.h"
#include "app/command_line/cli.h"
#include "app/config/idle.h"
#include "app/telemetry/logging.h"
#include "base/types.h"
#include "control/config/history.h"
#include "net/dpdk/device.h"
#include "net/faults.h"
#include "wire/address.h"

namespace mcplane::app {

// A --port and what is typed behind it.
struct PortConfig {
  net::DeviceSpec device;
  std::vector<wire::Prefix> ips;          // 1 to kIpsMax; no address of the appliance twice
  std::vector<wire::IpAddress> gateways;  // at most one a family, within one of ips
  wire::MacAddress mac{};                 // --mac, or made from the first address
};

// Of the page and whoever asks over TCP.
inline constexpr wire::Endpoint kHttpStandard{wire::IpAddress::v4({127, 0, 0, 1}), 4'880};

struct ApplianceConfig {
  // Network.
  std::vector<PortConfig> ports;          // 1 to kPortsMax, in PortId order
  std::vector<unsigned> cores;            // CPU of each dataplane core, in shard order; a CPU may serve several
  std::uint16_t shards = 0;               // as typed; cores holds that many once parsed
  std::vector<wire::IpAddress> gateways;  // as typed; each is in its port's once parsed
  std::uint16_t base_port = 4'800;        // UDP port of shard 0
  std::uint16_t mtu = 1'500;              // IP packet bytes

  // Frames and buffers.
  static constexpr std::uint16_t kRxBurstAtEase = 2;  // frames at once while a core keeps up
  std::uint16_t rx_burst = 32;                        // frames at once under pressure
  std::uint16_t rx_descriptors = 1'024;
  std::uint16_t tx_descriptors = 1'024;
  std::uint32_t pool_buffers = 0;  // as typed, 0: not; once parsed, at least what cores, ports and tables need

  // Table sizes.
  std::uint32_t max_tasks = 65'536;
  std::uint32_t max_queued = 8'192;
  std::uint32_t max_sessions = 4'096;
  std::uint32_t max_clients = 1'024;
  std::uint16_t client_slots = 1'024;
  std::uint32_t max_workers = 1'024;
  std::uint32_t max_routes = 1'024;
  std::uint32_t look_ahead_max = 8;
  std::uint64_t cache_bytes = 64ULL << 20;  // of answers that may stand in, each core

  // Times.
  std::uint64_t heartbeat_interval_ns = 100 * kNsPerMs;
  std::uint64_t client_heartbeat_interval_ns = kNsPerSecond;
  std::uint64_t max_ack_delay_ns = kNsPerMs;
  std::uint64_t retry_after_ns = 50 * kNsPerMs;

  // Process.
  std::string admin_path{kAdminSocket};
  std::optional<wire::Endpoint> http = kHttpStandard;  // none: not listened
  bool http_typed = false;                             // so it must be had
  std::string dump_path;                               // of SIGQUIT; "": stderr
  std::uint64_t drain_timeout_ns = 2 * kNsPerSecond;   // of SIGTERM
  bool hugepages = false;                              // false: EAL's --no-huge
  bool share_events = false;                           // on ports that send faster without, too
  std::uint64_t memory_bytes = 0;                      // as typed, 0: not; once parsed, whole MiB that hold the buffers
  LogOptions log{};
  std::string audit_path{};     // --audit-log; "": nobody writes changes down
  std::string otlp_endpoint{};  // --otlp-endpoint; "": none
  std::string trace_path{};     // --trace-file; "": none
  IdleMode idle = IdleMode::kPoll;
  std::optional<net::Faults> faults;       // --faults, for tests; none: the queues as they are
  std::vector<std::string> eal_arguments;  // what follows `--`

  // Configuration file.
  std::string config_path;             // --config; "": none
  bool check = false;                  // --check
  bool help = false;                   // --help-config
  bool demo = false;                   // --demo
  std::vector<std::string> arguments;  // the command line before `--`, for reading the file again
  control::ConfigDocument document;    // the file's text, what holds by it, and where each value is from

  // Devices of this process that are not the appliance's: those of --demo's agents.
  std::vector<net::DeviceSpec> guests;

  bool traces() const noexcept { return !otlp_endpoint.empty() || !trace_path.empty(); }
  std::uint32_t memory_mib() const noexcept { return static_cast<std::uint32_t>(memory_bytes >> 20); }
};

inline constexpr std::size_t kIpsMax = 8;  // of one port
inline constexpr std::size_t kPortsMax = 16;
inline constexpr std::uint64_t kShardsMax = 64;
inline constexpr std::uint64_t kPoolBuffersMax = 16'777'215;
// Packet buffers a core keeps for control frames, REJECTs, the bursts in hand and its cache of free ones.
inline constexpr std::uint32_t kBufferReserve = 1'280;
// Over all clients, on each core: two gibibytes of dataplane::ClientSlot.
inline constexpr std::uint64_t kClientSlotBytes = 32;
inline constexpr std::uint64_t kClientSlotBytesMax = 2ULL << 30;

// Exactly one of the two is meaningful: `stop` set means print it and leave.
struct ApplianceCommand {
  std::optional<Stop> stop;
  ApplianceConfig config;
};

// argv as main() gets it. Reads the environment (MCPLANE_*), the file, the machine's CPUs and its devices.
ApplianceCommand parse_appliance_config(int argc, const char* const* argv);

// Fills what was not typed and follows from what was. Returns one line when flags contradict each other.
std::string settle(ApplianceConfig& config);

// What only shows when flags are seen together; each flag alone is in range. Empty: fine; else one line.
std::string conflict_in(const ApplianceConfig& config);

}  // namespace mcplane::app
