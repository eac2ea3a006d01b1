// CHECK: always on, for start-up and control. DCHECK: debug builds, for the hot path.
// Bytes from a peer are never an argument of either: they return a DropReason.
#pragma once

namespace mcplane {

// Prints "file:line: fact does not hold" to stderr and aborts. Any thread.
[[noreturn]] void check_failed(const char* fact, const char* file, int line) noexcept;

}  // namespace mcplane

#define CHECK(fact) ((fact) ? static_cast<void>(0) : ::mcplane::check_failed(#fact, __FILE__, __LINE__))

#ifdef NDEBUG
#define DCHECK(fact) static_cast<void>(sizeof((fact) ? 1 : 0))
#else
#define DCHECK(fact) CHECK(fact)
#endif
