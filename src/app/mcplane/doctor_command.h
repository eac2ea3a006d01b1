// `mcplane doctor`: a line for each check of doctor.h, for people or as JSON. Main thread; starts nothing.
#pragma once

#include <string>
#include <vector>

#include "app/mcplane/doctor.h"

namespace mcplane::app {

// argv as main() gets it, without the word doctor. Returns the exit code: kExitOk when the port has what it needs.
int run_doctor(int argc, const char* const* argv);

std::string doctor_text(const std::vector<Diagnosis>& diagnoses, const net::DeviceSpec& port, bool coloured);
std::string doctor_json(const std::vector<Diagnosis>& diagnoses, const net::DeviceSpec& port);

}  // namespace mcplane::app
