// Which selector a task asked for, as long as its entry in the RouteCache is that selector's: by the entry's index, and
// by the last 16 bits of the claim that made it so.
#pragma once

#include <cstdint>

namespace mcplane::dataplane {

struct RouteName {
  std::uint16_t entry = 0, claim = 0;

  friend bool operator==(const RouteName&, const RouteName&) = default;
};

}  // namespace mcplane::dataplane
