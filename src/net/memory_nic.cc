// Buffers start on a cache line, a frame at kHeadroomBytes behind it: the alignment of a DPDK buffer, so UBSan's
// alignment check sees in tests what production does. Under ASan a buffer in the pool is poisoned, so a read
// after free() is reported as such.
#include "net/memory_nic.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::net {

namespace {

constexpr std::size_t round_up_to_line(std::size_t bytes) noexcept {
  return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
}

}  // namespace

void MemoryNic::Pool::AlignedDelete::operator()(std::byte* memory) const noexcept {
  ::operator delete[](memory, std::align_val_t{kCacheLineBytes});
}

MemoryNic::Pool::Pool(std::uint32_t buffers, std::uint16_t buffer_bytes)
    : buffer_bytes_(buffer_bytes), memory_bytes_(buffers * round_up_to_line(buffer_bytes)), buffers_(buffers) {
  CHECK(buffers > 0 && buffer_bytes > kHeadroomBytes);
  memory_.reset(new (std::align_val_t{kCacheLineBytes}) std::byte[memory_bytes_]);
  free_.reserve(buffers);
  for (std::size_t i = 0; i < buffers; ++i) buffers_[i].memory = memory_.get() + i * round_up_to_line(buffer_bytes);
  // The lowest address is taken first.
  for (std::size_t i = buffers; i-- > 0;) free_.push_back(&buffers_[i]);
  ASAN_POISON_MEMORY_REGION(memory_.get(), memory_bytes_);
}

MemoryNic::Pool::~Pool() { ASAN_UNPOISON_MEMORY_REGION(memory_.get(), memory_bytes_); }

MemoryNic::Buffer* MemoryNic::Pool::take(Holder holder) noexcept {
  if (free_.empty()) return nullptr;
  Buffer* buffer = free_.back();
  free_.pop_back();
  buffer->holder = holder;
  ASAN_UNPOISON_MEMORY_REGION(buffer->memory, buffer_bytes_);
  return buffer;
}

MemoryNic::Buffer* MemoryNic::Pool::find_held(void* handle) noexcept {
  // Integer arithmetic, since a foreign handle may not be compared with ours as a pointer. One before the first
  // wraps to a huge distance.
  const auto distance = reinterpret_cast<std::uintptr_t>(handle) - reinterpret_cast<std::uintptr_t>(buffers_.data());
  const std::size_t index = distance / sizeof(Buffer);
  if (distance % sizeof(Buffer) == 0 && index < buffers_.size() && buffers_[index].holder == Holder::kCaller)
    return &buffers_[index];
  ++errors_;
  return nullptr;
}

bool MemoryNic::Pool::give_to_queue(void* handle) noexcept {
  Buffer* buffer = find_held(handle);
  if (buffer == nullptr) return false;
  buffer->holder = Holder::kQueue;
  return true;
}

bool MemoryNic::Pool::give_back(void* handle) noexcept {
  Buffer* buffer = find_held(handle);
  if (buffer == nullptr) return false;
  if (buffer->shares > 0) {
    --buffer->shares;
    return true;
  }
  buffer->holder = Holder::kPool;
  ASAN_POISON_MEMORY_REGION(buffer->memory, buffer_bytes_);
  free_.push_back(buffer);
  return true;
}

void MemoryNic::Pool::share(const Packet& packet, std::uint16_t times) noexcept {
  Buffer* buffer = find_held(packet.buffer());
  if (buffer == nullptr) return;
  buffer->shares += times;
  buffer->shared_from = static_cast<std::uint16_t>(packet.data() - buffer->memory);
}

MemoryNic::PacketQueue::PacketQueue(std::uint32_t capacity) : slots_(std::bit_ceil(std::size_t{capacity})) {}

void MemoryNic::PacketQueue::push(Packet packet) noexcept {
  DCHECK(size() < slots_.size());
  slots_[tail_++ & (slots_.size() - 1)] = std::move(packet);
}

Packet MemoryNic::PacketQueue::pop() noexcept {
  DCHECK(size() > 0);
  return std::move(slots_[head_++ & (slots_.size() - 1)]);
}

MemoryNic::MemoryNic(const Options& options)
    : MemoryNic(options, std::make_shared<Pool>(options.buffers, options.buffer_bytes)) {}

MemoryNic::MemoryNic(const Options& options, const MemoryNic& sibling) : MemoryNic(options, sibling.pool_) {}

MemoryNic::MemoryNic(const Options& options, std::shared_ptr<Pool> pool)
    : options_(options), pool_(std::move(pool)), to_receive_(pool_->total()), sent_(pool_->total()) {}

Packet MemoryNic::make(Buffer& buffer, std::uint16_t length) const noexcept {
  return {buffer.memory + kHeadroomBytes, &buffer, length, kHeadroomBytes, options_.port};
}

std::uint16_t MemoryNic::rx_burst(std::span<Packet> packets) noexcept {
  const std::size_t count = std::min({packets.size(), to_receive_.size(), std::size_t{0xffff}});
  for (Packet& packet : packets.first(count)) {
    packet = to_receive_.pop();
    static_cast<Buffer*>(packet.buffer())->holder = Holder::kCaller;
  }
  return static_cast<std::uint16_t>(count);
}

std::uint16_t MemoryNic::tx_burst(std::span<Packet> packets) noexcept {
  std::size_t count = std::min(packets.size(), std::size_t{0xffff});
  if (options_.tx_capacity != 0)
    count = std::min(count, options_.tx_capacity - std::min<std::size_t>(sent_.size(), options_.tx_capacity));
  for (Packet& packet : packets.first(count)) {
    // A buffer the caller does not hold is taken, as a NIC would, but never reaches the wire.
    if (pool_->give_to_queue(packet.buffer())) sent_.push(std::move(packet));
  }
  return static_cast<std::uint16_t>(count);
}

bool MemoryNic::allocate(std::span<Packet> packets) noexcept {
  if (packets.size() > pool_->free_count()) return false;
  for (Packet& packet : packets) packet = make(*pool_->take(Holder::kCaller), 0);
  return true;
}

void MemoryNic::free(std::span<Packet> packets) noexcept {
  for (Packet& packet : packets) {
    if (packet.buffer() == nullptr) continue;
    if (packet.tail() != nullptr) pool_->give_back(packet.tail());
    pool_->give_back(packet.buffer());
  }
}

std::span<const std::byte> MemoryNic::tail_of(const Packet& packet) noexcept {
  if (packet.tail() == nullptr) return {};
  const Buffer& buffer = *static_cast<const Buffer*>(packet.tail());
  return {buffer.memory + buffer.shared_from, packet.tail_length()};
}

void MemoryNic::gather(Packet& packet) noexcept {
  if (packet.tail() == nullptr) return;
  DCHECK(packet.headroom() + packet.frame_length() <= pool_->buffer_bytes());
  std::ranges::copy(tail_of(packet), packet.data() + packet.length());
  pool_->give_back(packet.tail());
  packet.set_length(packet.frame_length());
  packet.clear_tail();
}

bool MemoryNic::inject(std::span<const std::byte> frame) {
  if (frame.size() > pool_->buffer_bytes() - std::size_t{kHeadroomBytes}) return false;
  Buffer* buffer = pool_->take(Holder::kQueue);
  if (buffer == nullptr) return false;
  Packet packet = make(*buffer, static_cast<std::uint16_t>(frame.size()));
  std::ranges::copy(frame, packet.data());
  to_receive_.push(std::move(packet));
  return true;
}

void MemoryNic::inject(Packet packet) {
  if (!pool_->give_to_queue(packet.buffer())) return;
  packet.set_port(options_.port);
  to_receive_.push(std::move(packet));
}

std::size_t MemoryNic::take_sent(std::span<Packet> packets) noexcept {
  const std::size_t count = std::min(packets.size(), sent_.size());
  for (Packet& packet : packets.first(count)) {
    packet = sent_.pop();
    static_cast<Buffer*>(packet.buffer())->holder = Holder::kCaller;
    gather(packet);
  }
  return count;
}

std::vector<Packet> MemoryNic::take_sent() {
  std::vector<Packet> packets(sent_.size());
  take_sent(packets);
  return packets;
}

std::vector<std::vector<std::byte>> MemoryNic::take_sent_bytes() {
  std::vector<Packet> packets = take_sent();
  std::vector<std::vector<std::byte>> frames;
  frames.reserve(packets.size());
  for (const Packet& packet : packets) frames.emplace_back(packet.bytes().begin(), packet.bytes().end());
  free(packets);
  return frames;
}

}  // namespace mcplane::net
