// See station_loop.h.
#include "station_loop.h"

#include <x86intrin.h>

#include <span>
#include <utility>

#include "base/check.h"

namespace mcplane::perf {
namespace {

constexpr std::size_t kRefill = 32;

void refill_spares(dataplane::Shard& shard, net::MemoryNic& nic) {
  std::array<net::Packet, kRefill> packets;
  while (shard.spares.room() >= kRefill && nic.allocate(packets))
    for (net::Packet& packet : packets) shard.spares.push(std::move(packet));
}

void upkeep(dataplane::Shard& shard) {
  run_commands(shard);
  run_timers(shard);
  run_sweep(shard);
  route_waiting(shard);
  send_acks(shard);
}

void transmit(dataplane::Shard& shard, net::MemoryNic& nic) {
  auto& batch = shard.outgoing[0];
  const std::size_t taken = nic.tx_burst(batch.items());
  CHECK(taken == batch.items().size());
  shard.counters.sent.add(taken);
  batch.clear();
  nic.free(shard.to_free.items());
  shard.to_free.clear();
}

}  // namespace

void StationLoop::mark(Station station) {
  const std::uint64_t now = __rdtsc();
  reading_->cycles[static_cast<std::size_t>(station)] += now - std::exchange(last_, now);
}

void StationLoop::through_stations(dataplane::Shard& shard, std::size_t count) {
  const auto packets = std::span(packets_).first(count);
  const auto frames = std::span(frames_).first(count);
  const auto verdicts = std::span(verdicts_).first(count);
  ingress(shard, packets, frames, verdicts);
  mark(Station::kIngress);
  dispatch(shard, packets, frames, verdicts);
  mark(Station::kDispatch);
  settle(shard, packets, frames, verdicts);
  mark(Station::kSettle);
}

void StationLoop::run_once(testing::ShardRig& rig, Leg leg) {
  dataplane::Shard& shard = rig.shard();
  net::MemoryNic& nic = rig.nic();
  reading_ = &readings[static_cast<std::size_t>(leg)];
  last_ = __rdtsc();
  shard.begin_loop(rig.now_ns);
  refill_spares(shard, nic);
  const std::size_t count = nic.rx_burst(std::span(packets_).first(ShardLoad::kBurst));
  mark(Station::kReceive);
  if (count > 0) through_stations(shard, count);
  reading_->frames += count;
  upkeep(shard);
  mark(Station::kUpkeep);
  egress(shard, rig.now_ns + rig.loop_ns);
  mark(Station::kEgress);
  transmit(shard, nic);
  shard.counters.loops.add();
  shard.counters.busy_loops.add();
  shard.shared.routes.quiescent(raw(shard.options.id));
  mark(Station::kTransmit);
}

}  // namespace mcplane::perf
