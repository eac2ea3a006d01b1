// Two passes: each flag by itself while it is parsed (exit code 2), then what contradicts what (exit code 4).
#include "app/config.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <numeric>
#include <string_view>

#include "app/config_network.h"
#include "app/faults_flag.h"

namespace mcplane::app {
namespace {

constexpr const char* kProgram = "mcplane";
// What DPDK and its devices need around a frame in a packet buffer.
constexpr std::uint64_t kBufferOverheadBytes = 384;
constexpr std::uint64_t kPoolMax = 16'777'215;

std::string accept_descriptors(const std::string& typed, std::uint16_t& count) {
  constexpr std::uint64_t kMin = 64;
  constexpr std::uint64_t kMax = 32'768;
  const auto parsed = parse_count(typed);
  if (!parsed) return parsed.error;
  const std::uint64_t value = *parsed.value;
  if (value < kMin || value > kMax || (value & (value - 1)) != 0)
    return quote(typed) + " is not a power of two from 64 to 32768; type one such as 1024";
  count = static_cast<std::uint16_t>(value);
  return "";
}

std::string accept_log_level(const std::string& typed, LogLevel& level) {
  constexpr std::array<std::string_view, 4> kNames = {"error", "warning", "info", "debug"};
  const auto found = std::ranges::find(kNames, typed);
  if (found == kNames.end()) return quote(typed) + " is not a log level; type error, warning, info or debug";
  level = static_cast<LogLevel>(found - kNames.begin());
  return "";
}

std::string accept_idle(const std::string& typed, IdleMode& idle) {
  constexpr std::array<std::string_view, 3> kNames = {"poll", "pause", "sleep"};
  const auto found = std::ranges::find(kNames, typed);
  if (found == kNames.end()) return quote(typed) + " is nothing an idle core can do; type poll, pause or sleep";
  idle = static_cast<IdleMode>(found - kNames.begin());
  return "";
}

std::string accept_admin_path(const std::string& typed, std::string& path) {
  if (typed.empty() || typed[0] != '/')
    return quote(typed) + " is not an absolute path; type one such as /run/mcplane/admin.sock";
  if (typed.size() >= sizeof(sockaddr_un::sun_path))
    return fmt::format("{} is longer than the {} bytes a socket's path may have; type a shorter one", quote(typed),
                       sizeof(sockaddr_un::sun_path) - 1);
  path = typed;
  return "";
}

void add_buffers(CLI::App& app, ApplianceConfig& config) {
  add_count(app, "--rx-burst", config.rx_burst, "Frames taken from the port at once", {1, 64});
  add_value(app, "--rx-descriptors", "COUNT", "1024", "Receive ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.rx_descriptors); });
  add_value(app, "--tx-descriptors", "COUNT", "1024", "Transmit ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.tx_descriptors); });
  add_count(app, "--pool-buffers", config.pool_buffers, "Packet buffers", {2'047, kPoolMax})
      ->default_str("what cores, ports and tables need");
  add_switch(app, "--hugepages", config.hugepages, "Use hugepages for packet buffers [off]");
  add_size(app, "--memory", config.memory_bytes, "Memory for packet buffers", {64ULL << 20, 1ULL << 40})
      ->default_str("what they need");
}

void add_tables(CLI::App& app, ApplianceConfig& config) {
  add_count(app, "--max-tasks", config.max_tasks, "Tasks at once on one core", {1, TaskToken::kIndexMask});
  add_count(app, "--max-queued", config.max_queued, "Tasks waiting for a worker on one core, each in a packet buffer",
            {1, TaskToken::kIndexMask});
  add_count(app, "--max-sessions", config.max_sessions, "Clients and workers together",
            {1, SessionId::kIndexMask + std::uint64_t{1}});
  add_count(app, "--max-clients", config.max_clients, "Clients", {1, SessionId::kIndexMask + std::uint64_t{1}});
  add_count(app, "--client-slots", config.client_slots, "Tasks in flight of one client", {1, 65'535});
  add_count(app, "--max-workers", config.max_workers, "Workers", {1, 65'536});
  add_count(app, "--max-routes", config.max_routes, "Selectors (action, model, tags) in use", {1, 65'536});
  add_count(app, "--look-ahead-max", config.look_ahead_max,
            "Tasks sent to a worker ahead of free slots to hide its round trip, times its slots; 0: none", {0, 64});
}

void add_times(CLI::App& app, ApplianceConfig& config) {
  add_duration(app, "--heartbeat-interval", config.heartbeat_interval_ns, "Worker PINGs; three missed evict",
               {10 * kNsPerMs, 10 * kNsPerSecond});
  add_duration(app, "--client-heartbeat-interval", config.client_heartbeat_interval_ns, "Client PINGs",
               {10 * kNsPerMs, 60 * kNsPerSecond});
  add_duration(app, "--max-ack-delay", config.max_ack_delay_ns, "Longest an acknowledgement is held back",
               {100 * kNsPerUs, 60 * kNsPerMs});
  add_duration(app, "--retry-after", config.retry_after_ns, "Told to a client whose task is rejected",
               {kNsPerMs, 60 * kNsPerSecond});
}

void add_process(CLI::App& app, ApplianceConfig& config) {
  add_value(app, "--admin", "PATH", config.admin_path, "UNIX socket for mcplane-ctl",
            [&config](const std::string& typed) { return accept_admin_path(typed, config.admin_path); });
  add_value(app, "--idle", "HOW", "poll",
            "What a core does without work: poll, pause (polls, and leaves more of the CPU to its sibling) or sleep "
            "(until a frame comes; some 50 us slower then)",
            [&config](const std::string& typed) { return accept_idle(typed, config.idle); });
  add_value(app, "--log-level", "LEVEL", "info", "error, warning, info or debug",
            [&config](const std::string& typed) { return accept_log_level(typed, config.log_level); });
}

std::string accept_faults(const std::string& typed, std::optional<net::Faults>& faults) {
  auto parsed = parse_faults(typed);
  if (parsed) faults = *parsed.value;
  return parsed.error;
}

void add_testing(CLI::App& app, ApplianceConfig& config) {
  add_value(app, "--faults", "LIST", "",
            "Testing aid, never for service: a bad network on every port, both ways. Shares of frames from 0 to 1, "
            "such as loss=0.3,duplicate=0.1,reorder=0.1,corrupt=0.01; seed=N for other dice; withhold=N takes N "
            "packet buffers of each queue away",
            [&config](const std::string& typed) { return accept_faults(typed, config.faults); });
}

// Adds flags under a heading of the help.
void add_group(CLI::App& app, const char* heading, const std::function<void()>& add) {
  app.option_defaults()->group(heading);
  add();
}

// Buffers that are never free at the same time as others: in rings, queued, in the cores' hands.
std::uint64_t buffers_needed(const ApplianceConfig& config) {
  const std::uint64_t queues =
      std::accumulate(config.ports.begin(), config.ports.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const PortConfig& port) { return sum + port.device.queues; });
  return queues * (std::uint64_t{config.rx_descriptors} + config.tx_descriptors) +
         config.cores.size() * (std::uint64_t{config.max_queued} + kBufferReserve);
}

std::uint64_t pool_mib(const ApplianceConfig& config) {
  return (config.pool_buffers * (config.mtu + kBufferOverheadBytes) >> 20) + 1;
}

// What was not typed follows from what was.
void settle_buffers(ApplianceConfig& config) {
  constexpr std::uint64_t kPoolMin = 16'383;
  constexpr std::uint64_t kMemoryMibMin = 512, kMemoryMibBeside = 128;
  // A power of two less one is what a mempool's ring holds without waste.
  if (config.pool_buffers == 0)
    config.pool_buffers = static_cast<std::uint32_t>(
        std::max(kPoolMin, std::min(std::bit_ceil(buffers_needed(config) + 1) - 1, kPoolMax)));
  if (config.memory_bytes == 0)
    config.memory_bytes = std::max(kMemoryMibMin, pool_mib(config) + kMemoryMibBeside) << 20;
  config.memory_bytes &= ~((1ULL << 20) - 1);  // as EAL takes it
}

}  // namespace

std::string conflict_in(const ApplianceConfig& config) {
  if (const std::uint64_t needed = buffers_needed(config); needed > config.pool_buffers)
    return fmt::format(
        "--pool-buffers {} are too few: {} cores with --max-queued {} and their descriptors need {}; type "
        "--pool-buffers {} or more",
        config.pool_buffers, config.cores.size(), config.max_queued, needed, needed);
  if (config.max_queued > config.max_tasks)
    return fmt::format("--max-queued {} is more than --max-tasks {}; type --max-tasks {} or more", config.max_queued,
                       config.max_tasks, config.max_queued);
  if (config.max_clients > config.max_sessions || config.max_workers > config.max_sessions)
    return fmt::format("--max-sessions {} is fewer than --max-clients {} or --max-workers {}; type --max-sessions {}",
                       config.max_sessions, config.max_clients, config.max_workers,
                       std::max(config.max_clients, config.max_workers));
  if (config.faults && config.idle == IdleMode::kSleep)
    return "--faults delays frames by a number of polls, which a core that sleeps does not make; type --idle poll";
  const std::uint64_t slot_bytes = std::uint64_t{config.max_clients} * config.client_slots * kClientSlotBytes;
  if (slot_bytes > kClientSlotBytesMax)
    return fmt::format(
        "--max-clients {} with --client-slots {} need {} MiB, at most {} are allowed; type --client-slots {} or fewer",
        config.max_clients, config.client_slots, slot_bytes >> 20, kClientSlotBytesMax >> 20,
        kClientSlotBytesMax / kClientSlotBytes / config.max_clients);
  if (const std::uint64_t needed_mib = pool_mib(config); needed_mib > config.memory_mib())
    return fmt::format("--pool-buffers {} of --mtu {} need {} MiB; type --memory {}MiB or more", config.pool_buffers,
                       config.mtu, needed_mib, needed_mib);
  return "";
}

ApplianceCommand parse_appliance_config(int argc, const char* const* argv) {
  ApplianceCommand command;
  ApplianceConfig& config = command.config;
  const int own = count_own(argc, argv);

  CLI::App app("mcplane: brokers tasks between clients and model workers over UDP.", kProgram);
  set_conventions(app);
  add_group(app, "Network", [&] { add_network_flags(app, config); });
  add_group(app, "Buffers", [&] { add_buffers(app, config); });
  add_group(app, "Tables", [&] { add_tables(app, config); });
  add_group(app, "Times", [&] { add_times(app, config); });
  add_group(app, "Process", [&] { add_process(app, config); });
  add_group(app, "Testing", [&] { add_testing(app, config); });

  command.stop = parse_command_line(app, own, argv);
  if (command.stop) return command;
  if (const std::string line = missing_network(config); !line.empty()) {
    command.stop = failure(kProgram, line, kExitUsage);
    return command;
  }
  std::string line = settle_network(config);
  settle_buffers(config);
  if (line.empty()) line = conflict_in(config);
  if (!line.empty()) {
    command.stop = failure(kProgram, line, kExitConfigInvalid);
    return command;
  }
  for (int i = own + 1; i < argc; ++i) config.eal_arguments.emplace_back(argv[i]);
  return command;
}

}  // namespace mcplane::app
