// Outbox storage: one block, datagrams packed from its start, so that reserve() and commit() are a few instructions.
// Owned by the thread that runs the engine.
#include "client/outbox.h"

#include "base/check.h"
#include "base/prefetch.h"
#include "base/types.h"

namespace mcplane::client {

namespace {

constexpr std::size_t kFirst = 2;  // operator new aligns the block, so every datagram starts 2 mod 4
constexpr std::size_t kStride = 16;
constexpr std::size_t kPlacesAhead = 4;  // as much time as another core needs to give its lines back
constexpr std::size_t kDatagramRoom = (Outbox::kDatagramBytesMax + kStride - 1) / kStride * kStride;

}  // namespace

Outbox::Outbox()
    : storage_(std::make_unique_for_overwrite<std::byte[]>(kFirst + kDatagrams * kDatagramRoom)),
      tail_(kFirst),
      entries_(std::make_unique<Entry[]>(kDatagrams)) {}

std::span<std::byte> Outbox::reserve() noexcept {
  DCHECK(!full());
  if (lent_ > 0) return place(0);
  return {storage_.get() + tail_, kDatagramBytesMax};
}

void Outbox::commit(std::size_t length_bytes, const wire::Endpoint& to, std::uint16_t sum) noexcept {
  DCHECK(!full());
  DCHECK(length_bytes <= reserve().size());
  // Field by field: a temporary would be read back in wider pieces than it was written in, which stalls.
  Entry& entry = entries_[count_++];
  entry.to.ip = to.ip;
  entry.to.port = to.port;
  entry.sum = sum;
  if (lent_ > 0) {
    entry.datagram = {place(0).data(), length_bytes};
    ++place_;
    --lent_;
    return prefetch_place(length_bytes);
  }
  entry.datagram = {storage_.get() + tail_, length_bytes};
  tail_ += (length_bytes + kStride - 1) / kStride * kStride;
}

// The next datagrams are likely to be as long. The place's own first line is where its headers end.
void Outbox::prefetch_place(std::size_t bytes) const noexcept {
  if (lent_ < kPlacesAhead) return;
  const std::byte* const next = place(kPlacesAhead - 1).data();
  for (std::size_t at = 0; at < bytes + kCacheLineBytes; at += kCacheLineBytes) prefetch_to_write(next + at);
}

void Outbox::lend(std::span<std::byte> place) noexcept {
  DCHECK(lent_ < kPlaces);
  places_[(place_ + lent_++) % kPlaces] = place;
}

void Outbox::clear() noexcept {
  count_ = 0;
  tail_ = kFirst;
}

}  // namespace mcplane::client
