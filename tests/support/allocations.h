// The heap allocations this test executable has made so far through operator new, by all its threads.
#pragma once

#include <cstddef>

namespace mcplane {

std::size_t heap_allocations() noexcept;

}  // namespace mcplane
