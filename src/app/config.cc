// Two passes: each flag by itself while it is parsed (exit code 2), then what contradicts what (exit code 4).
#include "app/config.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <string_view>

namespace mcplane::app {
namespace {

constexpr const char* kProgram = "mcplane";
// What DPDK and its devices need around a frame in a packet buffer.
constexpr std::uint64_t kBufferOverheadBytes = 384;

// The CPUs this process may run on, ascending.
std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::string accept_port(const std::string& typed, std::string& tap_name) {
  constexpr std::size_t kNameBytesMax = 15;  // IFNAMSIZ less its NUL
  constexpr std::string_view kLaterKinds[] = {"vhost", "virtio", "memif", "af_xdp", "pci"};
  const std::string kind = typed.substr(0, typed.find(':'));
  if (std::ranges::find(kLaterKinds, kind) != std::end(kLaterKinds))
    return quote(typed) + ": this release has tap ports only; type tap:NAME, such as tap:mc0";
  if (kind != "tap" || kind.size() == typed.size())
    return quote(typed) + " is not a port; type tap:NAME, such as tap:mc0";
  const std::string name = typed.substr(kind.size() + 1);
  const bool sound = std::ranges::all_of(name, [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           letter == '_' || letter == '-' || letter == '.';
  });
  if (!sound || name.empty() || name.size() > kNameBytesMax || name == "." || name == "..")
    return quote(typed) + ": an interface name is 1 to 15 letters, digits, '_', '-' or '.'; type one such as tap:mc0";
  tap_name = name;
  return "";
}

std::string accept_cores(const std::string& typed, const std::vector<unsigned>& allowed, std::vector<unsigned>& cores) {
  auto parsed = parse_cpu_list(typed);
  if (!parsed) return parsed.error;
  if (parsed.value->size() > 1)
    return fmt::format("{} is {} CPUs: this release runs one dataplane core; type one CPU, such as {}", quote(typed),
                       parsed.value->size(), parsed.value->front());
  if (std::ranges::find(allowed, parsed.value->front()) == allowed.end())
    return fmt::format("CPU {} is offline or not allowed to this process; type one it may use, such as {}",
                       parsed.value->front(), allowed.back());
  cores = std::move(*parsed.value);
  return "";
}

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

std::string accept_admin_path(const std::string& typed, std::string& path) {
  if (typed.empty() || typed[0] != '/')
    return quote(typed) + " is not an absolute path; type one such as /run/mcplane/admin.sock";
  if (typed.size() >= sizeof(sockaddr_un::sun_path))
    return fmt::format("{} is longer than the {} bytes a socket's path may have; type a shorter one", quote(typed),
                       sizeof(sockaddr_un::sun_path) - 1);
  path = typed;
  return "";
}

void add_network(CLI::App& app, ApplianceConfig& config, const std::vector<unsigned>& allowed) {
  add_value(app, "--port", "KIND:NAME", "", "Port to serve, required: tap:NAME makes that TAP interface",
            [&config](const std::string& typed) { return accept_port(typed, config.tap_name); });
  config.cores = {allowed.back()};
  add_value(app, "--cores", "CPUS", fmt::format("{}, the last one", allowed.back()),
            "CPU of the dataplane core, which polls it wholly",
            [&config, allowed](const std::string& typed) { return accept_cores(typed, allowed, config.cores); });
  add_count(app, "--base-port", config.base_port, "UDP port", {1, 65'535});
  add_count(app, "--mtu", config.mtu, "Largest IP packet in bytes", {576, 9'000});
  add_value(app, "--mac", "MAC", "made from the first --ip", "Ethernet address of the port",
            [&config](const std::string& typed) {
              const auto parsed = parse_mac(typed);
              if (parsed) config.mac = *parsed.value;
              return parsed.error;
            });
}

void add_addresses(CLI::App& app, ApplianceConfig& config) {
  add_values(app, "--ip", "ADDRESS/PREFIX", "Address to serve, required; once for each of up to 8",
             [&config](const std::string& typed) -> std::string {
               const auto parsed = parse_host_prefix(typed);
               if (!parsed) return parsed.error;
               const auto same = [&](const wire::Prefix& other) { return other.ip == parsed.value->ip; };
               if (std::ranges::any_of(config.ips, same)) return quote(typed) + " is given twice; keep one";
               if (config.ips.size() == kIpsMax) return fmt::format("is given more than {} times", kIpsMax);
               config.ips.push_back(*parsed.value);
               return "";
             });
}

void add_buffers(CLI::App& app, ApplianceConfig& config) {
  add_count(app, "--rx-burst", config.rx_burst, "Frames taken from the port at once", {1, 64});
  add_value(app, "--rx-descriptors", "COUNT", "1024", "Receive ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.rx_descriptors); });
  add_value(app, "--tx-descriptors", "COUNT", "1024", "Transmit ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.tx_descriptors); });
  add_count(app, "--pool-buffers", config.pool_buffers, "Packet buffers", {2'047, 16'777'215});
  add_switch(app, "--hugepages", config.hugepages, "Use hugepages for packet buffers [off]");
  add_size(app, "--memory", config.memory_bytes, "Memory for packet buffers", {64ULL << 20, 1ULL << 40});
}

void add_tables(CLI::App& app, ApplianceConfig& config) {
  add_count(app, "--max-tasks", config.max_tasks, "Tasks at once", {1, TaskToken::kIndexMask});
  add_count(app, "--max-queued", config.max_queued, "Tasks waiting for a worker, each in a packet buffer",
            {1, TaskToken::kIndexMask});
  add_count(app, "--max-sessions", config.max_sessions, "Clients and workers together",
            {1, SessionId::kIndexMask + std::uint64_t{1}});
  add_count(app, "--max-clients", config.max_clients, "Clients", {1, SessionId::kIndexMask + std::uint64_t{1}});
  add_count(app, "--client-slots", config.client_slots, "Tasks in flight of one client", {1, 65'535});
  add_count(app, "--max-workers", config.max_workers, "Workers", {1, 65'536});
  add_count(app, "--max-routes", config.max_routes, "Selectors (action, model, tags) in use", {1, 65'536});
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
  add_value(app, "--log-level", "LEVEL", "info", "error, warning, info or debug",
            [&config](const std::string& typed) { return accept_log_level(typed, config.log_level); });
}

// Adds flags under a heading of the help.
void add_group(CLI::App& app, const char* heading, const std::function<void()>& add) {
  app.option_defaults()->group(heading);
  add();
}

std::string missing_in(const ApplianceConfig& config) {
  if (config.tap_name.empty()) return "--port is missing; type --port tap:NAME, such as --port tap:mc0";
  if (config.ips.empty()) return "--ip is missing; type --ip ADDRESS/PREFIX, such as --ip 10.0.0.1/24";
  return "";
}

// How many of argv's elements are ours; "--" and what follows are EAL's.
int count_own(int argc, const char* const* argv) {
  int count = 0;
  while (count < argc && std::string_view(argv[count]) != "--") ++count;
  return count;
}

}  // namespace

std::string conflict_in(const ApplianceConfig& config) {
  const std::uint64_t descriptors =
      config.cores.size() * (std::uint64_t{config.rx_descriptors} + config.tx_descriptors);
  const std::uint64_t kept = descriptors + kBufferReserve;
  if (config.max_queued + kept > config.pool_buffers)
    return fmt::format(
        "--max-queued {} does not fit --pool-buffers {}: {} are kept for descriptors and {} in reserve; type "
        "--pool-buffers {} or more",
        config.max_queued, config.pool_buffers, descriptors, kBufferReserve, config.max_queued + kept);
  if (config.max_queued > config.max_tasks)
    return fmt::format("--max-queued {} is more than --max-tasks {}; type --max-tasks {} or more", config.max_queued,
                       config.max_tasks, config.max_queued);
  if (config.max_clients > config.max_sessions || config.max_workers > config.max_sessions)
    return fmt::format("--max-sessions {} is fewer than --max-clients {} or --max-workers {}; type --max-sessions {}",
                       config.max_sessions, config.max_clients, config.max_workers,
                       std::max(config.max_clients, config.max_workers));
  const std::uint64_t slot_bytes = std::uint64_t{config.max_clients} * config.client_slots * kClientSlotBytes;
  if (slot_bytes > kClientSlotBytesMax)
    return fmt::format(
        "--max-clients {} with --client-slots {} need {} MiB, at most {} are allowed; type --client-slots {} or fewer",
        config.max_clients, config.client_slots, slot_bytes >> 20, kClientSlotBytesMax >> 20,
        kClientSlotBytesMax / kClientSlotBytes / config.max_clients);
  const std::uint64_t pool_mib = (config.pool_buffers * (config.mtu + kBufferOverheadBytes) >> 20) + 1;
  if (pool_mib > config.memory_mib())
    return fmt::format("--pool-buffers {} of --mtu {} need {} MiB; type --memory {}MiB or more", config.pool_buffers,
                       config.mtu, pool_mib, pool_mib);
  return "";
}

ApplianceCommand parse_appliance_config(int argc, const char* const* argv) {
  ApplianceCommand command;
  ApplianceConfig& config = command.config;
  const std::vector<unsigned> allowed = allowed_cpus();
  const int own = count_own(argc, argv);

  CLI::App app("mcplane: brokers tasks between clients and model workers over UDP.", kProgram);
  set_conventions(app);
  add_group(app, "Network", [&] { add_network(app, config, allowed), add_addresses(app, config); });
  add_group(app, "Buffers", [&] { add_buffers(app, config); });
  add_group(app, "Tables", [&] { add_tables(app, config); });
  add_group(app, "Times", [&] { add_times(app, config); });
  add_group(app, "Process", [&] { add_process(app, config); });

  command.stop = parse_command_line(app, own, argv);
  if (command.stop) return command;
  if (const std::string line = missing_in(config); !line.empty()) {
    command.stop = failure(kProgram, line, kExitUsage);
    return command;
  }
  // Whole MiB, as EAL takes it.
  config.memory_bytes &= ~((1ULL << 20) - 1);
  if (const std::string line = conflict_in(config); !line.empty()) {
    command.stop = failure(kProgram, line, kExitConfigInvalid);
    return command;
  }
  if (config.mac == wire::MacAddress{}) config.mac = wire::mac_for(config.ips.front().ip);
  for (int i = own + 1; i < argc; ++i) config.eal_arguments.emplace_back(argv[i]);
  return command;
}

}  // namespace mcplane::app
