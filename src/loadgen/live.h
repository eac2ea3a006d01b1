// What a person sees while a run goes on: one line that renews itself on a terminal, one line a second elsewhere.
// Written to stderr, so that stdout holds the result alone. Main thread.
#pragma once

#include <atomic>

#include "loadgen/tally.h"

namespace mcplane::loadgen {

// Makes SIGINT and SIGTERM wait for show_progress() in this thread and those it starts. Call before any is started.
void hold_stop_signals();

// Returns soon after `finished`. On SIGINT or SIGTERM sets `stop`.
void show_progress(const Progress& progress, const std::atomic<bool>& finished, std::atomic<bool>& stop);

}  // namespace mcplane::loadgen
