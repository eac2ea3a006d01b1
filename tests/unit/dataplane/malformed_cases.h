// Broken frames by class, for malformed_test.cc: what is wrong with each, and what a shard must make of it.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "support/shard_rig.h"

namespace mcplane::dataplane {

// Where each case starts: a client, a worker with two slots, one task routed to it, one task delivered.
struct MalformedWorld {
  explicit MalformedWorld(const testing::RigOptions& options);

  testing::ShardRig rig;
  testing::Peer* client;
  testing::Peer* worker;
  testing::Bytes route;  // the routed task's, client slot 0

  wire::Header route_header() const { return testing::Sent(route, ShardId{}, PortId{}).header(); }
};

struct MalformedCase {
  std::string_view name;
  DropReason reason = DropReason::kNone;  // kNone: the frame is answered
  std::optional<wire::FrameType> reply;   // of its answer, to where it came from
  std::function<testing::Bytes(MalformedWorld&)> frame;
  // Called on the packet as the NIC would flag it.
  std::function<void(net::Packet&)> flag;
};

std::vector<MalformedCase> ethernet_and_ip_cases();
std::vector<MalformedCase> header_cases();
std::vector<MalformedCase> session_cases();

}  // namespace mcplane::dataplane
