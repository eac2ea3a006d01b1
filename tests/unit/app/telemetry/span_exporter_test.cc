// Batches, retries, drops and the file, against a collector on the loopback interface.
#include "app/telemetry/span_exporter.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace mcplane::app {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

class Collector {
 public:
  Collector() : port_(server_.bind_to_any_port("127.0.0.1")) {
    server_.Post("/v1/traces", [this](const httplib::Request& request, httplib::Response& response) {
      ++asked;
      type = request.get_header_value("Content-Type");
      if (busy > 0) {
        --busy;
        response.status = status;
        return;
      }
      if (refuses) {
        response.status = 400;
        return;
      }
      const auto batch = nlohmann::json::parse(request.body);
      spans += batch["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
      response.set_content(answer, "application/json");
    });
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Collector() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::atomic<int> asked{0}, busy{0}, status{503};
  std::atomic<bool> refuses{false};
  std::atomic<std::size_t> spans{0};
  std::string answer = "{}", type;

 private:
  httplib::Server server_;
  int port_;
  std::thread thread_;
};

ExportOptions to(const Collector& collector) {
  return {.endpoint = collector.url(), .resource = {"test", "1", ""}, .retry_for_ns = 500 * kMs, .first_retry_ns = kMs};
}

void add(SpanExporter& exporter, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) exporter.add(Span{});
}

template <class Until>
bool becomes(Until until) {
  for (int ms = 0; ms < 10'000; ++ms, std::this_thread::sleep_for(std::chrono::milliseconds(1)))
    if (until()) return true;
  return false;
}

TEST(SpanExporter, GivesWhatWaitsAwayAtItsEnd) {
  Collector collector;
  {
    SpanExporter exporter(to(collector));
    add(exporter, 3);
  }
  EXPECT_EQ(collector.spans, 3U);
  EXPECT_EQ(collector.asked, 1);
  EXPECT_EQ(collector.type, "application/json");
}

TEST(SpanExporter, GivesAFullBatchAway) {
  Collector collector;
  SpanExporter exporter(to(collector));
  add(exporter, SpanExporter::kBatchMax);
  EXPECT_TRUE(becomes([&] { return exporter.counts().exported == SpanExporter::kBatchMax; }));
}

TEST(SpanExporter, AsksABusyCollectorAgainAndLosesNothing) {
  for (const int status : {429, 503}) {
    Collector collector;
    collector.busy = 3;
    collector.status = status;
    SpanExporter exporter(to(collector));
    add(exporter, SpanExporter::kBatchMax);
    EXPECT_TRUE(becomes([&] { return exporter.counts().exported == SpanExporter::kBatchMax; }));
    EXPECT_EQ(collector.asked, 4);
  }
}

TEST(SpanExporter, DropsWhatIsRefusedAndDoesNotAskAgain) {
  Collector collector;
  collector.refuses = true;
  SpanExporter exporter(to(collector));
  add(exporter, SpanExporter::kBatchMax);
  EXPECT_TRUE(becomes([&] { return exporter.counts().dropped_refused == SpanExporter::kBatchMax; }));
  EXPECT_EQ(collector.asked, 1);
}

TEST(SpanExporter, CountsWhatIsRefusedInPart) {
  Collector collector;
  collector.answer = R"({"partialSuccess":{"rejectedSpans":"2"}})";
  SpanExporter exporter(to(collector));
  add(exporter, SpanExporter::kBatchMax);
  EXPECT_TRUE(becomes([&] { return exporter.counts().exported == SpanExporter::kBatchMax - 2; }));
  EXPECT_EQ(exporter.counts().dropped_refused, 2U);
}

TEST(SpanExporter, WithoutACollectorSaysSoOnceAndDropsAfterAWhile) {
  std::atomic<int> said{0};
  ExportOptions options;
  options.endpoint = "http://127.0.0.1:1";
  options.retry_for_ns = 20 * kMs;
  options.first_retry_ns = kMs;
  options.say = [&said](const std::string& line) {
    EXPECT_NE(line.find("http://127.0.0.1:1/v1/traces"), std::string::npos) << line;
    ++said;
  };
  SpanExporter exporter(options);
  add(exporter, 2 * SpanExporter::kBatchMax);
  EXPECT_TRUE(becomes([&] { return exporter.counts().dropped_unreachable == 2 * SpanExporter::kBatchMax; }));
  EXPECT_EQ(said, 1);
}

TEST(SpanExporter, TheQueueIsBoundedAndWhatFindsNoRoomCounted) {
  Collector collector;
  collector.busy = 1'000'000;
  ExportOptions options = to(collector);
  options.retry_for_ns = 3'600'000 * kMs;
  options.first_retry_ns = 60'000 * kMs;
  SpanExporter exporter(options);
  add(exporter, SpanExporter::kBatchMax);
  ASSERT_TRUE(becomes([&] { return collector.asked == 1; }));
  add(exporter, SpanExporter::kQueueMax + 10);
  EXPECT_EQ(exporter.counts().dropped_full, 10U);
}

TEST(SpanExporter, AFileGetsARequestALine) {
  const std::string path = ::testing::TempDir() + "/spans.json";
  std::filesystem::remove(path);
  {
    SpanExporter exporter({.file = path, .resource = {"test", "1", ""}});
    add(exporter, 2);
    std::filesystem::rename(path, path + ".1");
    exporter.reopen();
  }
  std::ifstream file(path);
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_EQ(nlohmann::json::parse(line)["resourceSpans"][0]["scopeSpans"][0]["spans"].size(), 2U);
  EXPECT_FALSE(std::getline(file, line));
  EXPECT_EQ(std::filesystem::file_size(path + ".1"), 0U);
}

TEST(SpanExporter, MistakesAreOneLine) {
  EXPECT_THROW(SpanExporter({.file = "/nowhere/at/all"}), std::runtime_error);
  EXPECT_THROW(SpanExporter({.endpoint = "collector"}), std::runtime_error);
}

}  // namespace
}  // namespace mcplane::app
