// The load on one peer: clients and workers in this process, on one CPU, closed loop. Warms up, measures, lets what is
// in flight come home, and prints one JSON object. What did not come home is lost.
#include <CLI/CLI.hpp>
#include <chrono>
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
  turn_until(loop, kRegisterSeconds, [&] { return protocol->ready(); });
  if (!protocol->ready()) throw Failure("the broker did not take all clients and workers");
  protocol->begin();
  turn_until(loop, options.warmup_seconds, [] { return false; });

  ledger.start_measuring();
  const CpuUse use = measure(loop, options);
  const auto measured = static_cast<double>(ledger.measured());
  nlohmann::json report = {
      {"rate_per_s", measured / use.seconds},
      {"latency_us", percentiles_us(ledger.latency_ns())},
      {"broker_cpu_s_per_million", measured > 0 ? use.broker / measured * 1e6 : 0},
      {"broker_busy", use.broker_busy()},
      {"load_busy", use.load_busy()},
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
  add_flags(app, static_cast<Measuring&>(options));
  app.add_option("--backend-port", options.backend_port, "zmq: the broker's port for workers");
  app.add_option("--worker-ports", options.worker_ports, "http: a port for each worker")->delimiter(',');
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
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads one peer with clients and workers and checks every answer; one JSON object on stdout.",
               "peer_load");
  add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  return print_report("peer_load", {"lost", "wrong", "duplicates"}, [&] { return run(options); });
}
