// See demo.h. DPDK tells memif's sockets apart by their paths, and lets one path be one end's only: the agents write
// the same path differently.
#include "app/mcplane/demo.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "app/appliance/appliance.h"
#include "app/config/source.h"
#include "loadgen/carriers.h"

namespace mcplane::app {
namespace {

constexpr const char* kBroker = "10.77.0.1/24";
constexpr const char* kAgents = "10.77.0.2/24";
constexpr std::uint64_t kLoadNs = 2 * kNsPerSecond;

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "mcplane-demo.XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("--demo: cannot make a folder such as " + path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

ApplianceConfig appliance_config(const std::string& folder) {
  ApplianceReading reading =
      read_appliance({"mcplane", fmt::format("--port=memif:{}/port.sock", folder), fmt::format("--ip={}", kBroker),
                      fmt::format("--admin={}/admin.sock", folder), "--log-level=error"},
                     "", "");
  if (reading.stop) throw std::runtime_error(reading.stop->text);
  ApplianceConfig config = std::move(reading.config);
  net::DeviceSpec agents = config.ports[0].device;
  agents.name = folder + "/./port.sock";
  agents.role = net::DeviceRole::kPeer;
  config.guests.push_back(std::move(agents));
  return config;
}

loadgen::Options agents_options(const ApplianceConfig& config) {
  loadgen::Options options;
  options.broker = {config.ports[0].ips[0].ip, config.base_port};
  options.mtu = config.mtu;
  options.port.emplace();
  options.port->device = config.guests[0];
  options.port->address = *parse_host_prefix(kAgents).value;
  return options;
}

loadgen::Options one_task(loadgen::Options options) {
  options.clients = options.workers = options.window = 1;
  options.tasks = 1;
  options.warmup_ns = 0;
  return options;
}

loadgen::Options load(loadgen::Options options) {
  options.clients = options.workers = 4;
  options.warmup_ns = kNsPerSecond / 5;
  options.duration_ns = kLoadNs;
  return options;
}

double us_of(std::uint64_t ns) { return static_cast<double>(ns) / static_cast<double>(kNsPerUs); }

std::string task_line(const loadgen::Options& options, const loadgen::Tally& tally) {
  return fmt::format("task '{}' of {} B: sent, routed to the worker, echoed and delivered in {:.0f} us", options.action,
                     options.prompt_bytes, us_of(tally.latency.max()));
}

std::string load_line(const loadgen::Options& options, const loadgen::Tally& tally) {
  return fmt::format(
      "load: {} clients with {} tasks each in flight, {} workers: {:.0f} tasks/s, p50 {:.0f} us, p99 {:.0f} us, of "
      "that "
      "in the broker p50 {:.0f} us; {} sent, {} delivered, {} lost",
      options.clients, options.window, options.workers, tally.measured_rate(), us_of(tally.latency.percentile(50)),
      us_of(tally.latency.percentile(99)), us_of(tally.broker.percentile(50)), tally.sent, tally.delivered(),
      tally.lost());
}

// What the demo did, line by line, with the time since its start.
class Story {
 public:
  void say(const std::string& line) const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
    std::printf("%5.2f s  %s\n", passed.count(), line.c_str());
    std::fflush(stdout);
  }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// The agents' end of the port, and what happens over it. The agents' thread.
class Agents {
 public:
  Agents(const ApplianceConfig& config, const Story& story)
      : story_(story),
        options_(agents_options(config)),
        pool_({.mtu = config.mtu, .name = "mcplane_agents"}),
        port_(net::port_options(config.guests[0], static_cast<std::uint8_t>(config.ports.size())), pool_) {}

  // One line when something went wrong.
  std::string act(const std::atomic<bool>& stop) noexcept try {
    std::string problem = run(one_task(options_), stop, task_line);
    return problem.empty() ? run(load(options_), stop, load_line) : problem;
  } catch (const std::exception& error) {
    return error.what();
  }

 private:
  std::string run(const loadgen::Options& options, const std::atomic<bool>& stop,
                  std::string (*line)(const loadgen::Options&, const loadgen::Tally&)) {
    loadgen::Progress progress;
    const loadgen::RunResult result = loadgen::run_on_port(options, port_, progress, stop);
    if (result.status != loadgen::RunStatus::kFinished) return result.problem;
    story_.say(line(options, result.tally));
    return result.interrupted || loadgen::objective_met(result) ? "" : "not every task came back as it should";
  }

  const Story& story_;
  const loadgen::Options options_;
  net::DpdkPool pool_;
  net::DpdkPort port_;
};

// Until `done`, or a signal that is to end the demo, which sets `stop`.
void await(const sigset_t& signals, const std::atomic<bool>& done, std::atomic<bool>& stop) {
  constexpr timespec kLook{0, 20'000'000};
  while (!done.load(std::memory_order_relaxed))
    if (sigtimedwait(&signals, nullptr, &kLook) > 0) stop.store(true, std::memory_order_relaxed);
}

constexpr const char* kNext =
    "next, with an interface for sockets, as root:\n"
    "  mcplane --port tap:mc0 --ip 10.0.0.1/24 &\n"
    "  sleep 1; ip address add 10.0.0.2/24 dev mc0; ip link set mc0 up\n"
    "  mcplane-worker --broker 10.0.0.1 --backend echo &\n"
    "  mcplane-ctl send --broker 10.0.0.1 --action generate --prompt hi\n"
    "what this machine lacks for that, or for a NIC: mcplane doctor\n";

}  // namespace

int run_demo() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM}) sigaddset(&signals, number);
  // Blocked before any thread exists, so that only await() sees them.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const Story story;
  const Folder folder;
  const ApplianceConfig config = appliance_config(folder.path());
  Appliance appliance(config);
  story.say(fmt::format("broker: {} UDP port {}, polled by CPU {}", wire::to_string(config.ports[0].ips[0].ip),
                        config.base_port, config.cores[0]));
  Agents agents(config, story);
  story.say(fmt::format("agents: {}, in this process too; shared memory is the wire", kAgents));

  std::atomic<bool> done{false}, stop{false};
  std::string problem;
  std::thread thread([&] {
    problem = agents.act(stop);
    done.store(true, std::memory_order_relaxed);
  });
  await(signals, done, stop);
  thread.join();
  if (!problem.empty() && !stop.load(std::memory_order_relaxed)) throw std::runtime_error("--demo: " + problem);
  story.say(fmt::format("the broker's own count: {} tasks delivered",
                        appliance.shared().shards[0]->counters.delivered.read()));
  std::fputs(kNext, stdout);
  return kExitOk;
}

}  // namespace mcplane::app
