// Each signal is awaited, never handled where it strikes: what it asks for is ordinary code of the main thread.
#include "app/mcplane/serve.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "app/appliance/appliance.h"
#include "app/appliance/memory.h"
#include "app/mcplane/service_manager.h"
#include "app/mcplane/state_dump.h"

namespace mcplane::app {
namespace {

using Clock = std::chrono::steady_clock;

// Blocks them for the calling thread and those it makes, so that only await() sees them.
sigset_t block_signals(const ApplianceConfig& config) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGQUIT}) sigaddset(&set, number);
  if (!config.config_path.empty()) sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return set;
}

void say_http(const wire::Endpoint& at) {
  const bool is_loopback = at.ip.is_v4() ? at.ip.bytes[12] == 127 : wire::to_string(at.ip) == "::1";
  std::fprintf(stderr, "mcplane: page http://%s/%s\n", wire::to_string(at).c_str(),
               is_loopback ? "" : "; that is not loopback: whoever reaches it sees what it shows");
}

void say_started(const ApplianceConfig& config, const Appliance& appliance) {
  for (const PortConfig& port : config.ports)
    std::fprintf(stderr, "mcplane: serving %s UDP port %u on %s\n", wire::to_string(port.ips[0].ip).c_str(),
                 config.base_port, net::to_string(port.device).c_str());
  std::fprintf(stderr, "mcplane: %zu core%s, first on CPU %u; admin %s\n", config.cores.size(),
               config.cores.size() == 1 ? "" : "s", config.cores[0], config.admin_path.c_str());
  std::fprintf(stderr, "mcplane: %s\n", memory_line(config).c_str());
  if (const auto at = appliance.http()) say_http(*at);
  if (config.faults) std::fprintf(stderr, "mcplane: --faults: this is a test; every port loses or damages frames\n");
  std::fprintf(stderr, "mcplane: next: mcplane-worker --broker %s --backend echo\n",
               wire::to_string(config.ports[0].ips[0].ip).c_str());
}

class Server {
 public:
  explicit Server(const ApplianceConfig& config)
      : config_(config), signals_(block_signals(config)), appliance_(config), next_beat_(Clock::now()) {}

  void run() {
    say_started(config_, appliance_);
    service_.ready();
    while (!ends(awaited_)) {
      awaited_ = await(std::chrono::hours(1));
      take(awaited_);
    }
    finish();
  }

 private:
  static bool ends(int number) noexcept { return number == SIGTERM || number == SIGINT; }

  // The next signal; 0 when none came. Feeds the watchdog meanwhile.
  int await(Clock::duration patience) {
    if (Clock::now() >= next_beat_) {
      next_beat_ = Clock::now() + service_.beat_interval();
      appliance_.ask([this](const control::Control& control) { service_.beat(control); });
    }
    const auto left = std::max(std::min(patience, next_beat_ - Clock::now()), Clock::duration::zero());
    const auto left_ns = std::chrono::nanoseconds(left).count();
    const timespec time{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    return std::max(sigtimedwait(&signals_, nullptr, &time), 0);
  }

  void take(int number) {
    switch (number) {
      case SIGHUP:
        service_.reloading();
        appliance_.reload();
        return service_.ready();
      case SIGUSR1:
        return appliance_.reopen_files();
      case SIGUSR2:
        held_ = !held_;
        std::fprintf(stderr, "mcplane: %s\n", held_ ? "draining; USR2 takes it back, TERM ends" : "resumed");
        return hold(held_);
      case SIGQUIT:
        return write_state_dump(appliance_, config_);
      default:
        return;
    }
  }

  void hold(bool on) {
    appliance_.note_signal(on ? "drain" : "resume");
    appliance_.ask([on](control::Control& control) { on ? control.drain() : control.resume(); });
  }

  // Tasks in flight may end, within --drain-timeout.
  void finish() {
    const auto began = Clock::now(), until = began + std::chrono::nanoseconds(config_.drain_timeout_ns);
    std::fprintf(stderr, "mcplane: draining; send the signal again to end at once\n");
    service_.stopping(config_.drain_timeout_ns);
    hold(true);
    // The first milliseconds are for the command to reach the cores.
    const auto settled = began + std::chrono::milliseconds(5);
    while (Clock::now() < until && !(Clock::now() > settled && appliance_.idle())) {
      const int number = await(std::chrono::milliseconds(1));
      if (ends(number)) return;
      if (number == SIGQUIT || number == SIGUSR1) take(number);
    }
  }

  const ApplianceConfig& config_;
  const sigset_t signals_;
  ServiceManager service_;  // outlives the control thread, which feeds the watchdog
  Appliance appliance_;
  Clock::time_point next_beat_;
  bool held_ = false;  // by USR2
  int awaited_ = 0;    // the last signal
};

}  // namespace

int serve(const ApplianceConfig& config) {
  Server(config).run();
  return kExitOk;
}

}  // namespace mcplane::app
