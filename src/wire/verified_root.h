// The one place that decides whether bytes from a peer are a FlatBuffers table. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcp_generated.h"

namespace mcplane::wire {

// The root of `bytes`, or null when it is unsound, longer than bytes_max or visits more than tables_max tables.
// The verifier checks alignment within the buffer only, and asserts on an oversized one: both are checked first.
template <class Table>
const Table* verified_root(std::span<const std::byte> bytes, std::size_t bytes_max, std::uint32_t tables_max) noexcept {
  constexpr std::uint32_t kDepthMax = 8;
  if (bytes.empty() || bytes.size() > bytes_max) return nullptr;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(flatbuffers::uoffset_t) != 0) return nullptr;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), kDepthMax, tables_max);
  return verifier.VerifyBuffer<Table>(nullptr) ? flatbuffers::GetRoot<Table>(data) : nullptr;
}

// Tables of a buffer that has a root and strings only.
inline constexpr std::uint32_t kFlatTablesMax = 16;

}  // namespace mcplane::wire
