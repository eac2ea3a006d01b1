// A datagram kept until its receiver has acknowledged it. The buffer stays for the next one and only ever grows. Starts
// 2 mod 4, as the header's alignment needs. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/prefetch.h"
#include "base/types.h"
#include "wire/checksum.h"

namespace mcplane::client {

class KeptDatagram {
 public:
  // Room for a datagram of that many bytes, at most 65,000; what was there is gone.
  std::span<std::byte> prepare(std::size_t bytes) {
    if (bytes + kFirst > capacity_) grow(bytes + kFirst);
    bytes_ = static_cast<std::uint16_t>(bytes);
    return mutable_bytes();
  }
  // Returns the datagram's wire::sum_bytes(), which costs next to nothing on the way.
  std::uint16_t keep(std::span<const std::byte> datagram) {
    return wire::copy_and_sum(prepare(datagram.size()).data(), datagram);
  }
  std::span<const std::byte> bytes() const noexcept { return {storage_.get() + kFirst, bytes_}; }
  std::span<std::byte> mutable_bytes() noexcept { return {storage_.get() + kFirst, bytes_}; }
  // The lines that a datagram of the same size will be written to.
  void prefetch() const noexcept {
    if (capacity_ == 0) return;
    const std::size_t lines = std::min<std::size_t>((bytes_ + kFirst + kCacheLineBytes - 1) / kCacheLineBytes, kLines);
    for (std::size_t i = 0; i < lines; ++i) prefetch_to_write(storage_.get() + i * kCacheLineBytes);
  }

 private:
  static constexpr std::size_t kFirst = 2;
  static constexpr std::size_t kLines = 8;  // beyond, the processor's own prefetcher has caught on

  void grow(std::size_t bytes) {
    const std::size_t capacity = (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
    storage_ = std::make_unique_for_overwrite<std::byte[]>(capacity);
    capacity_ = static_cast<std::uint16_t>(capacity);
  }

  std::unique_ptr<std::byte[]> storage_;
  std::uint16_t bytes_ = 0;
  std::uint16_t capacity_ = 0;
};

}  // namespace mcplane::client
