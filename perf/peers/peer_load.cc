// The load on one peer: clients and workers in this process, on one CPU, closed loop. Warms up, measures, lets what is
// in flight come home, and prints one JSON object. What did not come home is lost.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "measuring.h"
#include "protocol.h"

namespace {

using namespace mcplane::peers;

constexpr double kRegisterSeconds = 10, kHomeSeconds = 2;

using Make = std::unique_ptr<Protocol> (*)(EventLoop&, Ledger&, const Options&);
const std::map<std::string, Make> kProtocols = {{"http", make_http},   {"nats", make_nats},
                                                {"redis", make_redis}, {"redis-batched", make_redis},
                                                {"udp", make_udp},     {"zmq", make_zmq}};

nlohmann::json run(const Options& options) {
  EventLoop loop;
  Ledger ledger(options.clients, options.window, options.payload_bytes, options.seed);
  const auto protocol = kProtocols.at(options.protocol)(loop, ledger, options);
  const auto never = [] { return false; };
  turn_until(loop, kRegisterSeconds, [&] { return protocol->ready(); });
  if (!protocol->ready()) throw Failure("the broker did not take all clients and workers");
  protocol->begin();
  turn_until(loop, options.warmup_seconds, never);

  ledger.start_measuring();
  const double broker_before = cpu_seconds(options.broker_pids), own_before = own_cpu_seconds();
  const double seconds = turn_until(loop, options.seconds, never);
  const double broker_cpu = cpu_seconds(options.broker_pids) - broker_before, own_cpu = own_cpu_seconds() - own_before;
  const auto measured = static_cast<double>(ledger.measured());
  const auto percentile_us = [&](double percent) {
    return static_cast<double>(ledger.latency_ns().percentile(percent)) / 1e3;
  };
  nlohmann::json report = {
      {"rate_per_s", measured / seconds},
      {"latency_us", {{"p50", percentile_us(50)}, {"p99", percentile_us(99)}}},
      {"broker_cpu_s_per_million", measured > 0 ? broker_cpu / measured * 1e6 : 0},
      {"broker_busy", broker_cpu / seconds},
      {"load_busy", own_cpu / seconds},
  };

  ledger.close();
  turn_until(loop, kHomeSeconds, [&] { return ledger.in_flight() == 0; });
  report["sent"] = ledger.sent();
  report["lost"] = ledger.in_flight();
  report["wrong"] = ledger.wrong();
  report["duplicates"] = ledger.duplicates();
  return report;
}

void add_flags(CLI::App& app, Options& options) {
  std::vector<std::string> names;
  for (const auto& [name, make] : kProtocols) names.push_back(name);
  app.add_option("--protocol", options.protocol, "What the broker speaks")->required()->check(CLI::IsMember(names));
  app.add_option("--port", options.port, "The broker's port on 127.0.0.1")->required()->check(CLI::Range(1, 65535));
  app.add_option("--backend-port", options.backend_port, "zmq: the broker's port for workers");
  app.add_option("--worker-ports", options.worker_ports, "http: a port for each worker")->delimiter(',');
  app.add_option("--broker-pid", options.broker_pids, "Processes whose CPU time is the broker's")->delimiter(',');
  app.add_option("--clients", options.clients, "A connection or socket each")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--workers", options.workers, "Echo workers")->capture_default_str()->check(CLI::Range(1, 10'000));
  app.add_option("--window", options.window, "Requests in flight a client")
      ->capture_default_str()
      ->check(CLI::Range(1, 65'535));
  app.add_option("--worker-slots", options.slots, "Requests one worker takes at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 65'535));
  app.add_option("--payload", options.payload_bytes, "Bytes each way")
      ->capture_default_str()
      ->check(CLI::Range(16, 9'000));
  app.add_option("--seconds", options.seconds, "Measured part")->capture_default_str()->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warmup", options.warmup_seconds, "Seconds before it")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads one peer with clients and workers and checks every answer; one JSON object on stdout.",
               "peer_load");
  add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    const nlohmann::json report = run(options);
    std::puts(report.dump().c_str());
    return report["lost"] == 0 && report["wrong"] == 0 && report["duplicates"] == 0 ? 0 : 1;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "peer_load: %s\n", failure.what());
    return 1;
  }
}
