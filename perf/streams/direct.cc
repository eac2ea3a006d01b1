// The chunks of mcplane-load's streams without a broker: one socket sends them, as many streams at the same pace, and
// another gets them, over loopback, each on a thread of its own. Written, read and timed as mcplane-load does it, with
// its own sockets, chunks and books, so that the difference is the broker and its protocol. Prints one JSON object.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <stdexcept>
#include <thread>

#include "client/udp_socket.h"
#include "loadgen/chunk_ledger.h"
#include "loadgen/json_parts.h"
#include "loadgen/socket_shell.h"
#include "support/loopback.h"

namespace {

using namespace mcplane;
using client::now_ns;

constexpr std::uint64_t kSilenceNs = 500 * kNsPerMs;  // behind the last chunk: what comes later is lost
constexpr int kPollMs = 10;
const wire::Endpoint kLoopback{wire::IpAddress::v4({127, 0, 0, 1}), 0};

struct Options {
  std::uint32_t streams = 1'000;
  loadgen::StreamShape shape{.chunks = 1'000, .chunk_bytes = 32, .interval_ns = 20 * kNsPerMs};
  std::uint64_t seed = 1;
};

// Binds it to a port of loopback.
wire::Endpoint listen_on(const client::UdpSocket& socket) {
  const std::uint16_t port = test::bind_to_loopback(socket.fd());
  if (port == 0) throw std::runtime_error("cannot bind a socket to 127.0.0.1");
  return {kLoopback.ip, port};
}

void sleep_until(std::uint64_t time_ns) {
  const timespec until{static_cast<time_t>(time_ns / kNsPerSecond), static_cast<long>(time_ns % kNsPerSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

class Sender {
 public:
  Sender(const Options& options, const wire::Endpoint& to)
      : shape_(options.shape), to_(to), socket_(kLoopback), pattern_(options.seed, options.shape.chunk_bytes) {
    const std::uint64_t start_ns = now_ns() + 10 * kNsPerMs;
    // They do not all speak at once.
    for (std::uint32_t i = 0; i < options.streams; ++i)
      line_.push_back({i, 0, start_ns + i * options.shape.interval_ns / options.streams});
  }

  void run() {
    loadgen::ask_for_exact_wakeups();
    while (!line_.empty()) {
      sleep_until(line_.front().due_ns);
      say_due(now_ns());
      flush();
    }
  }

 private:
  struct Stream {
    std::uint32_t number = 0, next = 0;
    std::uint64_t due_ns = 0;
  };

  void say_due(std::uint64_t now_ns) {
    while (!line_.empty() && line_.front().due_ns <= now_ns) {
      Stream stream = line_.front();
      line_.pop_front();
      if (outbox_.full()) flush();
      const auto text = pattern_.write({stream.number, stream.next, now_ns});
      std::memcpy(outbox_.reserve().data(), text.data(), text.size());
      outbox_.commit(text.size(), to_);
      if (++stream.next == shape_.chunks) continue;
      stream.due_ns += shape_.interval_ns;
      line_.push_back(stream);
    }
  }
  void flush() {
    pollfd writable{socket_.fd(), POLLOUT, 0};
    while (!socket_.send(outbox_)) poll(&writable, 1, kPollMs);
  }

  const loadgen::StreamShape shape_;
  const wire::Endpoint to_;
  client::UdpSocket socket_;
  client::Outbox outbox_;
  loadgen::ChunkPattern pattern_;
  std::deque<Stream> line_;  // the first due in front
};

class Receiver {
 public:
  explicit Receiver(const Options& options)
      : streams_(options.streams),
        socket_(kLoopback),
        endpoint_(listen_on(socket_)),
        pattern_(options.seed, options.shape.chunk_bytes),
        ledger_(options.seed, options.shape, options.streams) {
    ledger_.start(0);
    for (std::uint32_t i = 0; i < streams_; ++i) ledger_.begin(i, i, 0);
  }

  const wire::Endpoint& endpoint() const noexcept { return endpoint_; }

  // Until the sender has ended and nothing comes any more.
  void run(const std::atomic<bool>& sent) {
    pollfd readable{socket_.fd(), POLLIN, 0};
    for (std::uint64_t heard_ns = now_ns();
         !sent.load(std::memory_order_relaxed) || now_ns() < heard_ns + kSilenceNs;) {
      if (poll(&readable, 1, kPollMs) <= 0) continue;
      heard_ns = now_ns();
      for (const auto& received : socket_.receive()) take(received.datagram, heard_ns);
    }
    for (std::uint32_t i = 0; i < streams_; ++i) broken_ += ledger_.end(i) ? 0 : 1;
  }

  void print() const {
    const loadgen::ChunkTally& tally = ledger_.tally();
    const loadgen::Json json = {{"chunks", tally.received},
                                {"chunks_lost", tally.lost},
                                {"chunks_duplicated", tally.duplicates},
                                {"chunks_out_of_order", tally.out_of_order},
                                {"broken_streams", broken_},
                                {"chunks_per_s", tally.measured_rate()},
                                {"chunk_us", loadgen::percentiles_json(tally.chunk)}};
    std::puts(json.dump().c_str());
  }

 private:
  void take(std::span<const std::byte> datagram, std::uint64_t now_ns) {
    const std::string_view text(reinterpret_cast<const char*>(datagram.data()), datagram.size());
    const auto chunk = pattern_.read(text);
    if (chunk && chunk->task < streams_)
      ledger_.take(chunk->task, text, now_ns);
    else
      ++broken_;
  }

  const std::uint32_t streams_;
  client::UdpSocket socket_;
  const wire::Endpoint endpoint_;
  const loadgen::ChunkPattern pattern_;
  loadgen::ChunkLedger ledger_;
  std::uint64_t broken_ = 0;
};

void run(const Options& options) {
  Receiver receiver(options);
  Sender sender(options, receiver.endpoint());
  // A flag on its own: nothing is read on the strength of it.
  std::atomic<bool> sent{false};
  std::thread thread([&] {
    sender.run();
    sent.store(true, std::memory_order_relaxed);
  });
  receiver.run(sent);
  thread.join();
  receiver.print();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  double interval_ms = 20;
  CLI::App app("Sends the chunks of streams from one UDP socket to another, and says how long they take.");
  app.add_option("--streams", options.streams, "At once")->capture_default_str()->check(CLI::Range(1, 1'000'000));
  app.add_option("--chunks", options.shape.chunks, "Of each stream")
      ->capture_default_str()
      ->check(CLI::Range(1U, loadgen::kChunksMax));
  app.add_option("--bytes", options.shape.chunk_bytes, "Of each chunk")
      ->capture_default_str()
      ->check(CLI::Range(static_cast<std::uint32_t>(loadgen::kChunkBytesMin), 1'400U));
  app.add_option("--interval-ms", interval_ms, "From one chunk of a stream to the next")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 60'000.0));
  CLI11_PARSE(app, argc, argv);
  options.shape.interval_ns = static_cast<std::uint64_t>(interval_ms * static_cast<double>(kNsPerMs));
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "streams_direct: %s\n", error.what());
    return 1;
  }
}
