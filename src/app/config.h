// What the appliance runs with: every flag of `mcplane`, with its default. parse_appliance_config() validates all of
// it before anything starts, so its consumer checks nothing again. Main thread; plain values afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli.h"
#include "base/types.h"
#include "wire/address.h"

namespace mcplane::app {

enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };

struct ApplianceConfig {
  // Network.
  std::string tap_name;             // --port tap:NAME; 1-15 bytes of [A-Za-z0-9_.-]
  std::vector<unsigned> cores;      // CPU of each dataplane core, in shard order; exactly one in this release
  std::vector<wire::Prefix> ips;    // 1 to kIpsMax, no address twice
  std::uint16_t base_port = 4'800;  // UDP port of shard 0
  std::uint16_t mtu = 1'500;        // IP packet bytes
  wire::MacAddress mac{};           // --mac, or made from the first address

  // Frames and buffers.
  std::uint16_t rx_burst = 32;
  std::uint16_t rx_descriptors = 1'024;
  std::uint16_t tx_descriptors = 1'024;
  std::uint32_t pool_buffers = 16'383;

  // Table sizes.
  std::uint32_t max_tasks = 65'536;
  std::uint32_t max_queued = 8'192;
  std::uint32_t max_sessions = 4'096;
  std::uint32_t max_clients = 1'024;
  std::uint16_t client_slots = 1'024;
  std::uint32_t max_workers = 1'024;
  std::uint32_t max_routes = 1'024;

  // Times.
  std::uint64_t heartbeat_interval_ns = 100 * kNsPerMs;
  std::uint64_t client_heartbeat_interval_ns = kNsPerSecond;
  std::uint64_t max_ack_delay_ns = kNsPerMs;
  std::uint64_t retry_after_ns = 50 * kNsPerMs;

  // Process.
  std::string admin_path = "/run/mcplane/admin.sock";
  bool hugepages = false;                     // false: EAL's --no-huge
  std::uint64_t memory_bytes = 512ULL << 20;  // whole MiB
  LogLevel log_level = LogLevel::kInfo;
  std::vector<std::string> eal_arguments;  // what follows `--`

  std::uint32_t memory_mib() const noexcept { return static_cast<std::uint32_t>(memory_bytes >> 20); }
};

inline constexpr std::size_t kIpsMax = 8;
// Packet buffers kept for control frames, REJECTs and the bursts in hand.
inline constexpr std::uint32_t kBufferReserve = 1'024;
inline constexpr std::uint64_t kClientSlotBytes = 12;
inline constexpr std::uint64_t kClientSlotBytesMax = 1ULL << 30;

// Exactly one of the two is meaningful: `stop` set means print it and leave.
struct ApplianceCommand {
  std::optional<Stop> stop;
  ApplianceConfig config;
};

// argv as main() gets it. Reads the environment (MCPLANE_*) and the machine's CPUs; changes nothing.
ApplianceCommand parse_appliance_config(int argc, const char* const* argv);

// What only shows when flags are seen together; each flag alone is in range. Empty: fine; else one line.
std::string conflict_in(const ApplianceConfig& config);

}  // namespace mcplane::app
