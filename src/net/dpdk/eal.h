// DPDK's environment: start it once, launch work on its lcores, read its clock, end it.
// app and loadgen only. Start and end on the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/dpdk/device.h"

namespace mcplane::net {

struct EalOptions {
  std::vector<unsigned> cores{};  // CPU of each dataplane core, in shard order
  bool huge_pages = false;        // false: --no-huge
  std::uint32_t memory_mib = 512;
  std::vector<DeviceSpec> devices{};  // device i is dpdk_name(devices[i], i)
  // Behind those: devices whose other end is one of those, and so comes up with them.
  std::vector<DeviceSpec> guests{};
  std::vector<std::string> pass_through{};  // what the user typed after --
};

// RAII over rte_eal_init and rte_eal_cleanup. Throws std::runtime_error with one clear line.
class Eal {
 public:
  explicit Eal(const EalOptions& options);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  // Runs fn on the lcore of dataplane core `core` (index into EalOptions::cores), never the caller's own thread.
  void launch(std::size_t core, std::function<void()> fn);
  // Waits until every launched fn has returned.
  void join();
};

// Monotonic nanoseconds from the TSC: one rdtsc, one multiply. Any thread once an Eal exists.
std::uint64_t tsc_now_ns() noexcept;
// Ticks of that counter in a second.
std::uint64_t tsc_hz() noexcept;

}  // namespace mcplane::net
