// Each flag by itself: what it takes, and its line in the help.
#include "app/config/flags.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

#include "app/command_line/mistake.h"
#include "app/config/faults_flag.h"
#include "app/config/network.h"
#include "app/telemetry/trace_flags.h"

namespace mcplane::app {
namespace {

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

// "127.0.0.1:4880", "[::1]:4880".
std::optional<wire::Endpoint> parse_endpoint(std::string_view typed) {
  const std::size_t colon = typed.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = typed.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = wire::parse_ip(host);
  const auto port = parse_count(typed.substr(colon + 1));
  if (!ip || ip->is_v4() == bracketed || !port || *port.value < 1 || *port.value > 65'535) return std::nullopt;
  return wire::Endpoint{*ip, static_cast<std::uint16_t>(*port.value)};
}

std::string accept_http(const std::string& typed, ApplianceConfig& config) {
  config.http_typed = true;
  config.http = parse_endpoint(typed);
  if (config.http || typed == "none") return "";
  return quote(typed) + " is not ADDRESS:PORT; type one such as 127.0.0.1:4880 or [::1]:4880, or none";
}

void add_buffers(CLI::App& app, ApplianceConfig& config) {
  add_count(app, "--rx-burst", config.rx_burst,
            fmt::format("Frames taken at once when many wait; else at most {}", ApplianceConfig::kRxBurstAtEase),
            {1, 64});
  add_value(app, "--rx-descriptors", "COUNT", "1024", "Receive ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.rx_descriptors); });
  add_value(app, "--tx-descriptors", "COUNT", "1024", "Transmit ring, power of two, 64 to 32768",
            [&config](const std::string& typed) { return accept_descriptors(typed, config.tx_descriptors); });
  add_count(app, "--pool-buffers", config.pool_buffers, "Packet buffers", {2'047, kPoolBuffersMax})
      ->default_str("what cores, ports and tables need");
  add_switch(app, "--hugepages", config.hugepages, "Use hugepages for packet buffers [off]");
  add_switch(app, "--share-events", config.share_events,
             "Let events share their publication's buffer on NICs that send faster when none is shared, too [off]");
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
  add_size(app, "--cache-bytes", config.cache_bytes,
           "Answers that one core keeps for routes with degrade = \"cached\"; taken as they come",
           {64ULL << 10, 64ULL << 30});
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
  add_text(app, "--dump-file", config.dump_path, "PATH", "SIGQUIT: write the state there, not to stderr");
  add_duration(app, "--drain-timeout", config.drain_timeout_ns, "SIGTERM: wait for tasks in flight, at most",
               {0, 3'600 * kNsPerSecond});
  add_value(app, "--http", "ADDRESS:PORT", wire::to_string(kHttpStandard),
            "Where a page at / and all that can be asked is served over HTTP, read-only; none: nowhere",
            [&config](const std::string& typed) { return accept_http(typed, config); });
  add_value(app, "--idle", "poll|pause|sleep", "poll",
            "What a core does without work: poll, pause (polls, and leaves more of the CPU to its sibling) or sleep "
            "(until a frame comes; some 50 us slower then)",
            [&config](const std::string& typed) { return accept_idle(typed, config.idle); });
}

// Switched on at start: tables and threads that nobody needs without.
void add_observation(CLI::App& app, ApplianceConfig& config) {
  add_log_flags(app, config.log);
  add_text(app, "--audit-log", config.audit_path, "PATH",
           "Every change asked for on the admin socket, a JSON line each");
  add_trace_flags(app, config.otlp_endpoint, config.trace_path);
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

// About the file, not in it.
void add_configuration(CLI::App& app, ApplianceConfig& config) {
  add_value(app, "--config", "FILE", "", "Configuration file, TOML; a flag and its MCPLANE_* variable win over it",
            [&config](const std::string& typed) {
              config.config_path = typed;
              return typed.empty() ? "is empty; type the path of a file" : std::string();
            });
  add_switch(app, "--check", config.check, "Say what is wrong with flags and file, and leave");
  add_switch(app, "--help-config", config.help, "Print the keys of the file and leave");
  add_switch(app, "--demo", config.demo,
             "See it work, without root or a NIC: a broker and agents in this process, one task, 2 s of load");
}

// Of these the file takes lists. Several ports have [[port]] each.
constexpr std::array<std::string_view, 2> kRepeated = {"ip", "gateway"};
constexpr std::array<std::string_view, 6> kNotInTheFile = {"help", "version", "config", "check", "help-config", "demo"};

}  // namespace

void add_appliance_flags(CLI::App& app, ApplianceConfig& config) {
  add_group(app, "Configuration", [&] { add_configuration(app, config); });
  add_group(app, "Network", [&] { add_network_flags(app, config); });
  add_group(app, "Buffers", [&] { add_buffers(app, config); });
  add_group(app, "Tables", [&] { add_tables(app, config); });
  add_group(app, "Times", [&] { add_times(app, config); });
  add_group(app, "Process", [&] { add_process(app, config); });
  add_group(app, "Logs and traces", [&] { add_observation(app, config); });
  add_group(app, "Testing", [&] { add_testing(app, config); });
}

std::vector<RestartKey> restart_keys() {
  ApplianceConfig scratch;
  CLI::App app;
  add_appliance_flags(app, scratch);
  std::vector<RestartKey> keys;
  for (const CLI::Option* const option : app.get_options()) {
    const std::string& name = option->get_lnames().front();
    if (std::ranges::find(kNotInTheFile, name) != kNotInTheFile.end()) continue;
    const bool is_switch = option->get_expected_max() == 0;
    keys.push_back({name, is_switch ? "true or false" : option->get_type_name(),
                    is_switch ? "false" : option->get_default_str(), option->get_description(),
                    std::ranges::find(kRepeated, name) != kRepeated.end()});
  }
  return keys;
}

std::string flag_error(const std::string& name, const std::string& value) {
  ApplianceConfig scratch;
  CLI::App app;
  add_appliance_flags(app, scratch);
  const std::string flag = "--" + name;
  try {
    app.parse(std::vector<std::string>{flag + "=" + value});
    return "";
  } catch (const CLI::ParseError& error) {
    const char* const typed = flag.c_str();
    const std::string line = explain_mistake(app, error, {&typed, 1}).substr(flag.size());
    return line.substr(std::min(line.find_first_not_of(": "), line.size()));
  }
}

}  // namespace mcplane::app
