// A program's man page and its completion in bash, made of its command tree: what is not a flag or a command is in
// neither, and what is, is in both. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace mcplane::app {

// roff, with the macros of man(7). section: 1, or 8 for what only an administrator runs.
std::string man_page(const CLI::App& program, int section);
// A script that completes commands, flags, files, and values: of a flag whose type is written "a|b|c", and node ids,
// which it asks `PROGRAM nodes` for.
std::string bash_completion(const CLI::App& program);

}  // namespace mcplane::app
