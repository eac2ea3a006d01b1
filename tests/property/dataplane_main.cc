#include <cstdlib>

#include "property/dataplane_properties.h"

int main() {
  const bool wheel = mcplane::dataplane::check_timing_wheel();
  const bool lines = mcplane::dataplane::check_held_frames();
  const bool mesh = mcplane::dataplane::check_mesh();
  const bool choice = mcplane::dataplane::check_choice();
  const bool answers = mcplane::dataplane::check_answer_cache();
  return wheel && lines && mesh && choice && answers ? EXIT_SUCCESS : EXIT_FAILURE;
}
