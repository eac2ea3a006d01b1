// The appliance: wires the ports, the shards, their core loops and the control thread, and takes them down in reverse.
// Main thread makes and ends it; what runs on the cores is CoreLoop, what runs beside them ControlThread and Admin.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/appliance/config_reload.h"
#include "app/appliance/core.h"
#include "app/appliance/parts.h"
#include "app/appliance/prober.h"
#include "app/config/config.h"
#include "control/admin/admin.h"
#include "control/admin/http_listener.h"
#include "control/control_thread.h"
#include "net/dpdk/eal.h"
#include "net/dpdk/port.h"
#include "net/dpdk/rx_wait.h"

namespace mcplane::app {

class Appliance {
 public:
  // Everything is up when it returns. Throws std::runtime_error with one line for a person.
  explicit Appliance(const ApplianceConfig& config);
  // Stops the cores, gives every buffer back.
  ~Appliance();
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;

  // For the audit log: what a signal asked for. Any thread.
  void note_signal(const std::string& name) { observers_.note_signal(name); }
  // Runs on the control thread, soon. Any thread. False when too many requests wait.
  bool ask(std::function<void(control::Control&)> request);
  // No task is open. Any thread.
  bool idle() const noexcept;
  const state::Shared& shared() const noexcept { return shared_; }

  // Where the page is; none: nowhere.
  std::optional<wire::Endpoint> http() const { return http_ ? std::optional(http_->at()) : std::nullopt; }

  // Reads the configuration file again. Main thread.
  void reload() {
    observers_.note_signal("SIGHUP", config_.config_path);
    app::reload(control_, config_);
  }

  // Log, audit log and trace file, once a log rotator has moved them away. Main thread.
  void reopen_files() { observers_.reopen(); }

 private:
  void listen();

  const ApplianceConfig config_;
  // Declared in the order they start.
  net::Eal eal_;
  net::DpdkPool pool_;
  Ports ports_;
  state::Shared shared_;
  dataplane::HandoffMesh mesh_;
  std::unique_ptr<dataplane::HandoffMesh> relay_mesh_;  // null: each core has a queue of each port
  std::vector<std::unique_ptr<net::RxWait>> waits_;     // by shard; none unless cores sleep
  std::vector<std::unique_ptr<Core>> cores_;
  bool shares_cpu_;  // a loop that polled nothing lets others run
  // Written by: main. Relaxed: it says only when to end; join orders everything else.
  std::atomic<bool> stop_{false};
  Prober prober_;
  Observers observers_;
  control::Control control_;
  std::unique_ptr<control::ControlThread> control_thread_;
  std::unique_ptr<control::Admin> admin_;
  std::unique_ptr<control::HttpListener> http_;  // null: nowhere
};

}  // namespace mcplane::app
