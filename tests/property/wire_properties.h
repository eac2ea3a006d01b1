// The properties of src/wire, run by wire_main.cc. Each prints its counterexample and returns false.
#pragma once

namespace mcplane::wire {

bool check_round_trips();
bool check_edits();
bool check_topics();

}  // namespace mcplane::wire
