// A command's prompt goes in by stdin and its labels by the environment, never through the shell's own parsing.
#include "app/worker/backends.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "app/worker/child_process.h"

namespace mcplane::app {
namespace {

class EchoBackend final : public Backend {
 public:
  Answer answer(const Task& task, AnswerStream& /*stream*/) override { return {task.prompt}; }
  void interrupt() noexcept override {}
};

std::string explain(const ChildResult& result, std::chrono::milliseconds ttl) {
  switch (result.end) {
    case ChildEnd::kExited:
      return result.error_line.empty() ? fmt::format("the command exited with status {}", result.code)
                                       : result.error_line;
    case ChildEnd::kSignalled:
      return fmt::format("the command was ended by signal {}", result.code);
    case ChildEnd::kTimedOut:
      return fmt::format("the command was killed after {} ms, the time the task had left", ttl.count());
    case ChildEnd::kInterrupted:
      return "the command was killed because its worker is stopping";
    case ChildEnd::kUnwanted:
      return "the command was killed because nobody waits for its answer";
    case ChildEnd::kNotStarted:
      return fmt::format("the command did not start: {}", std::generic_category().message(result.code));
  }
  return "";
}

class ExecBackend final : public Backend {
 public:
  explicit ExecBackend(std::string command) : command_(std::move(command)), interrupt_fd_(eventfd(0, EFD_CLOEXEC)) {
    if (interrupt_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~ExecBackend() override { close(interrupt_fd_); }
  ExecBackend(const ExecBackend&) = delete;
  ExecBackend& operator=(const ExecBackend&) = delete;

  Answer answer(const Task& task, AnswerStream& stream) override {
    ChildResult result = run_child(
        {.command = command_,
         .input = task.prompt,
         .environment = {{"MCPLANE_TASK_ID", task.id}, {"MCPLANE_ACTION", task.action}, {"MCPLANE_MODEL", task.model}},
         .time_limit = task.ttl,
         .interrupt_fd = interrupt_fd_,
         .take_output = [&stream](std::string_view output) { return stream.write(output); },
         .unwanted = [&stream] { return stream.cancelled(); }});
    if (result.end == ChildEnd::kExited && result.code == 0) return {std::move(result.output)};
    return {explain(result, task.ttl), true};
  }
  // The event stays readable: nobody reads it.
  void interrupt() noexcept override { eventfd_write(interrupt_fd_, 1); }

 private:
  std::string command_;
  int interrupt_fd_;
};

}  // namespace

Parsed<std::unique_ptr<Backend>> make_backend(std::string_view text) {
  using Result = Parsed<std::unique_ptr<Backend>>;
  constexpr std::string_view kExec = "exec:";
  if (text == "echo") return Result::good(std::make_unique<EchoBackend>());
  if (text.starts_with(kExec) && text.size() > kExec.size())
    return Result::good(std::make_unique<ExecBackend>(std::string(text.substr(kExec.size()))));
  return Result::bad(quote(text) + " is not a backend; type echo or exec:COMMAND, such as exec:'tr a-z A-Z'");
}

}  // namespace mcplane::app
