// Tasks in the cores' tables, and why each worker may or may not have one: GET /v1/tasks. Control thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/control.h"

namespace mcplane::control {

// The oldest first.
std::string tasks_json(const Control& control, const Found& found);
// One task, or several that were sent under one id: each with its candidates.
std::string explanation_json(const Control& control, const Found& found);

// "b6f1...": 32 hexadecimal digits of an id, dashes between them or not; "00000012:00000003": a token. nullopt:
// neither.
std::optional<Inquiry> inquiry_of(std::string_view name);
std::string token_text(TaskToken token);
std::string id_text(const wire::Id16& id);

}  // namespace mcplane::control
