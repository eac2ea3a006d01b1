// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed 64-bit hash for short inputs that a peer chooses:
// registration cookies, selector tables. About 73 cycles for 64 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mcplane {

using SipKey = std::array<std::uint64_t, 2>;

// Pure; any thread.
std::uint64_t siphash24(const SipKey& key, std::span<const std::byte> bytes) noexcept;

}  // namespace mcplane
