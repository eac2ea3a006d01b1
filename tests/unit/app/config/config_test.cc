// The appliance's flags: defaults, every refusal, and what contradicts what.
#include "app/config/config.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <vector>

#include "app/command_line/port_flag.h"

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
  ASSERT_EQ(config.ports.size(), 1U);
  const PortConfig& port = config.ports[0];
  EXPECT_EQ(net::to_string(port.device), "tap:mc0");
  EXPECT_EQ(port.device.queues, 1);
  ASSERT_EQ(port.ips.size(), 1U);
  EXPECT_EQ(wire::to_string(port.ips[0].ip), "10.0.0.1");
  EXPECT_EQ(port.ips[0].length, 24);
  EXPECT_TRUE(port.gateways.empty());
  EXPECT_EQ(config.base_port, 4'800);
  EXPECT_EQ(config.mtu, 1'500);
  EXPECT_EQ(port.mac, wire::mac_for(port.ips[0].ip));
  EXPECT_EQ(config.pool_buffers, 16'383U);
  EXPECT_EQ(config.max_queued, 8'192U);
  EXPECT_EQ(config.heartbeat_interval_ns, 100'000'000U);
  EXPECT_EQ(config.memory_mib(), 512U);
  EXPECT_FALSE(config.hugepages);
  EXPECT_FALSE(config.faults);
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
                                          "--gateway",
                                          "10.0.0.254",
                                          "--shards",
                                          "3",
                                          "--mac",
                                          "02:00:00:00:00:07",
                                          "--rx-burst",
                                          "16",
                                          "--rx-descriptors",
                                          "512",
                                          "--tx-descriptors",
                                          "2048",
                                          "--pool-buffers",
                                          "50000",
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
                                          "--look-ahead-max",
                                          "2",
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
                                          "--http",
                                          "[::1]:8080",
                                          "--hugepages",
                                          "--memory",
                                          "1GiB",
                                          "--log-level",
                                          "debug",
                                          "--idle",
                                          "pause",
                                          "--faults",
                                          "loss=0.3,duplicate=.1,reorder=1,corrupt=0.01,seed=7,withhold=9",
                                          "--",
                                          "--log-level=8",
                                          "-v"});
  ASSERT_FALSE(stop) << stop->text;
  ASSERT_EQ(config.ports.size(), 1U);
  EXPECT_EQ(config.ports[0].ips.size(), 2U);
  ASSERT_EQ(config.ports[0].gateways.size(), 1U);
  EXPECT_EQ(wire::to_string(config.ports[0].gateways[0]), "10.0.0.254");
  EXPECT_EQ(config.cores.size(), 3U);
  EXPECT_EQ(config.ports[0].device.queues, 3);
  EXPECT_EQ(config.base_port, 5'000);
  EXPECT_EQ(config.mtu, 9'000);
  EXPECT_EQ(config.ports[0].mac[5], 7);
  EXPECT_EQ(config.rx_burst, 16);
  EXPECT_EQ(config.rx_descriptors, 512);
  EXPECT_EQ(config.tx_descriptors, 2'048);
  EXPECT_EQ(config.pool_buffers, 50'000U);
  EXPECT_EQ(config.max_tasks, 9'000U);
  EXPECT_EQ(config.max_queued, 9'000U);
  EXPECT_EQ(config.max_sessions, 100U);
  EXPECT_EQ(config.max_clients, 10U);
  EXPECT_EQ(config.client_slots, 20);
  EXPECT_EQ(config.max_workers, 30U);
  EXPECT_EQ(config.max_routes, 40U);
  EXPECT_EQ(config.look_ahead_max, 2U);
  EXPECT_EQ(config.heartbeat_interval_ns, 20 * kNsPerMs);
  EXPECT_EQ(config.client_heartbeat_interval_ns, 2 * kNsPerSecond);
  EXPECT_EQ(config.max_ack_delay_ns, 2 * kNsPerMs);
  EXPECT_EQ(config.retry_after_ns, 3 * kNsPerMs);
  EXPECT_EQ(config.admin_path, "/tmp/a.sock");
  EXPECT_TRUE(config.http_typed);
  ASSERT_TRUE(config.http);
  EXPECT_EQ(wire::to_string(*config.http), "[::1]:8080");
  EXPECT_TRUE(config.hugepages);
  EXPECT_EQ(config.memory_mib(), 1'024U);
  EXPECT_EQ(config.idle, IdleMode::kPause);
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
  EXPECT_EQ(config.faults,
            (net::Faults{.loss = 0.3, .duplicate = 0.1, .reorder = 1, .corrupt = 0.01, .seed = 7, .withheld = 9}));
  EXPECT_EQ(config.eal_arguments, std::vector<std::string>({"--log-level=8", "-v"}));
}

TEST(ApplianceConfig, WhatIsMissingIsNamed) {
  const auto no_port = parse({"--ip", "10.0.0.1/24"});
  ASSERT_TRUE(no_port.stop);
  EXPECT_EQ(no_port.stop->exit_code, kExitUsage);
  EXPECT_EQ(no_port.stop->text, "mcplane: --port is missing; type --port KIND:NAME, such as --port tap:mc0");
  const auto no_ip = parse({"--port", "tap:mc0"});
  ASSERT_TRUE(no_ip.stop);
  EXPECT_EQ(
      no_ip.stop->text,
      "mcplane: --ip is missing for --port tap:mc0; type --ip ADDRESS/PREFIX behind it, such as --ip 10.0.0.1/24");
}

TEST(ApplianceConfig, EachMistakeIsOneLineAndExit2) {
  const std::string long_path = "/" + std::string(120, 'x');
  struct Case {
    const char* flag;
    const char* value;
    std::string_view says;
  };
  for (const auto& [flag, value, says] : std::vector<Case>{
           {"--port", "tap:mc0", "given twice"},
           {"--gateway", "10.0.0", "is not an address"},
           {"--shards", "65", "type 0 to 64"},
           {"--cores", "4000", "CPU 4000 is offline or not allowed"},
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
           {"--http", "4880", "is not ADDRESS:PORT"},
           {"--http", "localhost:4880", "is not ADDRESS:PORT"},
           {"--http", "127.0.0.1:0", "is not ADDRESS:PORT"},
           {"--http", "::1:4880", "type one such as 127.0.0.1:4880 or [::1]:4880, or none"},
           {"--memory", "512", "has no unit"},
           {"--memory", "1MiB", "type 64MiB to 1024GiB"},
           {"--log-level", "loud", "type error, warning, info or debug"},
           {"--idle", "doze", "'doze' is nothing an idle core can do; type poll, pause or sleep"},
           {"--faults", "", "'' is not NAME=VALUE"},
           {"--faults", "loss", "'loss' is not NAME=VALUE; type some of loss=0.3"},
           {"--faults", "loss=0.3,", "'' is not NAME=VALUE"},
           {"--faults", "loos=0.3", "'loos' is no fault; type loss, duplicate, reorder, corrupt, withhold or seed"},
           {"--faults", "loss=", "'' of loss is no probability; type 0 to 1, such as loss=0.3"},
           {"--faults", "loss=1.01", "'1.01' of loss is no probability"},
           {"--faults", "loss=-1", "'-1' of loss is no probability"},
           {"--faults", "loss=30%", "'30%' of loss is no probability"},
           {"--faults", "corrupt=1e-3", "'1e-3' of corrupt is no probability"},
           {"--faults", "reorder=inf", "'inf' of reorder is no probability"},
           {"--faults", "seed=x", "'x' of seed is no number"},
           {"--faults", "withhold=16777216", "type 0 to 16777215"},
           {"--faults", "loss=0.1,loss=0.2", "'loss' is given twice; keep one"},
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

TEST(ApplianceConfig, AddressesBelongToThePortBeforeThem) {
  const auto [stop, config] = parse({"--ip", "10.0.0.1/24", "--port", "tap:mc0", "--port", "memif:/run/m.sock", "--ip",
                                     "10.0.1.1/24,fd01::1/64", "--mac", "02:00:00:00:00:09", "--gateway", "10.0.1.254",
                                     "--gateway", "10.0.0.254"});
  ASSERT_FALSE(stop) << stop->text;
  ASSERT_EQ(config.ports.size(), 2U);
  EXPECT_EQ(net::to_string(config.ports[0].device), "tap:mc0");
  ASSERT_EQ(config.ports[0].ips.size(), 1U);
  EXPECT_EQ(wire::to_string(config.ports[0].ips[0].ip), "10.0.0.1");
  EXPECT_EQ(config.ports[0].gateways, std::vector{*wire::parse_ip("10.0.0.254")});
  EXPECT_EQ(config.ports[0].mac, wire::mac_for(*wire::parse_ip("10.0.0.1")));
  EXPECT_EQ(net::to_string(config.ports[1].device), "memif:/run/m.sock");
  ASSERT_EQ(config.ports[1].ips.size(), 2U);
  EXPECT_EQ(config.ports[1].mac[5], 9);
  EXPECT_EQ(config.ports[1].gateways, std::vector{*wire::parse_ip("10.0.1.254")});
}

TEST(ApplianceConfig, APortWithoutAddressIsNamed) {
  const auto command = parse({"--port", "tap:mc0", "--ip", "10.0.0.1/24", "--port", "tap:mc1"});
  ASSERT_TRUE(command.stop);
  EXPECT_EQ(command.stop->exit_code, kExitUsage);
  EXPECT_NE(command.stop->text.find("--ip is missing for --port tap:mc1"), std::string::npos) << command.stop->text;
}

TEST(ApplianceConfig, FewerQueuesThanCoresOnlyWhenTyped) {
  const auto refused = parse_with({"--shards", "17"});
  ASSERT_TRUE(refused.stop);
  EXPECT_EQ(refused.stop->exit_code, kExitConfigInvalid);
  EXPECT_EQ(refused.stop->text,
            "mcplane: --port tap:mc0 has 16 queue pairs for 17 cores; type --cores with 16 of them, or --port "
            "tap:mc0,queues=16 to let the other cores use it through these");
  const auto typed = parse({"--port", "tap:mc0,queues=1", "--ip", "10.0.0.1/24", "--shards", "17"});
  ASSERT_FALSE(typed.stop) << typed.stop->text;
  EXPECT_EQ(typed.config.ports[0].device.queues, 1);
  EXPECT_EQ(typed.config.cores.size(), 17U);
}

TEST(ApplianceConfig, TheDefaultPoolGrowsWithTheCores) {
  const auto [stop, config] = parse_with({"--shards", "8"});
  ASSERT_FALSE(stop) << stop->text;
  EXPECT_EQ(config.pool_buffers, 131'071U);
  EXPECT_GE(config.memory_mib(), 236U);
}

TEST(PortFlag, EveryKindIsTaken) {
  for (const char* typed : {"tap:mc0", "vhost:/run/x", "virtio:/run/x", "memif:/run/x", "af_xdp:eth0", "af_packet:eth0",
                            "pci:0000:3b:00.0"}) {
    const auto parsed = parse_port(typed);
    ASSERT_TRUE(parsed) << parsed.error;
    EXPECT_EQ(net::to_string(*parsed.value), typed);
    EXPECT_EQ(parsed.value->queues, 0);
  }
  EXPECT_EQ(parse_port("af_xdp:eth0,queues=3").value->queues, 3);
}

TEST(PortFlag, AWrongOneIsOneLineWithAnExample) {
  struct Case {
    const char* typed;
    std::string_view says;
  };
  for (const auto& [typed, says] : std::vector<Case>{
           {"tap", "such as tap:mc0; kinds: tap, vhost, virtio, memif, af_xdp, af_packet, pci"},
           {"eth0", "is not a port"},
           {"dpdk:eth0", "is not a port"},
           {"tap:", "type one such as tap:mc0"},
           {"tap:a/b", "type one such as tap:mc0"},
           {"tap:..", "type one such as tap:mc0"},
           {"af_xdp:sixteen-bytes-xx", "type one such as af_xdp:eth0"},
           {"vhost:run/x", "starts with '/'"},
           {"memif:", "type one such as memif:/run/mcplane/memif.sock"},
           {"pci:3b:00.0", "type one such as pci:0000:3b:00.0"},
           {"pci:0000:3g:00.0", "in hex"},
           {"tap:mc0,queues=0", "only queues=1 to queues=255"},
           {"tap:mc0,queues=256", "only queues=1 to queues=255"},
           {"tap:mc0,mtu=9000", "only queues=1 to queues=255"},
       }) {
    const auto parsed = parse_port(typed);
    ASSERT_FALSE(parsed) << typed;
    EXPECT_NE(parsed.error.find(says), std::string::npos) << parsed.error;
  }
}

TEST(Device, DpdkIsToldWhatWasTyped) {
  using net::DeviceKind;
  const auto argument = [](const net::DeviceSpec& device, unsigned index, bool huge_pages = true) {
    return net::eal_argument(device, index, huge_pages);
  };
  EXPECT_EQ(argument({.kind = DeviceKind::kTap, .name = "mc0"}, 0), "--vdev=net_tap0,iface=mc0");
  EXPECT_EQ(argument({.kind = DeviceKind::kVhost, .name = "/run/x", .queues = 2}, 1),
            "--vdev=net_vhost1,iface=/run/x,queues=2");
  EXPECT_EQ(argument({.kind = DeviceKind::kVirtio, .name = "/run/x"}, 0),
            "--vdev=net_virtio_user0,path=/run/x,queues=1,queue_size=1024,mrg_rxbuf=0,in_order=1,packed_vq=1");
  EXPECT_EQ(argument({.kind = DeviceKind::kPci, .name = "0000:3b:00.0"}, 3), "--allow=0000:3b:00.0");
  EXPECT_EQ(net::dpdk_name({.kind = DeviceKind::kPci, .name = "0000:3b:00.0"}, 3), "0000:3b:00.0");

  // memif's client lends its packets to the server where others can map them.
  net::DeviceSpec memif{.kind = DeviceKind::kMemif, .name = "/run/x", .mtu = 1500};
  const std::string server = "--vdev=net_memif2,role=server,socket=/run/x,socket-abstract=no,bsize=2048,rsize=10";
  EXPECT_EQ(argument(memif, 2), server);
  memif.role = net::DeviceRole::kPeer;
  const std::string client = "--vdev=net_memif2,role=client,socket=/run/x,socket-abstract=no,bsize=2048,rsize=10";
  EXPECT_EQ(argument(memif, 2, false), client);
  EXPECT_EQ(argument(memif, 2), client + ",zero-copy=yes");
}

TEST(Device, WhatIsMissingIsSaidBeforeDpdkTries) {
  using net::DeviceKind;
  EXPECT_EQ(net::check_device({.kind = DeviceKind::kTap, .name = "mc0"}), "");
  EXPECT_EQ(net::check_device({.kind = DeviceKind::kAfXdp, .name = "no-such-if"}),
            "af_xdp:no-such-if: there is no interface no-such-if; 'ip link' lists them");
  EXPECT_EQ(net::check_device({.kind = DeviceKind::kVirtio, .name = "/no/such/socket"}),
            "virtio:/no/such/socket: nobody listens there; start the other side first");
  EXPECT_EQ(net::check_device({.kind = DeviceKind::kVhost, .name = "/no/such/socket"}),
            "vhost:/no/such/socket: there is no folder /no/such; type: mkdir -p /no/such");
  EXPECT_EQ(net::check_device({.kind = DeviceKind::kPci, .name = "ffff:ff:1f.7"}),
            "pci:ffff:ff:1f.7: there is no such device; 'lspci -D' lists them");
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
           {{"--max-queued", "13056", "--pool-buffers", "16383"}, "type --pool-buffers 16384 or more"},
           {{"--max-tasks", "100"}, "--max-queued 8192 is more than --max-tasks 100; type --max-tasks 8192 or more"},
           {{"--max-sessions", "1000"}, "type --max-sessions 1024"},
           {{"--max-sessions", "1048576", "--max-clients", "1048576"}, "type --client-slots 64 or fewer"},
           {{"--pool-buffers", "1000000", "--memory", "512MiB"}, "type --memory 1797MiB or more"},
           {{"--idle", "sleep", "--faults", "loss=0.1"}, "type --idle poll"},
       }) {
    const auto command = parse_with(typed);
    ASSERT_TRUE(command.stop) << says;
    EXPECT_EQ(command.stop->exit_code, kExitConfigInvalid);
    EXPECT_NE(command.stop->text.find(says), std::string::npos) << command.stop->text;
    EXPECT_EQ(command.stop->text.find('\n'), std::string::npos) << command.stop->text;
  }
}

TEST(ApplianceConfig, BuffersMayBeWhollyUsed) {
  EXPECT_FALSE(parse_with({"--max-queued", "13055", "--pool-buffers", "16383"}).stop);
  EXPECT_FALSE(parse_with({"--max-sessions", "1048576", "--max-clients", "1048576", "--client-slots", "64"}).stop);
}

}  // namespace
}  // namespace mcplane::app
