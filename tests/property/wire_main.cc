#include <cstdlib>

#include "property/wire_properties.h"

int main() {
  const bool round_trips = mcplane::wire::check_round_trips();
  const bool edits = mcplane::wire::check_edits();
  return round_trips && edits ? EXIT_SUCCESS : EXIT_FAILURE;
}
