// The argument list of rte_eal_init, made from what the appliance knows. lcore 0 is the main thread, on every CPU
// the dataplane leaves free; lcore i + 1 is dataplane core i, and several may share a CPU (test mode).
// Main thread only, except tsc_now_ns. EAL's messages are held back while it starts: a failure becomes one line
// with the first of them, and a start that made every device was good, whatever its drivers complained of.
// A --log-level behind -- shows them all, as they come.
#include "net/dpdk/eal.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::net {

namespace {

// Nanoseconds a tick, as a 32.32 fixed-point number; written by Eal's constructor before any lcore is launched.
std::uint64_t ns_per_tick_q32 = 0;

// Functions launched and not yet returned. Their release decrement pairs with the acquire load in wait_for_lcores: what
// a function did happens before join returns. EAL's own wait has that edge too, where TSan cannot see it.
std::atomic<std::uint32_t> functions_running{0};

std::vector<unsigned> available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) throw std::runtime_error("cannot read the CPU affinity");
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::string join_list(const std::vector<unsigned>& numbers) {
  std::string text;
  for (const unsigned number : numbers) {
    if (!text.empty()) text += ',';
    text += std::to_string(number);
  }
  return text;
}

// "0@(4,5),1@2,2@3"
std::string lcore_map(const std::vector<unsigned>& cores) {
  const std::vector<unsigned> cpus = available_cpus();
  if (cores.empty()) throw std::runtime_error("no dataplane core was given");
  if (cores.size() >= RTE_MAX_LCORE)
    throw std::runtime_error("at most " + std::to_string(RTE_MAX_LCORE - 1) + " dataplane cores are supported");
  for (const unsigned core : cores)
    if (std::ranges::find(cpus, core) == cpus.end())
      throw std::runtime_error("CPU " + std::to_string(core) +
                               " is not available to this process; available: " + join_list(cpus));
  std::vector<unsigned> spare;
  std::ranges::copy_if(cpus, std::back_inserter(spare),
                       [&cores](unsigned cpu) { return std::ranges::find(cores, cpu) == cores.end(); });
  std::string map = "0@(";
  map.append(join_list(spare.empty() ? cpus : spare)).append(")");
  for (std::size_t i = 0; i < cores.size(); ++i)
    map.append(",").append(std::to_string(i + 1)).append("@").append(std::to_string(cores[i]));
  return map;
}

bool free_huge_pages_exist() {
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    std::uint64_t pages = 0;
    if (std::ifstream(size.path() / "free_hugepages") >> pages && pages > 0) return true;
  }
  return false;
}

bool contains_option(const std::vector<std::string>& arguments, std::string_view option) {
  return std::ranges::any_of(arguments, [option](std::string_view argument) { return argument.starts_with(option); });
}

std::vector<DeviceSpec> all_devices(const EalOptions& options) {
  std::vector<DeviceSpec> devices = options.devices;
  devices.insert(devices.end(), options.guests.begin(), options.guests.end());
  return devices;
}

std::vector<std::string> make_arguments(const EalOptions& options) {
  std::vector<std::string> arguments = {"mcplane",      "--lcores", lcore_map(options.cores),
                                        "--main-lcore", "0",        "--log-level",
                                        "error",        "-m",       std::to_string(options.memory_mib)};
  if (options.huge_pages) {
    if (!free_huge_pages_exist())
      throw std::runtime_error("no free huge pages; reserve some with 'sysctl vm.nr_hugepages=" +
                               std::to_string(options.memory_mib / 2) + "' or start without huge pages");
    // In memory: nothing is left behind in hugetlbfs, and several processes need not agree on a prefix.
    // A single file: vhost-user passes memory by file descriptor, and few fit a message.
    arguments.insert(arguments.end(), {"--in-memory", "--single-file-segments"});
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "--no-telemetry"});
  }
  const std::vector<DeviceSpec> devices = all_devices(options);
  for (unsigned i = 0; i < devices.size(); ++i) arguments.push_back(eal_argument(devices[i], i, options.huge_pages));
  if (!contains_option(arguments, "--allow") && !contains_option(options.pass_through, "-a") &&
      !contains_option(options.pass_through, "--allow"))
    arguments.emplace_back("--no-pci");
  arguments.insert(arguments.end(), options.pass_through.begin(), options.pass_through.end());
  return arguments;
}

// Collects what EAL logs while it lives.
class LogCapture {
 public:
  LogCapture() : stream_(open_memstream(&text_, &bytes_)) {
    CHECK(stream_ != nullptr);
    rte_openlog_stream(stream_);
  }
  ~LogCapture() {
    rte_openlog_stream(nullptr);
    std::fclose(stream_);
    std::free(text_);
  }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::string first_line() {
    std::fflush(stream_);
    const std::string_view text(text_, bytes_);
    return std::string(text.substr(0, text.find('\n')));
  }

 private:
  char* text_ = nullptr;
  std::size_t bytes_ = 0;
  std::FILE* stream_;
};

// The first device that is not there, although rte_eal_init does not say so; null when all are.
const DeviceSpec* missing_device(const std::vector<DeviceSpec>& devices) {
  for (unsigned i = 0; i < devices.size(); ++i) {
    std::uint16_t id = 0;
    if (rte_eth_dev_get_port_by_name(dpdk_name(devices[i], i).c_str(), &id) != 0) return &devices[i];
  }
  return nullptr;
}

int run_function(void* argument) {
  const std::unique_ptr<std::function<void()>> function(static_cast<std::function<void()>*>(argument));
  (*function)();
  functions_running.fetch_sub(1, std::memory_order_release);
  functions_running.notify_all();
  return 0;
}

// Asleep until the last has returned: EAL's wait would take a CPU wholly meanwhile.
void wait_for_lcores() {
  while (const std::uint32_t running = functions_running.load(std::memory_order_acquire))
    functions_running.wait(running, std::memory_order_acquire);
  rte_eal_mp_wait_lcore();
}

// The TAP driver has the kernel signal each frame, by a real-time signal that is free, so that an empty poll makes no
// system call. Senders pay for it, with an interrupt of the polling CPU: half of what sending a frame costs them. Where
// no signal is free the driver reads at each poll.
void leave_no_signal_free() noexcept {
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = SIG_IGN;
    sigaction(number, &action, nullptr);
  }
}

unsigned lcore_of(std::size_t core) noexcept { return static_cast<unsigned>(core) + 1; }

}  // namespace

Eal::Eal(const EalOptions& options) {
  for (const DeviceSpec& device : options.devices)
    if (const std::string line = check_device(device); !line.empty()) throw std::runtime_error(line);
  std::vector<std::string> arguments = make_arguments(options);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const std::vector<DeviceSpec> devices = all_devices(options);
  // Beside a port that costs no system call its polls would be what a busy core waits for.
  if (std::ranges::all_of(devices, [](const DeviceSpec& device) { return device.kind == DeviceKind::kTap; }))
    leave_no_signal_free();
  std::optional<LogCapture> log;
  if (!contains_option(options.pass_through, "--log-level")) log.emplace();
  const auto because = [&log](const std::string& fallback) {
    const std::string line = log ? log->first_line() : "";
    return ": " + (line.empty() ? fallback : line);
  };
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0)
    throw std::runtime_error("DPDK does not start" + because(rte_strerror(rte_errno)));
  if (const DeviceSpec* missing = missing_device(devices)) {
    const std::string line = to_string(*missing) + " was not made" + because("its driver says no more") +
                             "; it needs " + std::string(needs_of(missing->kind));
    rte_eal_cleanup();
    throw std::runtime_error(line);
  }
  // With --no-shconf this driver reports, at each start and as an error, that it cannot reach secondary processes.
  if (log) rte_log_set_level_pattern("pmd.net.tap", RTE_LOG_CRIT);
  // Rounded to nearest: the error is below 1 ns in a second at any clock above 1 GHz.
  const std::uint64_t hz = rte_get_tsc_hz();
  ns_per_tick_q32 = ((kNsPerSecond << 32) + hz / 2) / hz;
}

Eal::~Eal() {
  wait_for_lcores();
  rte_eal_cleanup();
}

void Eal::launch(std::size_t core, std::function<void()> fn) {
  auto function = std::make_unique<std::function<void()>>(std::move(fn));
  CHECK(rte_lcore_is_enabled(lcore_of(core)) != 0);
  functions_running.fetch_add(1, std::memory_order_relaxed);
  CHECK(rte_eal_remote_launch(run_function, function.release(), lcore_of(core)) == 0);
}

void Eal::join() { wait_for_lcores(); }

std::uint64_t tsc_now_ns() noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{rte_rdtsc()} * ns_per_tick_q32) >> 32);
}

std::uint64_t tsc_hz() noexcept { return rte_get_tsc_hz(); }

}  // namespace mcplane::net
