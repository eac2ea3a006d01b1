// Out of line so that a CHECK costs its caller one compare and a cold call.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mcplane {

void check_failed(const char* fact, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: %s does not hold\n", file, line, fact);
  std::abort();
}

}  // namespace mcplane
