// What clients ask for, what holds for it, and who serves it: GET /v1/routes. Control thread.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

// found: the answer of all shards to Subject::kRoutes.
std::string routes_json(const Control& control, const Found& found);
inline Inquiry routes_inquiry() { return {.question = {.subject = state::Inspection::Subject::kRoutes}}; }

}  // namespace mcplane::control
