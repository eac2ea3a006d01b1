// From what a frame or timer says to the Outcome an application gets, and the words for it. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/client_engine.h"
#include "mcplane/task.h"

namespace mcplane::client {

// "no_worker", "queue_full", ...
using wire::reason_word;

// task_id: as the application wrote it. now_ns: when the completion came.
Outcome outcome_of(const Completion& completion, std::string task_id, std::uint64_t submitted_ns, std::uint64_t now_ns);

}  // namespace mcplane::client
