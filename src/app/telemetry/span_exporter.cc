// See span_exporter.h. Which answers are worth another try, and how its wait is named, is OTLP's to say.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
#include "app/telemetry/span_exporter.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kTimeoutMs = 2'000;
constexpr std::size_t kAnswerBytesMax = 64U << 10;
constexpr std::uint64_t kBackoffFactorMax = 16;

std::size_t on_answer(char* bytes, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<std::string*>(to);
  if (answer.size() + size * count > kAnswerBytesMax) return 0;
  answer.append(bytes, size * count);
  return size * count;
}

bool is_worth_a_retry(long status) noexcept { return status == 429 || status == 502 || status == 503 || status == 504; }

}  // namespace

struct SpanExporter::Transfer {
  explicit Transfer(const std::string& endpoint) : url(otlp_url(endpoint)) {
    if (!url.error.empty()) throw std::runtime_error(url.error);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    handle = curl_easy_init();
    CHECK(handle != nullptr);
    headers = curl_slist_append(nullptr, "Content-Type: application/json");
    CHECK(headers != nullptr);
    set(CURLOPT_URL, url.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_TIMEOUT_MS, kTimeoutMs);
    set(CURLOPT_USERAGENT, "mcplane");
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_WRITEFUNCTION, on_answer);
    set(CURLOPT_WRITEDATA, &answer);
  }
  ~Transfer() {
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
    curl_global_cleanup();
  }
  template <class Value>
  void set(CURLoption option, Value value) {
    CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK);
  }

  const OtlpUrl url;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  std::string answer;
};

SpanExporter::SpanExporter(ExportOptions options) : options_(std::move(options)) {
  if (!options_.file.empty()) file_ = std::make_unique<AppendFile>(options_.file);
  if (!options_.endpoint.empty()) transfer_ = std::make_unique<Transfer>(options_.endpoint);
  thread_ = std::thread([this] { run(); });
}

SpanExporter::~SpanExporter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  thread_.join();
}

void SpanExporter::add(Span span) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kQueueMax) {
    ++counts_.dropped_full;
    return;
  }
  queue_.push_back(std::move(span));
  if (queue_.size() == kBatchMax) news_.notify_all();
}

ExportCounts SpanExporter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void SpanExporter::reopen() {
  if (file_) file_->reopen();
}

void SpanExporter::run() {
  for (bool last = false; !last;) {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, std::chrono::nanoseconds(kAgeNs), [this] { return stopping_ || queue_.size() >= kBatchMax; });
    last = stopping_;
    const auto taken =
        last ? queue_.end() : queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kBatchMax));
    std::vector<Span> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(taken));
    queue_.erase(queue_.begin(), taken);
    lock.unlock();
    if (!batch.empty()) give(std::move(batch));
  }
}

void SpanExporter::give(std::vector<Span> batch) {
  const std::string request = otlp_request(batch, options_.resource);
  if (file_) file_->write(request + "\n");
  if (transfer_) return post(request, batch.size());
  const std::lock_guard lock(mutex_);
  counts_.exported += batch.size();
}

// The queue fills meanwhile.
void SpanExporter::post(const std::string& request, std::size_t spans) {
  const auto give_up_at = Clock::now() + std::chrono::nanoseconds(options_.retry_for_ns);
  for (std::uint64_t backoff_ns = options_.first_retry_ns;;
       backoff_ns = std::min(2 * backoff_ns, kBackoffFactorMax * options_.first_retry_ns)) {
    if (try_post(request, spans) != Sent::kLater) return;
    const std::uint64_t wait = std::max(backoff_ns, retry_after_ns_);
    const bool too_late = Clock::now() + std::chrono::nanoseconds(wait) > give_up_at;
    if (too_late || !wait_ns(wait)) break;
  }
  const std::lock_guard lock(mutex_);
  counts_.dropped_unreachable += spans;
}

SpanExporter::Sent SpanExporter::try_post(const std::string& request, std::size_t spans) {
  Transfer& transfer = *transfer_;
  transfer.answer.clear();
  transfer.set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.size()));
  transfer.set(CURLOPT_POSTFIELDS, request.data());
  const CURLcode code = curl_easy_perform(transfer.handle);
  long status = 0;
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer.handle, CURLINFO_RETRY_AFTER, &retry_after_s);
  retry_after_ns_ = static_cast<std::uint64_t>(retry_after_s) * kNsPerSecond;
  if (code != CURLE_OK || is_worth_a_retry(status)) {
    say_lost(code != CURLE_OK ? curl_easy_strerror(code) : fmt::format("HTTP {}", status));
    return Sent::kLater;
  }
  say_found();
  const bool taken = status / 100 == 2;
  const std::uint64_t rejected = taken ? std::min<std::uint64_t>(rejected_spans(transfer.answer), spans) : spans;
  const std::lock_guard lock(mutex_);
  counts_.exported += spans - rejected;
  counts_.dropped_refused += rejected;
  return taken ? Sent::kTaken : Sent::kRefused;
}

// False: there is no time left.
bool SpanExporter::wait_ns(std::uint64_t duration_ns) {
  std::unique_lock lock(mutex_);
  return !news_.wait_for(lock, std::chrono::nanoseconds(duration_ns), [this] { return stopping_; });
}

void SpanExporter::say_lost(const std::string& why) {
  if (!std::exchange(lost_, true) && options_.say)
    options_.say(fmt::format("traces: {} does not take spans: {}; they wait", transfer_->url.url, why));
}

void SpanExporter::say_found() {
  if (std::exchange(lost_, false) && options_.say)
    options_.say(fmt::format("traces: {} takes spans again", transfer_->url.url));
}

}  // namespace mcplane::app
