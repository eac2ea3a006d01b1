// mcplane: the appliance. Flags are read and validated before anything starts; then signals decide.
// TERM, INT and USR2 drain: new tasks are refused, tasks in flight may finish; a second signal ends at once.
// HUP reads the configuration file again; without one it is left to end the process.
#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "app/appliance.h"
#include "app/doctor_command.h"
#include "app/memory.h"

namespace {

using mcplane::app::ApplianceConfig;

constexpr std::uint32_t kDrainPatienceMs = 2'000;

sigset_t awaited_signals(const ApplianceConfig& config) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR2}) sigaddset(&set, number);
  if (!config.config_path.empty()) sigaddset(&set, SIGHUP);
  return set;
}

void say_started(const ApplianceConfig& config) {
  for (const mcplane::app::PortConfig& port : config.ports)
    std::fprintf(stderr, "mcplane: serving %s UDP port %u on %s\n", mcplane::wire::to_string(port.ips[0].ip).c_str(),
                 config.base_port, mcplane::net::to_string(port.device).c_str());
  std::fprintf(stderr, "mcplane: %zu core%s, first on CPU %u; admin %s\n", config.cores.size(),
               config.cores.size() == 1 ? "" : "s", config.cores[0], config.admin_path.c_str());
  std::fprintf(stderr, "mcplane: %s\n", mcplane::app::memory_line(config).c_str());
  if (config.faults) std::fprintf(stderr, "mcplane: --faults: this is a test; every port loses or damages frames\n");
  std::fprintf(stderr, "mcplane: next: mcplane-worker --broker %s --backend echo\n",
               mcplane::wire::to_string(config.ports[0].ips[0].ip).c_str());
}

int run(const ApplianceConfig& config) {
  // Blocked before any thread exists, so that only sigwait sees them.
  const sigset_t signals = awaited_signals(config);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  mcplane::app::Appliance appliance(config);
  say_started(config);
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP) appliance.reload();
  std::fprintf(stderr, "mcplane: draining; send the signal again to end at once\n");
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  for (const int number : {SIGTERM, SIGINT, SIGUSR2}) signal(number, SIG_DFL);
  appliance.drain(kDrainPatienceMs);
  return mcplane::app::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "doctor") return mcplane::app::run_doctor(argc - 1, argv + 1);
  const auto command = mcplane::app::parse_appliance_config(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  try {
    return run(command.config);
  } catch (const std::exception& error) {
    return mcplane::app::end(mcplane::app::failure("mcplane", error.what(), mcplane::app::kExitRuntime));
  }
}
