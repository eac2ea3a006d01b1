// The properties of src/dataplane's containers, run by dataplane_main.cc. Each prints its counterexample and returns
// false.
#pragma once

namespace mcplane::dataplane {

bool check_timing_wheel();
bool check_held_frames();
bool check_mesh();
bool check_choice();
bool check_answer_cache();

}  // namespace mcplane::dataplane
