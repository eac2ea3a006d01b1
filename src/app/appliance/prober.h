// Asks workers for their health over the host's own sockets, on a thread of its own: it waits for all of them at once
// in libcurl's multi interface, and no other thread waits for it. Workers are reached as the host's routes say, which
// need not be the way their tasks go.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "app/appliance/probe_transfer.h"
#include "control/workers/probes.h"

namespace mcplane::app {

class Prober final : public control::Prober {
 public:
  // Asked and not taken back yet, at most: control gives up some questions that are still under way here.
  static constexpr std::size_t kOpenMax = 2 * control::Probes::kAskedMax;

  // Throws std::runtime_error, one line.
  Prober();
  // What is under way is dropped.
  ~Prober() override;
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  bool try_ask(control::ProbeRequest request) override;
  void take_answers(std::vector<control::ProbeAnswer>& answers) override;

 private:
  void run();
  void begin(control::ProbeRequest request);
  void end(CURL* handle, CURLcode code);
  void give(control::ProbeAnswer answer);

  CURLM* multi_ = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<ProbeTransfer>> under_way_;  // the thread's

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<control::ProbeRequest> asked_;
  std::vector<control::ProbeAnswer> answers_;
  std::size_t open_ = 0;

  // Written by: the destructor. Relaxed: it says only when to end; join() orders everything else.
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace mcplane::app
