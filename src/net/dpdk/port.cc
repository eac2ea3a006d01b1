// Port set-up is the same for every kind of device: the queues asked for, checksum verification where the device has
// it, every multicast group (NDP needs solicited-node ones). Checksums to be sent are always made by egress: it has
// the sums at hand, and an offload would cost the cold half of each mbuf and the sender's end-to-end protection.
// The constructor and destructor run on the main thread; rx, tx, allocate and free on the queue's lcore.
#include "net/dpdk/port.h"

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "base/check.h"
#include "net/dpdk/vhost_guest.h"

namespace mcplane::net {

static_assert(RTE_PKTMBUF_HEADROOM == kHeadroomBytes);

namespace {

// Ethernet header and two VLAN tags; the frame check sequence, which some devices store.
constexpr std::uint32_t kLinkBytes = 14 + 2 * 4 + 4;
// Buffers an lcore keeps to itself, so that most bursts never reach the pool's ring.
constexpr unsigned kPoolCacheBuffers = 256;

[[noreturn]] void fail(const PortOptions& options, const std::string& what, int error) {
  throw std::runtime_error("port " + options.device + ": " + what + ": " + rte_strerror(std::abs(error)));
}

[[noreturn]] void fail(const PortOptions& options, const std::string& what) {
  throw std::runtime_error("port " + options.device + ": " + what);
}

std::uint16_t find_device(const PortOptions& options) {
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(options.device.c_str(), &id) == 0) return id;
  fail(options, "there is no such device");
}

rte_mempool* make_pool(const PoolOptions& options) {
  // Whole KiB behind the headroom: some devices round a buffer down to that, then split frames over two.
  const std::uint32_t frame_bytes = (options.mtu + kLinkBytes + 1023U) / 1024 * 1024;
  const std::uint32_t room_bytes = kHeadroomBytes + frame_bytes;
  CHECK(room_bytes <= UINT16_MAX);
  rte_mempool* pool = rte_pktmbuf_pool_create(options.name, options.buffers, kPoolCacheBuffers, 0,
                                              static_cast<std::uint16_t>(room_bytes), SOCKET_ID_ANY);
  if (pool == nullptr)
    throw std::runtime_error("no memory for " + std::to_string(options.buffers) + " packet buffers of " +
                             std::to_string(room_bytes) + " bytes; give DPDK more, or take fewer");
  return pool;
}

// What the device is asked for on sending. Where each frame is one buffer, held once, of the one pool, a driver that
// knows it returns a burst without looking at each buffer's second cache line.
std::uint64_t tx_offloads(const PortOptions& options, std::uint64_t has) noexcept {
  constexpr std::uint64_t kTails = RTE_ETH_TX_OFFLOAD_MULTI_SEGS, kShortcut = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  const bool slower = (has & kShortcut) != 0;
  const bool share =
      options.sharing == Sharing::kWherePossible || (options.sharing == Sharing::kUnlessSlower && !slower);
  return share && (has & kTails) != 0 ? kTails : has & kShortcut;
}

DpdkPort::Offloads configure_device(const PortOptions& options, std::uint16_t dpdk_id) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(dpdk_id, &info); error != 0) fail(options, "cannot be queried", error);
  if (options.queues == 0 || options.queues > std::min(info.max_rx_queues, info.max_tx_queues))
    fail(options, std::to_string(options.queues) + " queues asked for; it has " +
                      std::to_string(std::min(info.max_rx_queues, info.max_tx_queues)));
  if (options.mtu < info.min_mtu || options.mtu > info.max_mtu)
    fail(options, "mtu " + std::to_string(options.mtu) + " is outside its " + std::to_string(info.min_mtu) + " to " +
                      std::to_string(info.max_mtu));
  rte_eth_conf conf{};
  conf.rxmode.mtu = options.mtu;
  conf.intr_conf.rxq = options.interrupts ? 1 : 0;
  const std::uint64_t hash = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
  if (options.queues > 1 && hash != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = hash;
  }
  if (options.verify_checksums)
    conf.rxmode.offloads = info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
  conf.txmode.offloads = tx_offloads(options, info.tx_offload_capa);
  if (const int error = rte_eth_dev_configure(dpdk_id, options.queues, options.queues, &conf); error != 0)
    fail(options, "cannot be configured", error);
  return {.verifies_checksums = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0,
          .sends_tails = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0};
}

void set_up_queues(const PortOptions& options, std::uint16_t dpdk_id, rte_mempool* pool) {
  std::uint16_t rx_descriptors = options.rx_descriptors, tx_descriptors = options.tx_descriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(dpdk_id, &rx_descriptors, &tx_descriptors); error != 0)
    fail(options, "refuses the queue sizes", error);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(dpdk_id));
  for (std::uint16_t queue = 0; queue < options.queues; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(dpdk_id, queue, rx_descriptors, socket, nullptr, pool); error != 0)
      fail(options, "rx queue " + std::to_string(queue) + " cannot be made", error);
    if (const int error = rte_eth_tx_queue_setup(dpdk_id, queue, tx_descriptors, socket, nullptr); error != 0)
      fail(options, "tx queue " + std::to_string(queue) + " cannot be made", error);
  }
}

// Point-to-point devices (vhost, memif) cannot filter, or have no MTU of their own: they answer ENOTSUP.
void require(const PortOptions& options, const char* what, int error) {
  if (error != 0 && error != -ENOTSUP) fail(options, what, error);
}

void start(const PortOptions& options, std::uint16_t dpdk_id) {
  require(options, "mtu cannot be set", rte_eth_dev_set_mtu(dpdk_id, options.mtu));
  if (const int error = rte_eth_dev_start(dpdk_id); error != 0) fail(options, "cannot be started", error);
  require(options, "promiscuous mode cannot be set", rte_eth_promiscuous_enable(dpdk_id));
  require(options, "multicast reception cannot be set", rte_eth_allmulticast_enable(dpdk_id));
}

// What this thread's cache kept when it filled the queues: the cores could not take it from there.
void empty_cache(rte_mempool* pool) noexcept {
  if (rte_mempool_cache* const cache = rte_mempool_default_cache(pool, rte_lcore_id()); cache != nullptr)
    rte_mempool_cache_flush(cache, pool);
}

void end(std::uint16_t dpdk_id) noexcept {
  rte_eth_dev_stop(dpdk_id);
  rte_eth_dev_close(dpdk_id);
}

rte_mempool* as_pool(void* pool) noexcept { return static_cast<rte_mempool*>(pool); }

void fill_packet(Packet& packet, rte_mbuf* mbuf, PortId port) noexcept {
  packet.become(rte_pktmbuf_mtod(mbuf, std::byte*), mbuf, mbuf->data_len, mbuf->data_off, port);
  const std::uint64_t checksums = mbuf->ol_flags & (RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);
  // Of the ports in memory, every frame.
  if (mbuf->nb_segs == 1 && checksums == 0) return;
  if (mbuf->nb_segs > 1) packet.set_chained();
  const std::uint64_t l4 = checksums & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  const std::uint64_t ip = checksums & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD) packet.set_checksum_good();
  if (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD || ip == RTE_MBUF_F_RX_IP_CKSUM_BAD) packet.set_checksum_bad();
}

rte_mbuf* mbuf_of(const Packet& packet) noexcept { return static_cast<rte_mbuf*>(packet.buffer()); }

// DPDK frees a tail with its frame, as one share.
void append_tail(rte_mbuf* mbuf, const Packet& packet) noexcept {
  if (packet.tail() == nullptr) [[likely]]
    return;
  mbuf->next = static_cast<rte_mbuf*>(packet.tail());
  mbuf->nb_segs = 2;
}

// The stations changed the descriptor only; the device reads the buffer's own fields.
rte_mbuf* write_back(const Packet& packet) noexcept {
  rte_mbuf* mbuf = mbuf_of(packet);
  DCHECK(!packet.chained());
  DCHECK(packet.headroom() + packet.length() <= mbuf->buf_len);
  mbuf->data_off = packet.headroom();
  mbuf->data_len = packet.length();
  mbuf->pkt_len = packet.frame_length();
  // The receive flags' bits mean other things to the transmitter.
  mbuf->ol_flags = 0;
  append_tail(mbuf, packet);
  return mbuf;
}

}  // namespace

PortOptions port_options(const DeviceSpec& device, std::uint8_t index) {
  PortOptions options;
  options.name = to_string(device);
  options.device = dpdk_name(device, index);
  options.id = PortId(index);
  options.queues = device.queues;
  options.mtu = device.mtu;
  options.verify_checksums = may_verify_checksums(device.kind);
  options.rings_for_frames = device.kind == DeviceKind::kTap;
  options.shares_rings = device.kind == DeviceKind::kVhost;
  return options;
}

DpdkPool::DpdkPool(const PoolOptions& options) : pool_(make_pool(options)) {}

DpdkPool::~DpdkPool() { rte_mempool_free(as_pool(pool_)); }

std::uint32_t DpdkPool::buffers_total() const noexcept { return as_pool(pool_)->populated_size; }

std::uint32_t DpdkPool::buffers_free() const noexcept { return rte_mempool_avail_count(as_pool(pool_)); }

DpdkPort::DpdkPort(const PortOptions& options, DpdkPool& pool)
    : options_(options), dpdk_id_(find_device(options)), pool_(pool.pool_) {
  try {
    offloads_ = configure_device(options_, dpdk_id_);
    set_up_queues(options_, dpdk_id_, as_pool(pool_));
    if (options_.shares_rings) guest_ = std::make_unique<VhostGuest>(dpdk_id_, options_.queues);
    start(options_, dpdk_id_);
    empty_cache(as_pool(pool_));
  } catch (...) {
    guest_.reset();
    end(dpdk_id_);
    throw;
  }
}

DpdkPort::~DpdkPort() {
  guest_.reset();
  end(dpdk_id_);
}

wire::MacAddress DpdkPort::mac() const noexcept {
  rte_ether_addr address{};
  rte_eth_macaddr_get(dpdk_id_, &address);
  wire::MacAddress mac;
  std::ranges::copy(address.addr_bytes, mac.begin());
  return mac;
}

bool DpdkPort::link_up() const noexcept {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(dpdk_id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortStatistics DpdkPort::statistics() const noexcept {
  rte_eth_stats stats{};
  rte_eth_stats_get(dpdk_id_, &stats);
  const VhostGuest::Carried direct = guest_ != nullptr ? guest_->carried() : VhostGuest::Carried{};
  return {.rx_frames = stats.ipackets + direct.received,
          .tx_frames = stats.opackets + direct.sent,
          .rx_missed = stats.imissed,
          .rx_errors = stats.ierrors,
          .tx_errors = stats.oerrors,
          .rx_no_buffer = stats.rx_nombuf};
}

// The TAP driver reads its descriptor only once a real-time signal of its choice said that a frame came. A poll that
// finds no buffer counts as one that found no frame; the kernel's queue, full by then, takes no frame and raises no
// signal any more.
void DpdkPort::revive() noexcept {
  if (!options_.rings_for_frames) return;
  const std::uint64_t starved = statistics().rx_no_buffer;
  if (starved == starved_) return;
  starved_ = starved;
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    struct sigaction action {};
    const bool handled = sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL;
    if (handled && action.sa_handler != SIG_IGN) raise(signal);
  }
}

DpdkNic::DpdkNic(DpdkPort& port, std::uint16_t queue) noexcept
    : dpdk_id_(port.dpdk_id_), queue_(queue), id_(port.options_.id), guest_(port.guest_.get()), pool_(port.pool_) {}

std::uint16_t DpdkNic::receive(std::span<rte_mbuf*> frames) noexcept {
  if (guest_ != nullptr) return guest_->receive(queue_, as_pool(pool_), frames);
  return rte_eth_rx_burst(dpdk_id_, queue_, frames.data(), static_cast<std::uint16_t>(frames.size()));
}

std::uint16_t DpdkNic::send(std::span<rte_mbuf*> frames) noexcept {
  if (guest_ != nullptr) return guest_->send(queue_, frames);
  return rte_eth_tx_burst(dpdk_id_, queue_, frames.data(), static_cast<std::uint16_t>(frames.size()));
}

std::uint16_t DpdkNic::rx_burst(std::span<Packet> packets) noexcept {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  std::size_t received = 0;
  while (received < packets.size()) {
    const auto wanted = static_cast<std::uint16_t>(std::min<std::size_t>(kBurstMax, packets.size() - received));
    const std::uint16_t count = receive(std::span(mbufs).first(wanted));
    for (std::uint16_t i = 0; i < count; ++i) fill_packet(packets[received + i], mbufs[i], id_);
    received += count;
    if (count < wanted) break;
  }
  return static_cast<std::uint16_t>(received);
}

std::uint16_t DpdkNic::tx_burst(std::span<Packet> packets) noexcept {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  std::size_t sent = 0;
  while (sent < packets.size()) {
    const auto wanted = static_cast<std::uint16_t>(std::min<std::size_t>(kBurstMax, packets.size() - sent));
    for (std::uint16_t i = 0; i < wanted; ++i) mbufs[i] = write_back(packets[sent + i]);
    const std::uint16_t count = send(std::span(mbufs).first(wanted));
    sent += count;
    if (count < wanted) break;
  }
  return static_cast<std::uint16_t>(sent);
}

bool DpdkNic::allocate(std::span<Packet> packets) noexcept {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  for (std::size_t done = 0; done < packets.size();) {
    const std::size_t wanted = std::min<std::size_t>(kBurstMax, packets.size() - done);
    if (rte_pktmbuf_alloc_bulk(as_pool(pool_), mbufs.data(), static_cast<unsigned>(wanted)) != 0) {
      free(packets.first(done));
      std::ranges::generate(packets.first(done), [] { return Packet(); });
      return false;
    }
    for (std::size_t i = 0; i < wanted; ++i) fill_packet(packets[done + i], mbufs[i], id_);
    done += wanted;
  }
  return true;
}

void DpdkNic::free(std::span<Packet> packets) noexcept {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  while (!packets.empty()) {
    const auto part = packets.first(std::min<std::size_t>(kBurstMax, packets.size()));
    // Null buffers go along: rte_pktmbuf_free_bulk skips them.
    for (std::size_t i = 0; i < part.size(); ++i) {
      mbufs[i] = mbuf_of(part[i]);
      if (mbufs[i] != nullptr) append_tail(mbufs[i], part[i]);
    }
    rte_pktmbuf_free_bulk(mbufs.data(), static_cast<unsigned>(part.size()));
    packets = packets.subspan(part.size());
  }
}

void DpdkNic::share(const Packet& packet, std::uint16_t times) noexcept {
  rte_mbuf* mbuf = mbuf_of(packet);
  // Once: when it is shared already, drivers may be reading.
  if (rte_mbuf_refcnt_read(mbuf) == 1) write_back(packet);
  rte_mbuf_refcnt_update(mbuf, static_cast<std::int16_t>(times));
}

void DpdkNic::peek(std::uint16_t frames, Upcoming& upcoming) noexcept {
  if (guest_ != nullptr) guest_->look(queue_, frames, upcoming);
}

std::span<const std::byte> DpdkNic::tail_of(const Packet& packet) noexcept {
  if (packet.tail() == nullptr) return {};
  auto* tail = static_cast<rte_mbuf*>(packet.tail());
  return {rte_pktmbuf_mtod(tail, const std::byte*), tail->data_len};
}

}  // namespace mcplane::net
