// See vhost_peek.h. DPDK tells of messages by the guest's number alone, so all ports are listed in one place.
#include "net/dpdk/vhost_peek.h"

#include <rte_eth_vhost.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

namespace mcplane::net {
namespace {

// What a modern virtio device has before each frame (virtio 1.2, 5.1.6).
constexpr std::uint64_t kVirtioHeaderBytes = 12;
// Feature bits (virtio 1.2, 6): rings are packed; addresses are an IOMMU's.
constexpr std::uint64_t kPackedRings = 1ULL << 34, kTranslated = 1ULL << 33;

struct Ports {
  std::mutex lock;
  std::vector<VhostPeek*> all;

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
  return ports().tell([guest](VhostPeek* peek) { peek->on_message_begin(guest); });
}

rte_vhost_msg_result after_message(int guest, void*) {
  return ports().tell([guest](VhostPeek* peek) { peek->on_message_end(guest); });
}

constexpr rte_vhost_user_extern_ops kMessages = {.pre_msg_handle = before_message, .post_msg_handle = after_message};

int on_link_event(std::uint16_t, rte_eth_event_type, void* peek, void*) {
  const std::lock_guard guard(ports().lock);
  static_cast<VhostPeek*>(peek)->on_link();
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

}  // namespace

VhostPeek::VhostPeek(std::uint16_t dpdk_id, std::uint16_t queues)
    : dpdk_id_(dpdk_id), shutter_(queues), queues_(queues) {
  {
    const std::lock_guard guard(ports().lock);
    ports().all.push_back(this);
  }
  rte_eth_dev_callback_register(dpdk_id_, RTE_ETH_EVENT_INTR_LSC, on_link_event, this);
}

VhostPeek::~VhostPeek() {
  // Not while one runs: it is asked again then.
  while (rte_eth_dev_callback_unregister(dpdk_id_, RTE_ETH_EVENT_INTR_LSC, on_link_event, this) == -EAGAIN) rte_pause();
  const std::lock_guard guard(ports().lock);
  std::erase(ports().all, this);
}

void VhostPeek::on_link() {
  shutter_.shut();
  rte_eth_link link{};
  const bool up = rte_eth_link_get_nowait(dpdk_id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  guest_ = up ? rte_eth_vhost_get_vid_from_port_id(dpdk_id_) : kNobody;
  if (guest_ == kNobody || rte_vhost_extern_callback_register(guest_, &kMessages, nullptr) != 0) return;
  on_message_end(guest_);
}

void VhostPeek::on_message_begin(int guest) noexcept {
  if (guest == guest_) shutter_.shut();
}

void VhostPeek::on_message_end(int guest) {
  if (guest == guest_ && read_tables()) shutter_.open();
}

// Whether there are rings to look into.
bool VhostPeek::read_tables() {
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

void VhostPeek::collect(const PackedRing& ring, std::uint16_t stands, std::uint16_t most, auto&& add) const noexcept {
  ring.for_available(stands, most, [&](std::uint64_t address, std::uint32_t length) {
    for (const Region& region : regions_) {
      const std::uint64_t offset = address - region.guest_address;
      if (offset < region.bytes) return add(region.here + offset, length);
    }
  });
}

void VhostPeek::look(std::uint16_t queue, std::uint16_t frames, Upcoming& upcoming) noexcept {
  if (!shutter_.enter(queue)) return;
  collect(queues_[queue].from_guest, place_in(guest_, from_guest(queue)), frames,
          [&upcoming](const std::byte* at, std::uint32_t length) {
            if (length > kVirtioHeaderBytes) upcoming.add_frame(at + kVirtioHeaderBytes, length - kVirtioHeaderBytes);
          });
  collect(queues_[queue].to_guest, place_in(guest_, to_guest(queue)), frames,
          [&upcoming](const std::byte* at, std::uint32_t) { upcoming.add_buffer(at); });
  shutter_.leave(queue);
}

}  // namespace mcplane::net
