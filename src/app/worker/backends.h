// What answers a task behind mcplane-worker: `echo` gives the prompt back, `exec:COMMAND` runs a shell command and
// streams its output.
// Backends are called from several handler threads at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/command_line/units.h"
#include "mcplane/worker.h"

namespace mcplane::app {

class Backend {
 public:
  virtual ~Backend() = default;
  // As a StreamHandler. Blocks at most for the task's TTL.
  virtual Answer answer(const Task& task, AnswerStream& stream) = 0;
  // Ends every answer() in progress, and those to come, at once with an error. Any thread.
  virtual void interrupt() noexcept = 0;
};

// "echo" or "exec:COMMAND". Main thread.
Parsed<std::unique_ptr<Backend>> make_backend(std::string_view text);

}  // namespace mcplane::app
