// What was wrong with a command line, in one line: CLI11's errors in our words, and what was probably meant.
// Main thread.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::app {

// The flag or the environment variable at fault, why, and what to type instead. `app` has parsed `arguments` and
// thrown `error`.
std::string explain_mistake(const CLI::App& app, const CLI::ParseError& error, std::span<const char* const> arguments);

// "--rx-burst" -> "MCPLANE_RX_BURST".
std::string environment_name(std::string_view flag);

// The candidate that `typed` was most likely meant to be, by edit distance; empty when none is close.
std::string nearest(std::string_view typed, const std::vector<std::string>& candidates);
// "a, b or c".
std::string alternatives(const std::vector<std::string>& words);

}  // namespace mcplane::app
