// What jemalloc holds. Any thread.
#pragma once

#include "control/config/options.h"

namespace mcplane::app {

control::HeapUse heap_use();

}  // namespace mcplane::app
