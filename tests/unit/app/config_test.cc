// The appliance's flags: defaults, every refusal, and what contradicts what.
#include "app/config.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <vector>

namespace mcplane::app {
namespace {

ApplianceCommand parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "mcplane");
  return parse_appliance_config(static_cast<int>(arguments.size()), arguments.data());
}

// With what has no default.
ApplianceCommand parse_with(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"--port", "tap:mc0", "--ip", "10.0.0.1/24"});
  return parse(std::move(arguments));
}

TEST(ApplianceConfig, LeastCommandLineGivesTheDefaults) {
  const auto [stop, config] = parse_with({});
  ASSERT_FALSE(stop) << stop->text;
  EXPECT_EQ(config.tap_name, "mc0");
  ASSERT_EQ(config.ips.size(), 1U);
  EXPECT_EQ(wire::to_string(config.ips[0].ip), "10.0.0.1");
  EXPECT_EQ(config.ips[0].length, 24);
  EXPECT_EQ(config.base_port, 4'800);
  EXPECT_EQ(config.mtu, 1'500);
  EXPECT_EQ(config.mac, wire::mac_for(config.ips[0].ip));
  EXPECT_EQ(config.max_queued, 8'192U);
  EXPECT_EQ(config.heartbeat_interval_ns, 100'000'000U);
  EXPECT_EQ(config.memory_mib(), 512U);
  EXPECT_FALSE(config.hugepages);
  EXPECT_TRUE(config.eal_arguments.empty());
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  ASSERT_EQ(config.cores.size(), 1U);
  EXPECT_TRUE(CPU_ISSET(config.cores[0], &allowed));
}

TEST(ApplianceConfig, EveryFlagIsTaken) {
  const auto [stop, config] = parse_with({"--ip",
                                          "fd00::1/64",
                                          "--base-port",
                                          "5000",
                                          "--mtu",
                                          "9000",
                                          "--mac",
                                          "02:00:00:00:00:07",
                                          "--rx-burst",
                                          "16",
                                          "--rx-descriptors",
                                          "512",
                                          "--tx-descriptors",
                                          "2048",
                                          "--pool-buffers",
                                          "20000",
                                          "--max-tasks",
                                          "9000",
                                          "--max-queued",
                                          "9000",
                                          "--max-sessions",
                                          "100",
                                          "--max-clients",
                                          "10",
                                          "--client-slots",
                                          "20",
                                          "--max-workers",
                                          "30",
                                          "--max-routes",
                                          "40",
                                          "--heartbeat-interval",
                                          "20ms",
                                          "--client-heartbeat-interval",
                                          "2s",
                                          "--max-ack-delay",
                                          "2ms",
                                          "--retry-after",
                                          "3ms",
                                          "--admin",
                                          "/tmp/a.sock",
                                          "--hugepages",
                                          "--memory",
                                          "1GiB",
                                          "--log-level",
                                          "debug",
                                          "--",
                                          "--log-level=8",
                                          "-v"});
  ASSERT_FALSE(stop) << stop->text;
  EXPECT_EQ(config.ips.size(), 2U);
  EXPECT_EQ(config.base_port, 5'000);
  EXPECT_EQ(config.mtu, 9'000);
  EXPECT_EQ(config.mac[5], 7);
  EXPECT_EQ(config.rx_burst, 16);
  EXPECT_EQ(config.rx_descriptors, 512);
  EXPECT_EQ(config.tx_descriptors, 2'048);
  EXPECT_EQ(config.pool_buffers, 20'000U);
  EXPECT_EQ(config.max_tasks, 9'000U);
  EXPECT_EQ(config.max_queued, 9'000U);
  EXPECT_EQ(config.max_sessions, 100U);
  EXPECT_EQ(config.max_clients, 10U);
  EXPECT_EQ(config.client_slots, 20);
  EXPECT_EQ(config.max_workers, 30U);
  EXPECT_EQ(config.max_routes, 40U);
  EXPECT_EQ(config.heartbeat_interval_ns, 20 * kNsPerMs);
  EXPECT_EQ(config.client_heartbeat_interval_ns, 2 * kNsPerSecond);
  EXPECT_EQ(config.max_ack_delay_ns, 2 * kNsPerMs);
  EXPECT_EQ(config.retry_after_ns, 3 * kNsPerMs);
  EXPECT_EQ(config.admin_path, "/tmp/a.sock");
  EXPECT_TRUE(config.hugepages);
  EXPECT_EQ(config.memory_mib(), 1'024U);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.eal_arguments, std::vector<std::string>({"--log-level=8", "-v"}));
}

TEST(ApplianceConfig, WhatIsMissingIsNamed) {
  const auto no_port = parse({"--ip", "10.0.0.1/24"});
  ASSERT_TRUE(no_port.stop);
  EXPECT_EQ(no_port.stop->exit_code, kExitUsage);
  EXPECT_EQ(no_port.stop->text, "mcplane: --port is missing; type --port tap:NAME, such as --port tap:mc0");
  const auto no_ip = parse({"--port", "tap:mc0"});
  ASSERT_TRUE(no_ip.stop);
  EXPECT_EQ(no_ip.stop->text, "mcplane: --ip is missing; type --ip ADDRESS/PREFIX, such as --ip 10.0.0.1/24");
}

TEST(ApplianceConfig, EachMistakeIsOneLineAndExit2) {
  const std::string long_path = "/" + std::string(120, 'x');
  struct Case {
    const char* flag;
    const char* value;
    std::string_view says;
  };
  for (const auto& [flag, value, says] : std::vector<Case>{
           {"--port", "vhost:/run/x", "given 2 times"},
           {"--cores", "4000", "CPU 4000 is offline or not allowed"},
           {"--cores", "0-1", "this release runs one dataplane core"},
           {"--ip", "10.0.0.1/24", "given twice"},
           {"--ip", "10.0.1.0/24", "is a network"},
           {"--base-port", "0", "type 1 to 65535"},
           {"--base-port", "65536", "type 1 to 65535"},
           {"--mtu", "575", "type 576 to 9000"},
           {"--mtu", "9001", "type 576 to 9000"},
           {"--mac", "01:00:00:00:00:00", "not a unicast MAC"},
           {"--rx-burst", "0", "type 1 to 64"},
           {"--rx-burst", "65", "type 1 to 64"},
           {"--rx-descriptors", "1000", "is not a power of two from 64 to 32768"},
           {"--tx-descriptors", "32", "is not a power of two from 64 to 32768"},
           {"--tx-descriptors", "65536", "is not a power of two"},
           {"--pool-buffers", "16777216", "type 2047 to 16777215"},
           {"--max-tasks", "0", "type 1 to 16777215"},
           {"--max-tasks", "16777216", "type 1 to 16777215"},
           {"--max-sessions", "1048577", "type 1 to 1048576"},
           {"--client-slots", "65536", "type 1 to 65535"},
           {"--heartbeat-interval", "100", "has no unit"},
           {"--heartbeat-interval", "9ms", "type 10ms to 10s"},
           {"--heartbeat-interval", "11s", "type 10ms to 10s"},
           {"--admin", "admin.sock", "is not an absolute path"},
           {"--admin", long_path.c_str(), "107 bytes"},
           {"--memory", "512", "has no unit"},
           {"--memory", "1MiB", "type 64MiB to 1024GiB"},
           {"--log-level", "loud", "type error, warning, info or debug"},
           {"--crores", "2", "unknown flag --crores; did you mean --cores? (mcplane --help lists all)"},
       }) {
    const auto command = parse_with({flag, value});
    ASSERT_TRUE(command.stop) << flag << " " << value;
    EXPECT_EQ(command.stop->exit_code, kExitUsage) << flag << " " << value;
    EXPECT_NE(command.stop->text.find(says), std::string::npos) << command.stop->text;
    EXPECT_NE(command.stop->text.find(flag), std::string::npos) << command.stop->text;
    EXPECT_EQ(command.stop->text.find('\n'), std::string::npos) << command.stop->text;
  }
}

TEST(ApplianceConfig, PortsOfThisRelease) {
  for (const char* later : {"vhost:/run/x", "virtio:/run/x", "memif:/run/x", "af_xdp:eth0", "pci:0000:3b:00.0"}) {
    const auto command = parse({"--port", later, "--ip", "10.0.0.1/24"});
    ASSERT_TRUE(command.stop) << later;
    EXPECT_EQ(command.stop->exit_code, kExitUsage);
    EXPECT_NE(command.stop->text.find("this release has tap ports only; type tap:NAME"), std::string::npos);
  }
  for (const char* wrong : {"tap", "tap:", "tap:a/b", "tap:a b", "tap:..", "tap:sixteen-bytes-xx", "tap:a,b", "eth0"}) {
    const auto command = parse({"--port", wrong, "--ip", "10.0.0.1/24"});
    ASSERT_TRUE(command.stop) << wrong;
    EXPECT_NE(command.stop->text.find("tap:mc0"), std::string::npos) << command.stop->text;
  }
}

TEST(ApplianceConfig, AtMostEightAddresses) {
  const auto command = parse({"--port", "tap:mc0", "--ip",
                              "10.0.0.1/24,10.0.0.2/24,10.0.0.3/24,10.0.0.4/24,10.0.0.5/24,10.0.0.6/24,10.0.0.7/24,"
                              "10.0.0.8/24,10.0.0.9/24"});
  ASSERT_TRUE(command.stop);
  EXPECT_NE(command.stop->text.find("more than 8 times"), std::string::npos) << command.stop->text;
}

TEST(ApplianceConfig, ContradictionsAreExit4) {
  struct Case {
    std::vector<const char*> typed;
    std::string_view says;
  };
  for (const auto& [typed, says] : std::vector<Case>{
           {{"--max-queued", "13312"}, "type --pool-buffers 16384 or more"},
           {{"--max-tasks", "100"}, "--max-queued 8192 is more than --max-tasks 100; type --max-tasks 8192 or more"},
           {{"--max-sessions", "1000"}, "type --max-sessions 1024"},
           {{"--max-sessions", "1048576", "--max-clients", "1048576"}, "type --client-slots 85 or fewer"},
           {{"--pool-buffers", "1000000"}, "type --memory 1797MiB or more"},
       }) {
    const auto command = parse_with(typed);
    ASSERT_TRUE(command.stop) << says;
    EXPECT_EQ(command.stop->exit_code, kExitConfigInvalid);
    EXPECT_NE(command.stop->text.find(says), std::string::npos) << command.stop->text;
    EXPECT_EQ(command.stop->text.find('\n'), std::string::npos) << command.stop->text;
  }
}

TEST(ApplianceConfig, BuffersMayBeWhollyUsed) {
  EXPECT_FALSE(parse_with({"--max-queued", "13311"}).stop);
  EXPECT_FALSE(parse_with({"--max-sessions", "1048576", "--max-clients", "1048576", "--client-slots", "85"}).stop);
}

}  // namespace
}  // namespace mcplane::app
