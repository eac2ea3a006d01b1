// See shard_load.h.
#include "shard_load.h"

#include <x86intrin.h>

#include <algorithm>
#include <array>

#include "generated_frames.h"
#include "wire/payload.h"

namespace mcplane::perf {
namespace {

testing::RigOptions rig_options(const ShardLoadOptions& options, std::uint32_t slots) {
  testing::RigOptions rig;
  rig.buffers = options.in_flight + 2'048;
  rig.shard.max_tasks = options.in_flight + 1'024;
  rig.shard.max_queued = 64;
  rig.shard.client_slots = options.clients * slots;
  return rig;
}

std::uint32_t slots_per_client(const ShardLoadOptions& options) { return options.in_flight / options.clients + 64; }

}  // namespace

ShardLoad::ShardLoad(const ShardLoadOptions& options)
    : options_(options), rig_(rig_options(options, slots_per_client(options))), slots_(slots_per_client(options)) {
  for (std::uint32_t i = 0; i < options.workers; ++i)
    rig_.add_worker(static_cast<std::uint16_t>(2 * options.in_flight / options.workers + 64));
  const std::string prompt(options.payload_bytes - 32, 'x');
  for (std::uint32_t client = 0; client < options.clients; ++client) {
    testing::PeerSpec spec;
    spec.slots = static_cast<std::uint16_t>(slots_);
    testing::FrameSpec send = rig_.send_spec(rig_.add_client(spec), 0, 0, 30'000);
    send.payload = wire::write_task_payload({.prompt = prompt, .history = {}, .parameters = {}});
    send_frames_.push_back(testing::build_frame(send));
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      lanes_.push_back({client, static_cast<std::uint16_t>(slot), 0});
      free_lanes_.push_back(static_cast<std::uint32_t>(lanes_.size() - 1));
    }
  }
  rig_.publish();
  rig_.settle();
}

void ShardLoad::timed_sends() {
  const std::uint64_t before = __rdtsc();
  rig_.step(ShardId{});
  send_cycles += __rdtsc() - before;
}

void ShardLoad::timed_results() {
  const std::uint64_t before = __rdtsc();
  rig_.step(ShardId{});
  result_cycles += __rdtsc() - before;
}

void ShardLoad::inject_sends() {
  std::array<net::Packet, kBurst> packets;
  rig_.nic().allocate(packets);
  for (net::Packet& packet : packets) {
    Lane& lane = lanes_[free_lanes_.back()];
    free_lanes_.pop_back();
    write_send(packet, send_frames_[lane.client], lane.slot, ++lane.sequence);
    rig_.nic().inject(std::move(packet));
  }
  sent += kBurst;
}

void ShardLoad::inject_results() {
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    turn_round(routes_.front());
    rig_.nic().inject(std::move(routes_.front()));
    routes_.pop_front();
  }
}

void ShardLoad::collect() {
  std::array<net::Packet, 2 * kBurst> packets;
  while (const std::size_t count = rig_.nic().take_sent(packets)) take_in(std::span(packets).first(count));
}

void ShardLoad::take_in(std::span<net::Packet> packets) {
  for (net::Packet& packet : packets) {
    const wire::Header& header = header_in(packet);
    if (header.type() == wire::FrameType::Route) {
      routes_.push_back(std::move(packet));
      continue;
    }
    if (header.type() == wire::FrameType::Deliver) {
      ++delivered;
      const std::uint32_t client = SessionId{header.session()}.index() - options_.workers;
      free_lanes_.push_back(client * slots_ + header.slot());
    }
    rig_.nic().free({&packet, 1});
  }
}

std::uint32_t ShardLoad::turn() {
  rig_.now_ns += 10'000;
  inject_sends();
  timed_sends();
  collect();
  if (routes_.size() < options_.in_flight) return 0;
  inject_results();
  timed_results();
  collect();
  return kBurst;
}

std::string ShardLoad::fault() {
  std::string wrong = rig_.check_counters();
  if (delivered + routes_.size() != sent) wrong += "tasks sent are neither delivered nor at a worker; ";
  return wrong;
}

}  // namespace mcplane::perf
