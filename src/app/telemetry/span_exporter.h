// Takes finished spans from any thread and gives them away in batches: to an OpenTelemetry collector by OTLP/HTTP, to a
// file with a request a line, or both. One thread of its own does so; the queue before it is bounded, and what finds no
// room, or nobody to take it, is dropped and counted by reason. A collector that says it is busy, or is not there, is
// asked again, ever slower, for a while.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/telemetry/append_file.h"
#include "app/telemetry/otlp.h"
#include "mcplane/trace.h"

namespace mcplane::app {

struct ExportOptions {
  std::string endpoint{};  // base URL of a collector; "": none
  std::string file{};      // "": none
  TraceResource resource{};
  std::function<void(const std::string&)> say{};  // a line when the collector is lost or found; its thread
  std::uint64_t retry_for_ns = 60'000'000'000;    // then a batch is dropped
  std::uint64_t first_retry_ns = 1'000'000'000;   // doubles, to 16 times as long

  bool any() const noexcept { return !endpoint.empty() || !file.empty(); }
};

struct ExportCounts {
  std::uint64_t exported = 0;         // taken by the collector, or where there is none by the file
  std::uint64_t dropped_full = 0;     // no room in the queue
  std::uint64_t dropped_refused = 0;  // the collector does not want them
  std::uint64_t dropped_unreachable = 0;
};

class SpanExporter {
 public:
  static constexpr std::size_t kQueueMax = 16'384, kBatchMax = 512;
  static constexpr std::uint64_t kAgeNs = 1'000'000'000;  // no span waits longer for others

  // Throws std::runtime_error, one line, when the file cannot be written or the endpoint is no URL.
  explicit SpanExporter(ExportOptions options);
  // What waits is given away once more; a collector that hangs holds this up for four seconds at most.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  // Any thread, never blocks for long.
  void add(Span span);
  ExportCounts counts() const;
  void reopen();  // the file

 private:
  enum class Sent : std::uint8_t { kTaken, kRefused, kLater };
  struct Transfer;

  void run();
  void give(std::vector<Span> batch);
  void post(const std::string& request, std::size_t spans);
  Sent try_post(const std::string& request, std::size_t spans);
  bool wait_ns(std::uint64_t duration_ns);
  void say_lost(const std::string& why);
  void say_found();

  const ExportOptions options_;
  std::unique_ptr<AppendFile> file_;
  std::unique_ptr<Transfer> transfer_;  // of the thread
  bool lost_ = false;                   // of the thread: nobody is reached, and that was said
  std::uint64_t retry_after_ns_ = 0;    // of the thread: the collector's wish, with its last answer

  mutable std::mutex mutex_;  // guards the fields below
  std::condition_variable news_;
  std::deque<Span> queue_;
  ExportCounts counts_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mcplane::app
