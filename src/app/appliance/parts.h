// What each part of the appliance is told, made from its configuration. Main thread, at start.
#pragma once

#include <memory>
#include <vector>

#include "app/appliance/observers.h"
#include "app/config/config.h"
#include "control/config/options.h"
#include "dataplane/shard.h"
#include "net/dpdk/eal.h"
#include "net/dpdk/port.h"

namespace mcplane::app {

using Ports = std::vector<std::unique_ptr<net::DpdkPort>>;  // by PortId

// From the system's source of randomness: keys, boot ids, seeds.
std::uint64_t random64();

std::vector<wire::LocalAddresses> addresses_of(const ApplianceConfig& config);
// Some core has no CPU of its own, or none is left for the control thread: a loop that polled nothing lets others run.
bool cores_share_cpu(const ApplianceConfig& config);
net::EalOptions eal_options(const ApplianceConfig& config);
// Throws std::runtime_error, one line.
Ports make_ports(const ApplianceConfig& config, net::DpdkPool& pool);
state::SharedOptions shared_options(const ApplianceConfig& config);
dataplane::ShardOptions shard_options(const ApplianceConfig& config, ShardId id, std::uint64_t start_ns);
// All but `config` outlive the control thread.
control::ControlOptions control_options(const ApplianceConfig& config, const net::DpdkPool& pool, const Ports& ports,
                                        control::Prober& prober, Observers& observers);
// The rings to cores that have a queue, null when each core has one of each port.
std::unique_ptr<dataplane::HandoffMesh> make_relay_mesh(const ApplianceConfig& config);

inline constexpr std::size_t kHandoffFrames = 1'024;  // of each ring between two cores

}  // namespace mcplane::app
