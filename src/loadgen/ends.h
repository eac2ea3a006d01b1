// What the generator's clients and workers say they are, and how long its last tasks are waited for.
#pragma once

#include <cstdint>

#include "loadgen/options.h"
#include "wire/registration.h"

namespace mcplane::loadgen {

wire::HelloBody client_hello(std::uint16_t slots);
wire::HelloBody worker_hello(const Options& options);
// From the end of sending: what has no outcome then is lost.
std::uint64_t drain_ns(const Options& options) noexcept;

}  // namespace mcplane::loadgen
