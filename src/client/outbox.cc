// Outbox storage: one block, datagrams packed from its start, so that reserve() and commit() are a few instructions.
// Owned by the thread that runs the engine.
#include "client/outbox.h"

#include "base/check.h"

namespace mcplane::client {

namespace {

constexpr std::size_t kFirst = 2;  // operator new aligns the block, so every datagram starts 2 mod 4
constexpr std::size_t kStride = 16;
constexpr std::size_t kDatagramRoom = (Outbox::kDatagramBytesMax + kStride - 1) / kStride * kStride;

}  // namespace

Outbox::Outbox()
    : storage_(std::make_unique_for_overwrite<std::byte[]>(kFirst + kDatagrams * kDatagramRoom)),
      tail_(kFirst),
      entries_(std::make_unique<Entry[]>(kDatagrams)) {}

std::span<std::byte> Outbox::reserve() noexcept {
  DCHECK(!full());
  return {storage_.get() + tail_, kDatagramBytesMax};
}

void Outbox::commit(std::size_t length_bytes, const wire::Endpoint& to) noexcept {
  DCHECK(!full());
  DCHECK(length_bytes <= kDatagramBytesMax);
  // Field by field: a temporary would be read back in wider pieces than it was written in, which stalls.
  Entry& entry = entries_[count_++];
  entry.datagram = {storage_.get() + tail_, length_bytes};
  entry.to.ip = to.ip;
  entry.to.port = to.port;
  tail_ += (length_bytes + kStride - 1) / kStride * kStride;
}

void Outbox::clear() noexcept {
  count_ = 0;
  tail_ = kFirst;
}

}  // namespace mcplane::client
