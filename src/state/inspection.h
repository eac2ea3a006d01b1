// What control may know of the tasks and the waiting lines that only a core can read: control writes a question and
// sends kInspect, the core copies a bounded piece of the answer, and control asks for the next. One question a shard.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/types.h"
#include "state/task_state.h"
#include "wire/header.h"
#include "wire/route_table.h"

namespace mcplane::state {

// What a task asks for, flat: whether it is a shadow task; then action, model and tags, each behind a byte that holds
// its length.
struct Selector {
  static constexpr std::size_t kBytesMax = 1 + (2 + wire::kTagsMax) * (wire::kNameBytesMax + 1);

  std::uint16_t length = 0;  // 0: not known any more
  std::array<std::byte, kBytesMax> bytes;
};

struct TaskCopy {
  TaskToken token;
  wire::Id16 id{};
  TaskState state{};
  std::uint8_t attempt = 0, tries = 0;
  bool client_knows = false, degraded = false, mirror = false, answering = false;
  std::uint16_t flags = 0, slot = 0;
  std::uint32_t sequence = 0;
  SessionId client, worker;
  std::uint32_t age_ms = 0, queued_us = 0;
  std::int32_t ttl_left_ms = 0;
  std::uint32_t waiting_in_class = 0, waiting_in_route = 0;  // kQueued: frames in its class and its route, its own too
  Selector selector;
};

// A selector that the shard has seen, and who waits for it.
struct RouteCopy {
  std::array<std::uint32_t, wire::kPriorities> waiting{};  // by class
  Selector selector;
};

struct Inspection {
  // Slots looked at, and copies made, in one loop.
  static constexpr std::uint32_t kLookedMax = 1'024, kCopiesMax = 32;

  enum class Subject : std::uint8_t { kTasks, kRoutes };

  // Written by: control, before it pushes kInspect; the ring's release store pairs with the core's acquire load of it.
  struct Question {
    Subject subject = Subject::kTasks;
    std::uint32_t from = 0, to = ~0U;  // slots of the table, from `from` on, before `to`
    std::uint32_t states = ~0U;        // tasks: a bit each
    std::optional<wire::Id16> id{};    // tasks
    std::uint32_t generation = 0;      // tasks: of their slots; 0: any
    Selector route{};                  // tasks: theirs begins so, shadow task or not; empty: any
  } question;

  // Written by: the core, before it stores `answered`.
  std::uint32_t next = 0;  // slot where the next piece begins
  bool more = false;       // there is one
  std::uint32_t count = 0;
  std::array<TaskCopy, kCopiesMax> tasks;
  std::array<RouteCopy, kCopiesMax> routes;
  // Pieces, so far. The core's release store pairs with control's acquire load: the copies are visible.
  std::atomic<std::uint32_t> answered{0};
};

}  // namespace mcplane::state
