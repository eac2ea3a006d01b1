#include <cstdlib>

#include "property/wire_properties.h"

int main() {
  const bool round_trips = mcplane::wire::check_round_trips();
  const bool edits = mcplane::wire::check_edits();
  const bool topics = mcplane::wire::check_topics();
  return round_trips && edits && topics ? EXIT_SUCCESS : EXIT_FAILURE;
}
