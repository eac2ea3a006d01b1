// Task ids: people write any text of 1 to 64 bytes, the wire carries 16 bytes. A UUID is those bytes; other text is
// hashed to them and travels beside them, so that both ends see the text the task was sent with. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "wire/header.h"

namespace mcplane::client {

struct TaskId {
  wire::Id16 bytes{};
  bool text_travels = false;  // the bytes do not give the text back
};

TaskId task_id_from(std::string_view text) noexcept;
// The text a worker sees: the one that travelled, else the bytes as a UUID in lower case.
std::string task_id_text(const wire::Id16& bytes, std::string_view travelled);
// RFC 4122 4.4.
wire::Id16 random_uuid(Random& random) noexcept;

}  // namespace mcplane::client
