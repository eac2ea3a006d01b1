// See shard_load.h.
#include "shard_load.h"

#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "control/peers/ack_pace.h"
#include "wire/payload.h"

namespace mcplane::perf {
namespace {

// Beyond those in flight: a client goes on to a slot whose answer it had a while ago.
constexpr std::uint32_t kSpareSlots = 2;
constexpr std::uint32_t kTtlMs = 30'000;
constexpr std::uint32_t kAckDelayUs = 1'000;
constexpr std::uint64_t kTurnNsMax = 10'000;
// A task is at its worker for at most twice as long, whatever is in flight: less than after what a broker asks for it,
// so that every case is the same work.
constexpr std::uint64_t kTaskNsMax = 10 * kNsPerMs;

std::uint32_t slots_per_client(const ShardLoadOptions& options) {
  return (options.in_flight + options.clients - 1) / options.clients + kSpareSlots;
}

testing::RigOptions rig_options(const ShardLoadOptions& options, std::uint32_t slots) {
  testing::RigOptions rig;
  rig.traces = options.traces;
  rig.sessions = options.clients + options.workers;
  rig.workers = options.workers;
  rig.shard.client_slots = options.clients * slots;
  rig.shard.max_tasks = rig.shard.client_slots + ShardLoad::kBurst;
  rig.shard.max_queued = 64;
  return rig;
}

}  // namespace

ShardLoad::ShardLoad(const ShardLoadOptions& options)
    : options_(options), slots_(slots_per_client(options)), rig_(rig_options(options, slots_)) {
  add_peers();
  while (arrived_.size() < options_.in_flight) send();
  shuffle_running();
  send_cycles = 0;
}

void ShardLoad::add_peers() {
  testing::FrameSpec send, result;
  const auto worker_slots = static_cast<std::uint16_t>(
      std::clamp(2 * options_.in_flight / options_.workers, std::uint32_t{8}, std::uint32_t{0xffff}));
  for (std::uint32_t i = 0; i < options_.workers; ++i)
    result = rig_.spec_of(rig_.add_worker(worker_slots), wire::FrameType::Result);
  for (std::uint32_t i = 0; i < options_.clients; ++i) {
    testing::PeerSpec spec;
    spec.slots = static_cast<std::uint16_t>(slots_);
    send = rig_.send_spec(rig_.add_client(spec), 0, 0, kTtlMs);
    clients_.push_back(client_address(testing::build_frame(send)));
  }
  send.payload = result.payload = wire::write_task_payload(
      {.prompt = std::string(options_.payload_bytes - 32, 'x'), .history = {}, .parameters = {}});
  send_frame_ = testing::build_frame(send);
  result_frame_ = testing::build_frame(result);
  for (std::uint32_t client = 0; client < options_.clients; ++client)
    for (std::uint32_t slot = 0; slot < slots_; ++slot)
      lanes_.push_back({.client = client, .slot = static_cast<std::uint16_t>(slot)});
  for (std::uint32_t slot = 0; slot < slots_; ++slot)
    for (std::uint32_t client = 0; client < options_.clients; ++client) free_lanes_.push_back(client * slots_ + slot);
  // As control has it once all have been there for a while.
  rig_.shared.ack_wait_ms =
      control::AckPace::in_ms(control::AckPace::after(options_.clients + options_.workers, 1, kAckDelayUs));
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

void ShardLoad::send() {
  rig_.now_ns += std::min(kTurnNsMax, kTaskNsMax * kBurst / options_.in_flight);
  std::array<net::Packet, kBurst> packets;
  CHECK(rig_.nic().allocate(packets) && free_lanes_.size() >= kBurst);
  for (net::Packet& packet : packets) {
    Lane& lane = lanes_[free_lanes_.front()];
    free_lanes_.pop_front();
    lane.busy = true;
    write_send(packet, send_frame_, clients_[lane.client], lane.slot, ++lane.sequence);
    rig_.nic().inject(std::move(packet));
  }
  sent += kBurst;
  timed_sends();
  collect();
}

void ShardLoad::answer() {
  std::array<net::Packet, kBurst> packets;
  CHECK(rig_.nic().allocate(packets) && arrived_.size() + running_.size() >= kBurst);
  for (net::Packet& packet : packets) {
    if (running_.empty()) shuffle_running();
    write_result(packet, result_frame_, running_.back());
    running_.pop_back();
    rig_.nic().inject(std::move(packet));
  }
  timed_results();
  collect();
}

void ShardLoad::turn() {
  send();
  answer();
}

const state::PerfCounters& ShardLoad::measure_stations() {
  rig_.shared.perf_run.store(1, std::memory_order_relaxed);
  return rig_.shared.shards[0]->perf;
}

void ShardLoad::shuffle_running() {
  std::swap(arrived_, running_);
  for (auto left = static_cast<std::uint32_t>(running_.size()); left > 1; --left)
    std::swap(running_[left - 1], running_[random_.below(left)]);
}

void ShardLoad::collect() {
  std::array<net::Packet, 2 * kBurst> packets;
  while (const std::size_t count = rig_.nic().take_sent(packets)) {
    for (const net::Packet& packet : std::span(packets).first(count)) take_in(packet);
    rig_.nic().free(std::span(packets).first(count));
  }
}

void ShardLoad::take_in(const net::Packet& packet) {
  const wire::Header& header = header_in(packet);
  if (header.type() == wire::FrameType::Route) arrived_.push_back(running_task(packet));
  if (header.type() == wire::FrameType::Deliver) take_answer(header);
}

void ShardLoad::take_answer(const wire::Header& deliver) {
  const std::size_t index =
      std::size_t{SessionId{deliver.session()}.index() - options_.workers} * slots_ + deliver.slot();
  if (index >= lanes_.size() || !lanes_[index].busy || lanes_[index].sequence != deliver.sequence()) {
    ++wrong_answers_;
    return;
  }
  lanes_[index].busy = false;
  free_lanes_.push_back(static_cast<std::uint32_t>(index));
  ++delivered;
}

std::string ShardLoad::fault() {
  std::string wrong = rig_.check_counters();
  if (wrong_answers_ > 0) wrong += std::to_string(wrong_answers_) + " answers to nothing that was asked; ";
  if (delivered + arrived_.size() + running_.size() != sent)
    wrong += "tasks sent are neither delivered nor at a worker; ";
  return wrong;
}

}  // namespace mcplane::perf
