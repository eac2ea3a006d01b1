// Strong types for the small integers that must not be mixed up.
// Everything here is trivially copyable; a thread may hold any of it.
#pragma once

#include <cstdint>
#include <type_traits>

namespace mcplane {

// Index of a worker's line in state::WorkerTable, shared by all cores.
enum class WorkerId : std::uint32_t {};
inline constexpr WorkerId kNoWorker{0xffffffffU};

// One of a worker's actions, by its place in their sorted list: the same for all workers of a pool.
enum class SkillId : std::uint8_t {};
inline constexpr std::uint32_t kSkillsMax = 16;

// Index of a next hop's entry in state::NeighbourTable, shared by all cores.
enum class NeighbourId : std::uint32_t {};
inline constexpr NeighbourId kNoNeighbour{0};  // its entry exists, and its MAC is never known

// A shard is one dataplane core's share of sessions and tasks; UDP port = base port + shard.
enum class ShardId : std::uint8_t {};

// Index of an appliance port (a NIC), in the order of the --port flags.
enum class PortId : std::uint8_t {};

template <class Enum>
requires std::is_enum_v<Enum>
constexpr auto raw(Enum value) noexcept { return static_cast<std::underlying_type_t<Enum>>(value); }

// A session, on the wire `session` and towards users `node_id`: a slot of the session table and the
// generation that slot was in. Value 0 names no session: generations are never 0.
struct SessionId {
  static constexpr std::uint32_t kIndexBits = 20;
  static constexpr std::uint32_t kIndexMask = (1U << kIndexBits) - 1;
  static constexpr std::uint32_t kGenerationMax = (1U << (32 - kIndexBits)) - 1;

  std::uint32_t value = 0;

  static constexpr SessionId make(std::uint32_t index, std::uint32_t generation) noexcept {
    return {(generation << kIndexBits) | (index & kIndexMask)};
  }
  constexpr std::uint32_t index() const noexcept { return value & kIndexMask; }
  constexpr std::uint32_t generation() const noexcept { return value >> kIndexBits; }
  constexpr explicit operator bool() const noexcept { return value != 0; }
  friend constexpr bool operator==(SessionId, SessionId) = default;
};

// A task at the broker: shard and slot of its task table, and that slot's generation (never 0).
struct TaskToken {
  static constexpr std::uint32_t kIndexBits = 24;
  static constexpr std::uint32_t kIndexMask = (1U << kIndexBits) - 1;

  std::uint32_t location = 0;
  std::uint32_t generation = 0;

  static constexpr TaskToken make(ShardId shard, std::uint32_t index, std::uint32_t generation) noexcept {
    return {(std::uint32_t{raw(shard)} << kIndexBits) | (index & kIndexMask), generation};
  }
  constexpr ShardId shard() const noexcept { return ShardId(static_cast<std::uint8_t>(location >> kIndexBits)); }
  constexpr std::uint32_t index() const noexcept { return location & kIndexMask; }
  friend constexpr bool operator==(TaskToken, TaskToken) = default;
};

inline constexpr std::uint64_t kNsPerUs = 1'000;
inline constexpr std::uint64_t kNsPerMs = 1'000'000;
inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace mcplane
