// Tells the CPU that this thread spins: it issues less, and leaves more to its sibling.
#pragma once

#include <immintrin.h>

namespace mcplane {

inline void cpu_relax() noexcept { _mm_pause(); }

}  // namespace mcplane
