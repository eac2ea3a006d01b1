// The core loop with the time-stamp counter read between its stations: one shard, one port. It is dataplane/core_loop.h
// taken apart, for measuring only; what its readings add is about 20 cycles a station and burst.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shard_load.h"

namespace mcplane::perf {

// In the order of the loop. kDispatch is most of the work: on_send or on_result, by the leg.
enum class Station : std::uint8_t { kReceive, kIngress, kDispatch, kSettle, kUpkeep, kEgress, kTransmit };
inline constexpr std::size_t kStations = 7;
inline constexpr std::array<std::string_view, kStations> kStationNames = {"receive", "ingress", "dispatch", "settle",
                                                                          "upkeep",  "egress",  "transmit"};

class StationLoop {
 public:
  void run_once(testing::ShardRig& rig, Leg leg);

  struct Readings {
    std::array<std::uint64_t, kStations> cycles{};
    std::uint64_t frames = 0;  // received
  };
  std::array<Readings, 2> readings;  // by Leg

 private:
  void through_stations(dataplane::Shard& shard, std::size_t count);
  void mark(Station station);

  Readings* reading_ = nullptr;
  std::uint64_t last_ = 0;
  std::array<net::Packet, net::kBurstMax> packets_;
  std::array<dataplane::Frame, net::kBurstMax> frames_;
  std::array<dataplane::Verdict, net::kBurstMax> verdicts_;
};

}  // namespace mcplane::perf
