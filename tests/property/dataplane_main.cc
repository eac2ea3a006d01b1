#include <cstdlib>

#include "property/dataplane_properties.h"

int main() {
  const bool wheel = mcplane::dataplane::check_timing_wheel();
  const bool lines = mcplane::dataplane::check_held_frames();
  return wheel && lines ? EXIT_SUCCESS : EXIT_FAILURE;
}
