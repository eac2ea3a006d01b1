// mcplane-worker: offers a backend to a broker until SIGTERM or SIGINT; then says BYE, ends what runs and leaves.
// Threads: main waits, one takes the signals, the library's own do the work.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "app/worker/flags.h"

namespace {

using mcplane::Worker;
using mcplane::app::WorkerCommand;

// Written by: main. Release once the worker is made; the signal thread's acquire then sees it whole.
std::atomic<Worker*> running{nullptr};

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void take_signals() {
  const sigset_t signals = ending_signals();
  int received = 0;
  sigwait(&signals, &received);
  // Not registered yet: there is nobody to say BYE to.
  if (Worker* const worker = running.load(std::memory_order_acquire))
    worker->stop();
  else
    _exit(mcplane::app::kExitOk);
}

void say(const WorkerCommand& command, const std::string& line) {
  std::FILE* const stream = command.json ? stdout : stderr;
  std::fprintf(stream, "%s\n", line.c_str());
  std::fflush(stream);
}

int serve(WorkerCommand& command) {
  mcplane::app::Backend& backend = *command.backend;
  const mcplane::app::WorkerObservers observers(command);
  Worker worker(command.options, [&backend](const mcplane::Task& task, mcplane::AnswerStream& stream) {
    return backend.answer(task, stream);
  });
  say(command, registered_line(command, worker.node_id()));
  running.store(&worker, std::memory_order_release);
  worker.run();
  // Handlers still at it after the library's grace would hold up its end.
  backend.interrupt();
  say(command, stopped_line(command, worker.tasks_done()));
  return mcplane::app::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  WorkerCommand command = mcplane::app::parse_worker_command(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  // Blocked before any thread exists, so that only sigwait sees them.
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(take_signals).detach();
  try {
    return serve(command);
  } catch (const std::runtime_error& error) {
    return mcplane::app::end(
        mcplane::app::failure("mcplane-worker", error.what(), mcplane::app::kExitBrokerUnreachable));
  }
}
