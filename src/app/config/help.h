// `mcplane --help-config`: the table of the configuration file's keys, in Markdown, which README shows as it is.
#pragma once

#include <string>

namespace mcplane::app {

std::string config_help();

}  // namespace mcplane::app
