// What `mcplane-ctl top` shows: rates between two looks at the appliance, and a row a worker, whoever has just gone
// included. Pure: JSON and time are arguments.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::app {

// The bodies of GET /v1/info, GET /v1/nodes and GET /metrics (empty: it has none), at a time of any monotonic clock.
struct TopLook {
  double at_s = 0;
  nlohmann::ordered_json info, nodes;
  std::string metrics{};
};

struct TopCore {
  std::uint32_t shard = 0;
  std::string cpu{};
  double busy = 0;  // share of its time; without metrics, of its loops that did something, less what it slept
  double tasks_per_s = 0;
};

struct TopWorker {
  std::string node{}, name{}, state{}, breaker{}, serves{};
  std::uint64_t busy = 0, slots = 0;
  double tasks_per_s = 0, errors_per_s = 0;
  double seen_s = 0;  // ago; of who is gone, since then
  bool gone = false;

  double load() const noexcept { return slots > 0 ? static_cast<double>(busy) / static_cast<double>(slots) : 0; }
  // Somebody should look at it.
  bool ails() const noexcept { return gone || breaker == "open" || breaker == "half-open" || errors_per_s > 0; }
};

struct TopTotals {
  std::string version, boot, address;
  std::uint64_t uptime_s = 0, clients = 0, workers = 0;
  bool link_up = true;
  double accepted_per_s = 0, delivered_per_s = 0, refused_per_s = 0, failed_per_s = 0, degraded_per_s = 0;
  double frames_per_s = 0, drops_per_s = 0;
  std::optional<double> p50_s, p99_s;  // from acceptance to the end
  std::uint64_t queued = 0, at_workers = 0, delivering = 0;
  std::uint64_t buffers = 0, buffers_free = 0;
};

class TopModel {
 public:
  static constexpr double kGoneShownS = 10;

  // Throws nlohmann's exceptions when the bodies are not what the appliance sends.
  void add(TopLook look);

  const TopTotals& totals() const noexcept { return totals_; }
  const std::vector<TopCore>& cores() const noexcept { return cores_; }
  const std::vector<TopWorker>& workers() const noexcept { return workers_; }

 private:
  void read_totals(const TopLook& look, double seconds);
  void read_metrics(const TopLook& look, double seconds);
  void read_cores(const TopLook& look, double seconds);
  void read_workers(const TopLook& look, double seconds);
  void keep_gone(const std::vector<TopWorker>& before, double seconds);

  std::optional<TopLook> last_;
  TopTotals totals_;
  std::vector<TopCore> cores_;
  std::vector<TopWorker> workers_;
};

enum class TopSort : std::uint8_t { kName, kState, kBreaker, kLoad, kTasks, kErrors };

// Those that ail first in kState and kBreaker, the greatest first in figures, by name otherwise; equal ones by name.
void sort_workers(std::vector<TopWorker>& workers, TopSort by, bool reverse);

// "12.3us", "45ms", "1.2s".
std::string time_text(double seconds);
// "0", "12.3", "1,234", "1.23M": at most 6 characters.
std::string rate_text(double per_second);

}  // namespace mcplane::app
