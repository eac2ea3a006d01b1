// The flags of mcplane-load that choose how the broker is reached: --udp, or --port with what it needs. Main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/command_line/cli.h"
#include "loadgen/options.h"

namespace mcplane::app {

struct TransportFlags {
  std::optional<wire::Endpoint> udp, broker;
  std::optional<net::DeviceSpec> device;
  std::optional<wire::Prefix> ip;
  std::optional<wire::IpAddress> gateway;
  std::optional<unsigned> core;
  std::uint16_t mtu = loadgen::kMtuBytes;
  bool huge_pages = false;
  std::uint64_t memory_bytes = 512ULL << 20;
  std::vector<CLI::Option*> of_port;  // those that only make sense with --port
};

void add_transport_flags(CLI::App& app, TransportFlags& flags);
// Fills options; returns one line when flags are missing or contradict each other.
std::string settle_transport(const TransportFlags& flags, std::vector<std::string> eal_arguments,
                             loadgen::Options& options);

}  // namespace mcplane::app
