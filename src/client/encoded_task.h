// A Task as the wire wants it. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "mcplane/task.h"
#include "wire/header.h"

namespace mcplane::client {

struct EncodedTask {
  wire::Id16 id{};
  std::uint16_t flags = 0;
  std::uint32_t affinity = 0;
  std::vector<std::byte> table;
  std::vector<std::byte> payload;
};

// "" when the task keeps the limits named in mcplane/task.h, else "field: what is wrong" in one line.
std::string malformed_field(const Task& task);
// True when no message can hold the task, whatever its encoding.
bool certainly_too_large(const Task& task) noexcept;
// An empty id gets a random UUID, written to task.id. The task is not malformed.
EncodedTask encode_task(Task& task, Random& random);

}  // namespace mcplane::client
