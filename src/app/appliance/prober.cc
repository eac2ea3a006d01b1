// See prober.h.
#include "app/appliance/prober.h"

#include <iterator>
#include <stdexcept>
#include <utility>

namespace mcplane::app {
namespace {

// Nothing to do for so long: a question wakes the thread.
constexpr int kIdleMs = 60'000;

}  // namespace

Prober::Prober() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw std::runtime_error("health probes: libcurl does not start");
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::runtime_error("health probes: libcurl has no memory");
  thread_ = std::thread([this] { run(); });
}

Prober::~Prober() {
  stop_.store(true, std::memory_order_relaxed);
  curl_multi_wakeup(multi_);
  thread_.join();
  for (const auto& entry : under_way_) curl_multi_remove_handle(multi_, entry.first);
  under_way_.clear();
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

bool Prober::try_ask(control::ProbeRequest request) {
  {
    const std::lock_guard lock(mutex_);
    if (open_ >= kOpenMax) return false;
    ++open_;
    asked_.push_back(std::move(request));
  }
  curl_multi_wakeup(multi_);
  return true;
}

void Prober::take_answers(std::vector<control::ProbeAnswer>& answers) {
  const std::lock_guard lock(mutex_);
  open_ -= answers_.size();
  std::ranges::move(answers_, std::back_inserter(answers));
  answers_.clear();
}

void Prober::run() {
  std::vector<control::ProbeRequest> asked;
  while (!stop_.load(std::memory_order_relaxed)) {
    {
      const std::lock_guard lock(mutex_);
      asked.swap(asked_);
    }
    for (control::ProbeRequest& request : asked) begin(std::move(request));
    asked.clear();
    int running = 0, left = 0;
    curl_multi_perform(multi_, &running);
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left))
      end(message->easy_handle, message->data.result);
    curl_multi_poll(multi_, nullptr, 0, kIdleMs, nullptr);
  }
}

void Prober::begin(control::ProbeRequest request) {
  auto transfer = std::make_unique<ProbeTransfer>(std::move(request));
  CURL* const handle = transfer->handle();
  under_way_.emplace(handle, std::move(transfer));
  if (curl_multi_add_handle(multi_, handle) != CURLM_OK) end(handle, CURLE_OUT_OF_MEMORY);
}

void Prober::end(CURL* handle, CURLcode code) {
  give(ProbeTransfer::of(handle).answer(code));
  curl_multi_remove_handle(multi_, handle);
  under_way_.erase(handle);
}

void Prober::give(control::ProbeAnswer answer) {
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
}

}  // namespace mcplane::app
