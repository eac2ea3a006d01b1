// What only shows when hot keys are seen together; each alone is in range. Any thread.
#pragma once

#include <vector>

#include "app/config/file.h"

namespace mcplane::app {

std::vector<ConfigMistake> contradictions(const control::Settings& settings, const Places& places);

}  // namespace mcplane::app
