// Requests about routes, tasks and frames: what cores have to be asked for. Below /v1.
#pragma once

#include <chrono>
#include <functional>

#include "control/admin/answer.h"
#include "control/cores/inquiries.h"

namespace httplib {
class Server;
}

namespace mcplane::control {

// Asks the cores, runs `report` on the control thread and waits for the answer; any thread.
using Report = std::function<Answer(const Control&, const Found&)>;
using AskCores = std::function<Answer(const Inquiry&, Report)>;

// As ask_of(), but that cores answer a piece a poll, so it takes longer.
AskCores ask_cores_of(Control& control, std::chrono::milliseconds patience);

// Both are copied.
void serve_inspection(httplib::Server& server, const Ask& ask, const AskCores& ask_cores);

}  // namespace mcplane::control
