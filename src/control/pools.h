// From registered workers to what cores route by. Control thread.
#pragma once

#include <cstdint>
#include <memory>

#include "control/registry.h"
#include "state/route_snapshot.h"

namespace mcplane::control {

struct Publication {
  std::unique_ptr<const state::RouteSnapshot> snapshot;
  std::size_t workers = 0;  // in it
};

// The workers that are up, each in the pool of its capability set. Pools are ordered by their sets, workers by id:
// equal registries give equal snapshots.
Publication build_snapshot(const Registry& registry, std::uint64_t generation);

}  // namespace mcplane::control
