// See ends.h.
#include "loadgen/ends.h"

#include "client/client_engine.h"

namespace mcplane::loadgen {
namespace {

// After TTL and grace the engines have ended everything; what they have not is their error, and counts as lost.
constexpr std::uint64_t kDrainMarginNs = 500 * kNsPerMs;

}  // namespace

wire::HelloBody client_hello(std::uint16_t slots) {
  wire::HelloBody hello;
  hello.service = wire::Service::kClient;
  hello.slots = slots;
  hello.name = "mcplane-load";
  return hello;
}

wire::HelloBody worker_hello(const Options& options) {
  wire::HelloBody hello;
  hello.service = options.shadow ? wire::Service::kShadowWorker : wire::Service::kWorker;
  hello.slots = options.worker_slots;
  hello.name = "mcplane-load-worker";
  hello.actions = {options.action};
  return hello;
}

std::uint64_t drain_ns(const Options& options) noexcept { return options.ttl_ns + client::kGraceNs + kDrainMarginNs; }

}  // namespace mcplane::loadgen
