// Two passes: each flag by itself while it is parsed (exit code 2), then what contradicts what (exit code 4).
#include "app/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "app/config/flags.h"
#include "app/config/help.h"
#include "app/config/network.h"
#include "app/config/source.h"

namespace mcplane::app {
namespace {

// What DPDK and its devices need around a frame in a packet buffer.
constexpr std::uint64_t kBufferOverheadBytes = 384;

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
        std::max(kPoolMin, std::min(std::bit_ceil(buffers_needed(config) + 1) - 1, kPoolBuffersMax)));
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

std::string settle(ApplianceConfig& config) {
  std::string line = settle_network(config);
  settle_buffers(config);
  return line.empty() ? conflict_in(config) : line;
}

ApplianceCommand parse_appliance_config(int argc, const char* const* argv) {
  const int own = count_own(argc, argv);
  const std::vector<std::string> arguments(argv, argv + own);
  // By itself first: what is wrong with the command line is no mistake of the file's.
  ApplianceReading reading = read_command_line(arguments);
  if (reading.stop) return {reading.stop, {}};
  if (reading.config.help) return {Stop{kExitOk, config_help()}, {}};
  if (reading.config.demo) {
    if (argc > 2)
      return {failure(kBrokerProgram, "--demo chooses its flags itself; leave out the others", kExitUsage), {}};
    return {std::nullopt, std::move(reading.config)};
  }
  const std::string path = reading.config.config_path;
  const Parsed<std::string> text = path.empty() ? Parsed<std::string>::good("") : read_text(path);
  if (!text) return {failure(kBrokerProgram, "--config: " + text.error, kExitConfigInvalid), {}};

  reading = read_appliance(arguments, *text.value, path);
  if (reading.stop) return {reading.stop, {}};
  if (reading.config.check) return {Stop{kExitOk, fmt::format("{}: sound\n", path.empty() ? "flags" : path)}, {}};
  for (int i = own + 1; i < argc; ++i) reading.config.eal_arguments.emplace_back(argv[i]);
  return {std::nullopt, std::move(reading.config)};
}

}  // namespace mcplane::app
