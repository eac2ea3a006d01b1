// From a seed to a run: each seed draws its own sizes, its own load, and the range of every fault, many of them off, so
// that what hides behind a fault that is always there is found by a seed without it.
#pragma once

#include "options.h"

namespace mcplane::sim {

Options draw(std::uint64_t seed);

}  // namespace mcplane::sim
