// See heap.h.
#include "app/appliance/heap.h"

#include <jemalloc/jemalloc.h>

#include <cstdint>

namespace mcplane::app {
namespace {

std::size_t read(const char* name) {
  std::size_t value = 0, size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

control::HeapUse heap_use() {
  // The figures are of the last time that the epoch was set.
  std::uint64_t epoch = 1;
  mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
  return {.allocated = read("stats.allocated"),
          .active = read("stats.active"),
          .metadata = read("stats.metadata"),
          .resident = read("stats.resident"),
          .mapped = read("stats.mapped"),
          .retained = read("stats.retained")};
}

}  // namespace mcplane::app
