// What the control thread asks of a shard's tasks and waiting lines (state/inspection.h). A command, for people:
// nothing of it runs unless somebody asks.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Answers one piece of the question: at most Inspection::kLookedMax slots and kCopiesMax copies.
void inspect(Shard& shard) noexcept;

}  // namespace mcplane::dataplane
