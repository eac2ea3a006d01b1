// See vhost_guest.h. DPDK tells of messages by the guest's number alone, so all ports are listed in one place.
#include "net/dpdk/vhost_guest.h"

#include <rte_eth_vhost.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "base/lone_writer.h"

namespace mcplane::net {
namespace {

// What a modern virtio device has before each frame (virtio 1.2, 5.1.6).
constexpr std::uint64_t kVirtioHeaderBytes = 12;
// Feature bits (virtio 1.2, 6): rings are packed; addresses are an IOMMU's.
constexpr std::uint64_t kPackedRings = 1ULL << 34, kTranslated = 1ULL << 33;

struct Ports {
  std::mutex lock;
  std::vector<VhostGuest*> all;

  template <class Action>
  rte_vhost_msg_result tell(Action action) {
    const std::lock_guard guard(lock);
    std::ranges::for_each(all, action);
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
  }
};

Ports& ports() {
  static Ports instance;
  return instance;
}

rte_vhost_msg_result before_message(int guest, void*) {
  return ports().tell([guest](VhostGuest* one) { one->on_message_begin(guest); });
}

rte_vhost_msg_result after_message(int guest, void*) {
  return ports().tell([guest](VhostGuest* one) { one->on_message_end(guest); });
}

constexpr rte_vhost_user_extern_ops kMessages = {.pre_msg_handle = before_message, .post_msg_handle = after_message};

int on_link_event(std::uint16_t, rte_eth_event_type, void* one, void*) {
  const std::lock_guard guard(ports().lock);
  static_cast<VhostGuest*>(one)->on_link();
  return 0;
}

// Guest and host are named by who fills the ring: its receive queue is 0, its transmit queue 1, of each pair.
std::uint16_t to_guest(std::uint16_t queue) noexcept { return static_cast<std::uint16_t>(2 * queue); }
std::uint16_t from_guest(std::uint16_t queue) noexcept { return static_cast<std::uint16_t>(2 * queue + 1); }

PackedRing ring_of(int guest, std::uint16_t index) noexcept {
  rte_vhost_vring ring{};
  if (rte_vhost_get_vhost_vring(guest, index, &ring) != 0) return {};
  return {reinterpret_cast<PackedDescriptor*>(ring.desc_packed), ring.size};
}

// DPDK maps what lies before it as well.
const std::byte* start_of(const rte_vhost_mem_region& region) noexcept {
  const auto* const mapped = static_cast<const std::byte*>(region.mmap_addr);
  return mapped + (region.host_user_addr - reinterpret_cast<std::uintptr_t>(mapped));
}

// Where DPDK stands in a ring: the next descriptor that it looks at.
std::uint16_t place_in(int guest, std::uint16_t index) noexcept {
  std::uint16_t next = 0, used = 0;
  rte_vhost_get_vring_base(guest, index, &next, &used);
  return next;
}

// As many as the library takes at once, until it takes fewer.
std::uint16_t in_portions(std::span<rte_mbuf*> frames, auto&& move) noexcept {
  constexpr std::size_t kPortion = 32;
  std::size_t done = 0;
  for (bool all = true; all && done < frames.size();) {
    const std::size_t most = std::min(kPortion, frames.size() - done);
    const std::uint16_t moved = move(frames.data() + done, static_cast<std::uint16_t>(most));
    done += moved;
    all = moved == most;
  }
  return static_cast<std::uint16_t>(done);
}

}  // namespace

VhostGuest::VhostGuest(std::uint16_t dpdk_id, std::uint16_t queues)
    : dpdk_id_(dpdk_id), here_(queues), rings_(queues), queues_(queues) {
  {
    const std::lock_guard guard(ports().lock);
    ports().all.push_back(this);
  }
  rte_eth_dev_callback_register(dpdk_id_, RTE_ETH_EVENT_INTR_LSC, on_link_event, this);
}

VhostGuest::~VhostGuest() {
  // Not while one runs: it is asked again then.
  while (rte_eth_dev_callback_unregister(dpdk_id_, RTE_ETH_EVENT_INTR_LSC, on_link_event, this) == -EAGAIN) rte_pause();
  const std::lock_guard guard(ports().lock);
  std::erase(ports().all, this);
}

void VhostGuest::on_link() {
  rings_.shut();
  here_.shut();
  rte_eth_link link{};
  const bool up = rte_eth_link_get_nowait(dpdk_id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  guest_ = up ? rte_eth_vhost_get_vid_from_port_id(dpdk_id_) : kNobody;
  if (guest_ == kNobody) return;
  count_pairs();
  here_.open();
  if (rte_vhost_extern_callback_register(guest_, &kMessages, nullptr) == 0) on_message_end(guest_);
}

void VhostGuest::on_message_begin(int guest) noexcept {
  if (guest == guest_) rings_.shut();
}

void VhostGuest::on_message_end(int guest) {
  if (guest != guest_) return;
  count_pairs();
  if (read_tables()) rings_.open();
}

void VhostGuest::count_pairs() noexcept {
  pairs_.store(static_cast<std::uint16_t>(rte_vhost_get_vring_num(guest_) / 2), std::memory_order_relaxed);
}

// Whether there are rings to look into.
bool VhostGuest::read_tables() {
  std::uint64_t features = 0;
  if (rte_vhost_get_negotiated_features(guest_, &features) != 0) return false;
  if ((features & kPackedRings) == 0 || (features & kTranslated) != 0) return false;
  rte_vhost_memory* memory = nullptr;
  if (rte_vhost_get_mem_table(guest_, &memory) != 0) return false;
  regions_.clear();
  for (const rte_vhost_mem_region& region : std::span(memory->regions, memory->nregions))
    regions_.push_back({region.guest_phys_addr, region.size, start_of(region)});
  std::free(memory);
  std::uint16_t queue = 0;
  for (Queue& rings : queues_) {
    rings.from_guest = ring_of(guest_, from_guest(queue));
    rings.to_guest = ring_of(guest_, to_guest(queue));
    ++queue;
  }
  return true;
}

std::uint16_t VhostGuest::receive(std::uint16_t queue, rte_mempool* pool, std::span<rte_mbuf*> frames) noexcept {
  if (!enter(queue)) return 0;
  const std::uint16_t count = in_portions(frames, [&](rte_mbuf** first, std::uint16_t most) {
    return rte_vhost_dequeue_burst(guest_, from_guest(queue), pool, first, most);
  });
  here_.leave(queue);
  add_alone(queues_[queue].received, count);
  return count;
}

std::uint16_t VhostGuest::send(std::uint16_t queue, std::span<rte_mbuf*> frames) noexcept {
  if (!enter(queue)) return 0;
  const std::uint16_t count = in_portions(frames, [&](rte_mbuf** first, std::uint16_t most) {
    return rte_vhost_enqueue_burst(guest_, to_guest(queue), first, most);
  });
  here_.leave(queue);
  rte_pktmbuf_free_bulk(frames.data(), count);
  add_alone(queues_[queue].sent, count);
  return count;
}

VhostGuest::Carried VhostGuest::carried() const noexcept {
  Carried sum;
  for (const Queue& queue : queues_) {
    sum.received += queue.received.load(std::memory_order_relaxed);
    sum.sent += queue.sent.load(std::memory_order_relaxed);
  }
  return sum;
}

void VhostGuest::collect(const PackedRing& ring, std::uint16_t stands, std::uint16_t most, auto&& add) const noexcept {
  ring.for_available(stands, most, [&](std::uint64_t address, std::uint32_t length) {
    for (const Region& region : regions_) {
      const std::uint64_t offset = address - region.guest_address;
      if (offset < region.bytes) return add(region.here + offset, length);
    }
  });
}

void VhostGuest::look(std::uint16_t queue, std::uint16_t frames, Upcoming& upcoming) noexcept {
  if (!rings_.enter(queue)) return;
  collect(queues_[queue].from_guest, place_in(guest_, from_guest(queue)), frames,
          [&upcoming](const std::byte* at, std::uint32_t length) {
            if (length > kVirtioHeaderBytes) upcoming.add_frame(at + kVirtioHeaderBytes, length - kVirtioHeaderBytes);
          });
  collect(queues_[queue].to_guest, place_in(guest_, to_guest(queue)), frames,
          [&upcoming](const std::byte* at, std::uint32_t) { upcoming.add_buffer(at); });
  rings_.leave(queue);
}

}  // namespace mcplane::net
