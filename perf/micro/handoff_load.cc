// See handoff_load.h. With 0 < handed_percent < 100 both threads would inject into one NIC, so it is 0 or 100: each
// NIC's ring keeps one producer.
#include "handoff_load.h"

#include <pthread.h>
#include <x86intrin.h>

#include <array>
#include <thread>

#include "base/check.h"
#include "generated_frames.h"
#include "wire/payload.h"

namespace mcplane::perf {
namespace {

// A loop this long was interrupted: the CPU did something else meanwhile.
constexpr std::uint64_t kInterruptedCycles = 200'000;

// Real time, since a thread that waits loops much faster than one that works; its unit matters to nobody.
std::uint64_t nearly_now_ns() noexcept { return __rdtsc() / 3; }

std::uint32_t slots_per_client(const HandoffLoadOptions& options) { return options.in_flight / options.clients + 64; }

testing::RigOptions rig_options(const HandoffLoadOptions& options) {
  testing::RigOptions rig;
  rig.shards = HandoffLoad::kSides;
  rig.buffers = 1;
  rig.handoff_frames = 1'024;
  rig.shard.max_tasks = options.in_flight + 1'024;
  rig.shard.max_queued = 64;
  rig.shard.start_ns = nearly_now_ns();
  rig.shard.client_slots = options.clients * slots_per_client(options);
  return rig;
}

void pin_to_cpu(std::uint32_t cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

void flush_from_cache(std::span<const net::Packet> packets) {
  for (const net::Packet& packet : packets)
    for (std::size_t at = 0; at < packet.length() + kCacheLineBytes; at += kCacheLineBytes)
      _mm_clflush(packet.data() + at);
}

}  // namespace

std::uint64_t round_trip_cycles() {
  constexpr std::uint32_t kTrips = 5'000;
  struct alignas(2 * kCacheLineBytes) Line {
    std::atomic<std::uint32_t> trip{0};
  } there, back;
  // Release and acquire: the other's store is all that is read.
  std::thread other([&] {
    pin_to_cpu(1);
    for (std::uint32_t i = 1; i <= kTrips; ++i) {
      while (there.trip.load(std::memory_order_acquire) != i) {
      }
      back.trip.store(i, std::memory_order_release);
    }
  });
  std::uint64_t passed = 0;
  std::thread one([&] {
    pin_to_cpu(0);
    const std::uint64_t start = __rdtsc();
    for (std::uint32_t i = 1; i <= kTrips; ++i) {
      there.trip.store(i, std::memory_order_release);
      while (back.trip.load(std::memory_order_acquire) != i) {
      }
    }
    passed = __rdtsc() - start;
  });
  one.join();
  other.join();
  return passed / kTrips;
}

HandoffLoad::HandoffLoad(const HandoffLoadOptions& options)
    : options_(options), slots_(slots_per_client(options)), rig_(rig_options(options)), pool_(16'384) {
  CHECK(options.handed_percent == 0 || options.handed_percent == 100);
  for (std::uint32_t i = 0; i < kSides; ++i) {
    sides_.push_back(std::make_unique<Side>(pool_));
    sides_[i]->loop = std::make_unique<dataplane::CoreLoop<testing::RingNic>>(
        rig_.shard(i), std::vector{&sides_[i]->nic}, dataplane::Burst{static_cast<std::uint16_t>(kBurst)});
    add_peers(i);
  }
  rig_.publish();
  // Sessions are installed a few a loop.
  for (int loop = 0; loop < 32; ++loop)
    for (std::uint32_t i = 0; i < kSides; ++i) turn(i, false);
}

HandoffLoad::~HandoffLoad() {
  for (auto& side : sides_) side->loop->finish();
}

void HandoffLoad::add_peers(std::uint32_t index) {
  Side& side = *sides_[index];
  const std::string action = options_.shared_workers ? "generate" : "generate" + std::to_string(index);
  for (std::uint32_t i = 0; i < options_.workers; ++i) {
    testing::PeerSpec spec;
    spec.actions = {action};
    rig_.add_worker(static_cast<std::uint16_t>(4 * options_.in_flight / options_.workers), spec);
  }
  const std::string prompt(options_.payload_bytes - 32, 'x');
  for (std::uint32_t client = 0; client < options_.clients; ++client) {
    testing::PeerSpec spec;
    spec.shard = ShardId(static_cast<std::uint8_t>(index));
    spec.slots = static_cast<std::uint16_t>(slots_);
    testing::FrameSpec send = rig_.send_spec(rig_.add_client(spec), 0, 0, 30'000);
    send.table = wire::write_route_table(action, "llama", {}, "");
    send.payload = wire::write_task_payload({.prompt = prompt, .history = {}, .parameters = {}});
    side.send_frames.push_back(testing::build_frame(send));
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      side.free_lanes.push_back(static_cast<std::uint32_t>(side.lanes.size()));
      side.lanes.push_back({client, static_cast<std::uint16_t>(slot), 0});
    }
  }
}

void HandoffLoad::inject(std::uint32_t index, std::span<net::Packet> packets) {
  const std::uint32_t at = options_.handed_percent == 100 ? 1 - index : index;
  if (options_.frames_in_memory) flush_from_cache(packets);
  CHECK(sides_[at]->nic.inject(packets) == packets.size());
}

void HandoffLoad::inject_sends(std::uint32_t index) {
  Side& side = *sides_[index];
  std::array<net::Packet, kBurst> packets;
  CHECK(side.stock.allocate(packets, PortId{}));
  for (net::Packet& packet : packets) {
    Lane& lane = side.lanes[side.free_lanes.back()];
    side.free_lanes.pop_back();
    write_send(packet, side.send_frames[lane.client], lane.slot, ++lane.sequence);
  }
  inject(index, packets);
  side.sent += kBurst;
}

void HandoffLoad::inject_results(std::uint32_t index) {
  Side& side = *sides_[index];
  std::array<net::Packet, kBurst> packets;
  std::size_t count = 0;
  for (; count < kBurst && !side.routes.empty(); ++count) {
    packets[count] = std::move(side.routes.front());
    side.routes.pop_front();
    turn_round(packets[count]);
  }
  inject(index, std::span(packets).first(count));
}

void HandoffLoad::collect(Side& side) {
  std::array<net::Packet, 2 * kBurst> packets;
  const std::size_t count = side.nic.take_sent(packets);
  for (net::Packet& packet : std::span(packets).first(count)) {
    const wire::Header& header = header_in(packet);
    if (header.type() == wire::FrameType::Route) {
      side.routes.push_back(std::move(packet));
      continue;
    }
    if (header.type() == wire::FrameType::Deliver) {
      ++side.delivered;
      const std::uint32_t session = SessionId{header.session()}.index();
      const std::uint32_t peers = options_.workers + options_.clients;
      side.free_lanes.push_back((session % peers - options_.workers) * slots_ + header.slot());
    }
    side.stock.free({&packet, 1});
  }
}

void HandoffLoad::turn(std::uint32_t index, bool sends) {
  Side& side = *sides_[index];
  if (sends && side.sent - side.delivered + kBurst <= options_.in_flight) inject_sends(index);
  if (side.routes.size() >= kBurst || !sends) inject_results(index);
  const std::uint64_t before = __rdtsc();
  const bool worked = side.loop->run_once(nearly_now_ns);
  const std::uint64_t passed = __rdtsc() - before;
  if (worked && passed < kInterruptedCycles) side.cycles += passed;
  collect(side);
}

// A side that has its answers goes on: the other's frames pass through it.
void HandoffLoad::run_side(std::uint32_t index, std::uint64_t until_delivered) {
  pin_to_cpu(index);
  bool done = false;
  while (sides_done_.load(std::memory_order_relaxed) < kSides) {
    turn(index, true);
    if (done || sides_[index]->delivered < until_delivered) continue;
    done = true;
    sides_done_.fetch_add(1, std::memory_order_relaxed);
  }
}

void HandoffLoad::run(std::uint64_t tasks) {
  sides_done_.store(0, std::memory_order_relaxed);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kSides; ++i)
    threads.emplace_back([this, i, until = sides_[i]->delivered + tasks] { run_side(i, until); });
  for (std::thread& thread : threads) thread.join();
}

std::string HandoffLoad::fault() {
  const auto in_flight = [this] { return sides_[0]->sent + sides_[1]->sent - delivered(); };
  for (int loop = 0; loop < 10'000 && in_flight() > 0; ++loop)
    for (std::uint32_t i = 0; i < kSides; ++i) turn(i, false);
  std::string wrong = rig_.check_counters();
  if (in_flight() > 0) wrong += std::to_string(in_flight()) + " tasks were not answered; ";
  return wrong;
}

}  // namespace mcplane::perf
