// The command line of mcplane-load: what becomes an option, and what is refused in one line.
#include "app/load/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "app/load/values.h"

namespace mcplane::app {
namespace {

LoadCommand parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "mcplane-load");
  return parse_load_command(static_cast<int>(arguments.size()), arguments.data());
}

TEST(LoadConfig, DefaultsAreAClosedLoop) {
  const LoadCommand command = parse({"--udp", "10.0.0.1"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_EQ(wire::to_string(command.options.broker), "10.0.0.1:4800");
  EXPECT_FALSE(command.options.open_loop());
  EXPECT_EQ(command.options.window, 16);
  EXPECT_EQ(command.options.workers, 0U);
  EXPECT_FALSE(command.json);
}

TEST(LoadConfig, EveryFlagReachesItsOption) {
  const LoadCommand command = parse({"--udp", "[fd00::1]:5000", "--rate", "200k/s",         "--poisson", "--clients",
                                     "3",     "--duration",     "2m",     "--warmup",       "250ms",     "--payload",
                                     "1KiB",  "--ttl",          "1500ms", "--action",       "embed",     "--seed",
                                     "9",     "--tasks",        "5000",   "--idempotent",   "--shadow",  "--workers",
                                     "2",     "--worker-slots", "4",      "--service-time", "exp:50us",  "--json"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  const loadgen::Options& options = command.options;
  EXPECT_EQ(wire::to_string(options.broker), "[fd00::1]:5000");
  EXPECT_DOUBLE_EQ(options.rate_per_second, 200'000.0);
  EXPECT_EQ(options.arrivals, loadgen::Arrivals::kPoisson);
  EXPECT_EQ(options.clients, 3U);
  EXPECT_EQ(options.duration_ns, 120 * kNsPerSecond);
  EXPECT_EQ(options.warmup_ns, 250 * kNsPerMs);
  EXPECT_EQ(options.prompt_bytes, 1'024U);
  EXPECT_EQ(options.ttl_ns, 1'500 * kNsPerMs);
  EXPECT_EQ(options.action, "embed");
  EXPECT_EQ(options.seed, 9U);
  EXPECT_EQ(options.tasks, 5'000U);
  EXPECT_TRUE(options.idempotent);
  EXPECT_TRUE(options.shadow);
  EXPECT_EQ(options.workers, 2U);
  EXPECT_EQ(options.worker_slots, 4);
  EXPECT_EQ(options.service_time.form, loadgen::ServiceTime::Form::kExponential);
  EXPECT_EQ(options.service_time.mean_ns, 50 * kNsPerUs);
  EXPECT_TRUE(command.json);
}

TEST(LoadConfig, EventsAreAsked) {
  const LoadCommand command = parse(
      {"--udp", "10.0.0.1", "--events", "--subscribers", "1000", "--topics", "10", "--clients", "1", "--rate", "2k/s"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_TRUE(command.options.events);
  EXPECT_EQ(command.options.topics, 10U);
  EXPECT_EQ(command.options.endpoints(), 1'001U);
}

TEST(LoadConfig, MistakesAreUsageErrors) {
  const std::vector<std::vector<const char*>> mistakes = {
      {},
      {"--udp", "10.0.0.1:x"},
      {"--udp", "10.0.0.1", "--rate", "100"},
      {"--udp", "10.0.0.1", "--subscribers", "4"},
      {"--udp", "10.0.0.1", "--events", "--workers", "4"},
      {"--udp", "10.0.0.1", "--events", "--subscribers", "4", "--topics", "5"},
      {"--udp", "10.0.0.1", "--events", "--payload", "exp:256B"},
      {"--udp", "10.0.0.1", "--events", "--payload", "1400B"},
      {"--udp", "10.0.0.1", "--duration", "10"},
      {"--udp", "10.0.0.1", "--rate", "1k/s", "--window", "4"},
      {"--udp", "10.0.0.1", "--poisson"},
      {"--udp", "10.0.0.1", "--payload", "15B"},
      {"--udp", "10.0.0.1", "--payload", "16MiB"},
      {"--udp", "10.0.0.1", "--workers", "1", "--service-time", "uniform:5us"},
      {"--udp", "10.0.0.1", "--service-time", "exp:5us"},
      {"--udp", "10.0.0.1", "--clients", "0"},
      {"--udp", "10.0.0.1", "--ramp", "1s"},
      {"--udp", "10.0.0.1", "--rate", "1k/s", "--ramp-from", "10/s"},
      {"--udp", "10.0.0.1", "--sweep", "10k/s"},
      {"--udp", "10.0.0.1", "--sweep", "10k/s..10k/s"},
      {"--udp", "10.0.0.1", "--sweep", "10k/s..20k"},
      {"--udp", "10.0.0.1", "--sweep", "1k/s..2k/s", "--rate", "1k/s"},
      {"--udp", "10.0.0.1", "--sweep", "1k/s..2k/s", "--window", "4"},
      {"--udp", "10.0.0.1", "--sweep", "1k/s..2k/s", "--ramp", "1s"},
      {"--udp", "10.0.0.1", "--sweep", "1k/s..2k/s", "--tasks", "5"},
      {"--udp", "10.0.0.1", "--payload", "uniform:64B"},
      {"--udp", "10.0.0.1", "--payload", "uniform:64B-32B"},
      {"--udp", "10.0.0.1", "--payload", "uniform:8B-32B"},
      {"--udp", "10.0.0.1", "--payload", "exp:4KiB"},
      {"--udp", "10.0.0.1", "--payload", "normal:64B"},
      {"--udp", "10.0.0.1", "--p99-max", "5"},
      {"--udp", "10.0.0.1", "--rate-min", "5"},
  };
  for (const auto& arguments : mistakes) {
    const LoadCommand command = parse(arguments);
    ASSERT_TRUE(command.stop) << (arguments.empty() ? "" : arguments.back());
    EXPECT_EQ(command.stop->exit_code, kExitUsage);
    EXPECT_FALSE(command.stop->text.empty());
  }
}

std::vector<const char*> over_port(const std::vector<const char*>& more = {}) {
  std::vector<const char*> arguments = {"--port", "virtio:/run/x.sock", "--ip", "10.9.0.2/24", "--broker", "10.9.0.1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(LoadConfig, APortNeedsAnAddressAndABroker) {
  const LoadCommand command = parse(over_port({"--mtu", "1400", "--memory", "256MiB", "--clients", "50000"}));
  ASSERT_FALSE(command.stop) << command.stop->text;
  ASSERT_TRUE(command.options.port);
  const loadgen::PortTransport& port = *command.options.port;
  EXPECT_EQ(net::to_string(port.device), "virtio:/run/x.sock");
  EXPECT_EQ(port.device.queues, 1);
  EXPECT_EQ(port.device.mtu, 1'400);
  EXPECT_EQ(port.device.role, net::DeviceRole::kPeer);
  EXPECT_EQ(wire::to_string(port.address.ip), "10.9.0.2");
  EXPECT_EQ(wire::to_string(command.options.broker), "10.9.0.1:4800");
  EXPECT_EQ(port.memory_mib, 256U);
  EXPECT_FALSE(port.huge_pages);
  EXPECT_FALSE(port.gateway);
  EXPECT_EQ(port.cpu, allowed_cpus().back());
  EXPECT_EQ(command.options.mtu, 1'400);
  EXPECT_EQ(command.options.transport(), "virtio:/run/x.sock");
}

TEST(LoadConfig, WhatStandsBehindTwoDashesIsForDpdk) {
  const LoadCommand command = parse(over_port({"--hugepages", "--", "--log-level", "debug"}));
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_TRUE(command.options.port->huge_pages);
  EXPECT_EQ(command.options.port->eal_arguments, (std::vector<std::string>{"--log-level", "debug"}));
  EXPECT_TRUE(parse({"--udp", "10.0.0.1", "--", "--log-level"}).stop);
}

TEST(LoadConfig, ABrokerElsewhereNeedsAGateway) {
  const std::vector<const char*> elsewhere = {"--port", "tap:l0", "--ip", "10.9.0.2/24", "--broker", "10.8.0.1"};
  const LoadCommand without = parse(elsewhere);
  ASSERT_TRUE(without.stop);
  EXPECT_NE(without.stop->text.find("--gateway"), std::string::npos);
  std::vector<const char*> with = elsewhere;
  with.insert(with.end(), {"--gateway", "10.9.0.254"});
  const LoadCommand command = parse(with);
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_EQ(wire::to_string(*command.options.port->gateway), "10.9.0.254");
  with.back() = "10.8.0.254";
  EXPECT_TRUE(parse(with).stop);
}

TEST(LoadConfig, TransportMistakesSayWhatToType) {
  const std::vector<std::pair<std::vector<const char*>, const char*>> mistakes = {
      {{}, "--udp HOST"},
      {over_port({"--udp", "10.0.0.1"}), "keep one"},
      {{"--port", "virtio:/run/x.sock", "--broker", "10.9.0.1"}, "--ip ADDRESS/PREFIX"},
      {{"--port", "virtio:/run/x.sock", "--ip", "10.9.0.2/24"}, "--broker ADDRESS"},
      {{"--port", "virtio:/run/x.sock,queues=2", "--ip", "10.9.0.2/24", "--broker", "10.9.0.1"}, "one queue pair"},
      {{"--port", "veth:0", "--ip", "10.9.0.2/24", "--broker", "10.9.0.1"}, "is not a port"},
      {{"--port", "tap:l0", "--ip", "10.9.0.2/24", "--broker", "fd00::1"}, "two families"},
      {{"--port", "tap:l0", "--ip", "10.9.0.2/24", "--broker", "10.9.0.2"}, "our own"},
      {over_port({"--clients", "240000", "--workers", "240001"}), "480000"},
      {{"--port", "tap:l0", "--ip", "10.9.0.2/30", "--broker", "10.9.0.1", "--workers", "64000"}, "shorter prefix"},
      {over_port({"--core", "4095"}), "CPU 4095"},
      {{"--udp", "10.0.0.1", "--ip", "10.9.0.2/24"}, "--ip is for --port"},
      {{"--udp", "10.0.0.1", "--mtu", "9000"}, "--mtu is for --port"},
      {{"--udp", "10.0.0.1", "--clients", "20000"}, "16384"},
  };
  for (const auto& [arguments, hint] : mistakes) {
    const LoadCommand command = parse(arguments);
    ASSERT_TRUE(command.stop) << hint;
    EXPECT_EQ(command.stop->exit_code, kExitUsage);
    EXPECT_NE(command.stop->text.find(hint), std::string::npos) << command.stop->text;
  }
}

TEST(LoadConfig, ServiceTimesHaveAFormAndAUnit) {
  EXPECT_EQ(parse_service_time("none").value->form, loadgen::ServiceTime::Form::kNone);
  EXPECT_EQ(parse_service_time("const:2ms").value->mean_ns, 2 * kNsPerMs);
  const auto bimodal = parse_service_time("bimodal:50us:5ms:0.5%");
  ASSERT_TRUE(bimodal) << bimodal.error;
  EXPECT_EQ(bimodal.value->mean_ns, 50 * kNsPerUs);
  EXPECT_EQ(bimodal.value->rare_ns, 5 * kNsPerMs);
  EXPECT_DOUBLE_EQ(bimodal.value->rare_share, 0.005);
  const auto lognormal = parse_service_time("lognormal:1ms:1.5");
  ASSERT_TRUE(lognormal) << lognormal.error;
  EXPECT_EQ(lognormal.value->form, loadgen::ServiceTime::Form::kLognormal);
  EXPECT_DOUBLE_EQ(lognormal.value->sigma, 1.5);
  for (const char* text :
       {"", "const", "const:", "const:5", "exp:", "none:5us", ":5us", "bimodal", "bimodal:5us", "bimodal:5us:6us:7",
        "bimodal:5us:6us:101%", "bimodal:5us:6us:-1%", "bimodal:5us:6:1%", "bimodal:5us:6us:x%", "lognormal:5us",
        "lognormal:5us:nan", "lognormal:5us:6", "lognormal:5us:1:2", "lognormal:5:1"})
    EXPECT_FALSE(parse_service_time(text)) << text;
}

TEST(LoadConfig, FaultyWorkersAreSoManyOfAKind) {
  const auto fail = parse_faulty_workers("fail:2");
  ASSERT_TRUE(fail) << fail.error;
  EXPECT_EQ(fail.value->form, loadgen::FaultyWorkers::Form::kFail);
  EXPECT_EQ(fail.value->count, 2U);
  const auto slow = parse_faulty_workers("slow:1:10");
  ASSERT_TRUE(slow) << slow.error;
  EXPECT_EQ(slow.value->form, loadgen::FaultyWorkers::Form::kSlow);
  EXPECT_EQ(slow.value->times, 10U);
  for (const char* text : {"", "fail", "fail:", "fail:0", "fail:x", "fail:1:10", "slow:1", "slow:1:0", "slow:1:10:2",
                           "slow:999999999:2", "slow:1:9999999", "none"})
    EXPECT_FALSE(parse_faulty_workers(text)) << text;
}

TEST(LoadConfig, ASurgeComesOnTopOfARate) {
  const LoadCommand command = parse(
      over_port({"--rate", "1k/s", "--surge-rate", "9k/s", "--surge-clients", "4", "--surge-after", "3s", "--surge-for",
                 "2s", "--interval", "100ms", "--priority", "3", "--workers", "2", "--faulty-workers", "fail:1"}));
  ASSERT_FALSE(command.stop) << command.stop->text;
  const loadgen::Options& options = command.options;
  EXPECT_EQ(options.surge.rate_per_second, 9'000);
  EXPECT_EQ(options.surge.clients, 4U);
  EXPECT_EQ(options.surge.after_ns, 3 * kNsPerSecond);
  EXPECT_EQ(options.surge.length_ns, 2 * kNsPerSecond);
  EXPECT_EQ(options.endpoints(), 8U + 4U + 2U);
  EXPECT_EQ(options.interval_ns, 100 * kNsPerMs);
  EXPECT_EQ(options.priority, 3);
  EXPECT_EQ(options.faulty_workers.count, 1U);
  for (const std::vector<const char*>& flags :
       std::vector<std::vector<const char*>>{{"--surge-rate", "9k/s"},
                                             {"--rate", "1k/s", "--surge-rate", "9k/s", "--surge-after", "11s"},
                                             {"--rate", "1k/s", "--surge-rate", "9k/s", "--surge-for", "1s"},
                                             {"--sweep", "1k/s..2k/s", "--surge-rate", "9k/s"},
                                             {"--rate", "1k/s", "--priority", "4"}}) {
    const LoadCommand refused = parse(over_port(flags));
    ASSERT_TRUE(refused.stop) << flags.back();
    EXPECT_EQ(refused.stop->exit_code, kExitUsage);
  }
}

TEST(LoadConfig, ARampLeadsToTheRate) {
  const LoadCommand command = parse({"--udp", "10.0.0.1", "--rate", "10k/s", "--ramp", "10s", "--ramp-from", "1k/s",
                                     "--p99-max", "5ms", "--rate-min", "9k/s", "--html", "a.html", "--hgrm", "a.hgrm"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_EQ(command.options.profile().ramp_ns, 10 * kNsPerSecond);
  EXPECT_EQ(command.options.profile().from_per_second, 1'000);
  EXPECT_EQ(command.options.profile().per_second, 10'000);
  EXPECT_EQ(command.options.objectives.p99_max_ns, 5 * kNsPerMs);
  EXPECT_EQ(command.options.objectives.rate_min_per_second, 9'000);
  EXPECT_EQ(command.html, "a.html");
  EXPECT_EQ(command.hgrm, "a.hgrm");
}

TEST(LoadConfig, ASweepIsAnOpenLoop) {
  const LoadCommand command = parse({"--udp", "10.0.0.1", "--sweep", "10k/s..500k/s", "--poisson"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_TRUE(command.options.open_loop());
  EXPECT_EQ(command.options.sweep->from_per_second, 10'000);
  EXPECT_EQ(command.options.rate_per_second, 500'000);
}

TEST(LoadConfig, PayloadsHaveADistribution) {
  const LoadCommand uniform = parse({"--udp", "10.0.0.1", "--payload", "uniform:64B-1KiB"});
  ASSERT_FALSE(uniform.stop) << uniform.stop->text;
  EXPECT_EQ(uniform.options.prompt_bytes, 1'024U);
  EXPECT_EQ(uniform.options.prompt_sizes.bytes_min, 64U);
  const LoadCommand exponential = parse({"--udp", "10.0.0.1", "--payload", "exp:200B"});
  ASSERT_FALSE(exponential.stop) << exponential.stop->text;
  EXPECT_EQ(exponential.options.prompt_sizes.mean, 200);
  EXPECT_EQ(exponential.options.prompt_bytes, loadgen::prompt_bytes_max(exponential.options, 1'500));
}

// A file of sizes, gone with the object.
class SizesFile {
 public:
  explicit SizesFile(const std::string& text) : path_(testing::TempDir() + "mcplane-load-sizes") {
    std::ofstream(path_) << text;
  }
  ~SizesFile() { std::filesystem::remove(path_); }
  SizesFile(const SizesFile&) = delete;
  SizesFile& operator=(const SizesFile&) = delete;
  std::string flag() const { return "file:" + path_; }

 private:
  std::string path_;
};

TEST(LoadConfig, PayloadSizesMayStandInAFile) {
  const SizesFile file("# prompts as they were\n256B\n\n  4KiB # a long one\r\n1MiB\n256B");
  const auto payload = parse_payload(file.flag());
  ASSERT_TRUE(payload) << payload.error;
  EXPECT_EQ(payload.value->bytes_max, 1U << 20);
  EXPECT_EQ(payload.value->sizes.form, loadgen::PromptSizes::Form::kList);
  EXPECT_EQ(*payload.value->sizes.list, (std::vector<std::uint32_t>{256, 4'096, 1 << 20, 256}));
}

TEST(LoadConfig, AMistakeInAFileOfSizesIsNamedByItsLine) {
  const std::vector<std::pair<std::string, const char*>> mistakes = {
      {"256B\n256\n", "sizes:2: "}, {"256B\n\n15B\n", "sizes:3: a prompt has 16B"},
      {"256B 1KiB\n", "sizes:1: "}, {"17MiB", "sizes:1: a prompt"},
      {"# nothing\n", "no sizes"},
  };
  for (const auto& [text, hint] : mistakes) {
    const SizesFile file(text);
    const auto payload = parse_payload(file.flag());
    ASSERT_FALSE(payload) << text;
    EXPECT_NE(payload.error.find(hint), std::string::npos) << payload.error;
    EXPECT_EQ(payload.error.find('\n'), std::string::npos);
  }
  EXPECT_NE(parse_payload("file:/nowhere/sizes").error.find("cannot read '/nowhere/sizes'"), std::string::npos);
  EXPECT_NE(parse_payload("file:" + testing::TempDir()).error.find("cannot read"), std::string::npos);
}

TEST(LoadConfig, StreamsAreSoManyChunksOfASize) {
  const LoadCommand command =
      parse({"--udp", "10.0.0.1", "--workers", "1", "--stream", "100:32B", "--stream-interval", "20ms"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_TRUE(command.options.streams());
  EXPECT_EQ(command.options.stream.chunks, 100U);
  EXPECT_EQ(command.options.stream.chunk_bytes, 32U);
  EXPECT_EQ(command.options.stream.interval_ns, 20 * kNsPerMs);
  for (const char* text : {"", "100", "100:32", "0:32B", "1000001:32B", "100:31B", "100:17MiB", "32B:100", "1:32B:1ms"})
    EXPECT_FALSE(parse_stream(text)) << text;
}

TEST(LoadConfig, FramesAreTurnedRoundInAClosedLoopOrAtOneRate) {
  EXPECT_FALSE(parse(over_port({"--workers", "1", "--reflect"})).stop);
  const LoadCommand command = parse(over_port({"--workers", "1", "--reflect", "--rate", "1M/s", "--poisson"}));
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_TRUE(command.options.reflect && command.options.open_loop());
  const std::vector<std::pair<std::vector<const char*>, const char*>> mistakes = {
      {over_port({"--workers", "1", "--reflect", "--sweep", "1k/s..2k/s"}), "--rate"},
      {over_port({"--workers", "1", "--reflect", "--rate", "1k/s", "--surge-rate", "1k/s"}), "--surge-rate"},
      {over_port({"--workers", "0", "--reflect"}), "--workers"},
      {over_port({"--workers", "1", "--reflect", "--payload", "exp:100B"}), "--payload"},
  };
  for (const auto& [arguments, hint] : mistakes) {
    const LoadCommand refused = parse(arguments);
    ASSERT_TRUE(refused.stop) << hint;
    EXPECT_EQ(refused.stop->exit_code, kExitUsage);
    EXPECT_NE(refused.stop->text.find(hint), std::string::npos) << refused.stop->text;
  }
}

TEST(LoadConfig, StreamsOfWhatCannotStreamAreRefused) {
  const std::vector<std::pair<std::vector<const char*>, const char*>> mistakes = {
      {{"--udp", "10.0.0.1", "--stream", "10:32B"}, "--workers"},
      {{"--udp", "10.0.0.1", "--stream-interval", "1ms"}, "--stream"},
      {{"--udp", "10.0.0.1", "--events", "--stream", "10:32B"}, "--events"},
      {over_port({"--workers", "1", "--reflect", "--stream", "10:32B"}), "--reflect"},
      {{"--udp", "10.0.0.1", "--workers", "1", "--stream", "10:1400B"}, "at most"},
      {{"--udp", "10.0.0.1", "--workers", "1", "--stream", "1000:32B", "--stream-interval", "20ms"}, "--ttl 31s"},
      {over_port({"--workers", "1", "--rate", "1k/s", "--surge-rate", "1k/s", "--stream", "9:32B"}), "--surge-rate"},
  };
  for (const auto& [arguments, hint] : mistakes) {
    const LoadCommand command = parse(arguments);
    ASSERT_TRUE(command.stop) << hint;
    EXPECT_EQ(command.stop->exit_code, kExitUsage);
    EXPECT_NE(command.stop->text.find(hint), std::string::npos) << command.stop->text;
  }
}

TEST(LoadConfig, MoreEndpointsThanPortsTakeTheAddressesThatFollow) {
  const LoadCommand command = parse({"--port", "tap:l0", "--ip", "10.9.0.254/16", "--broker", "10.9.0.255", "--clients",
                                     "10000", "--workers", "120000"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  const auto addresses = loadgen::port_addresses(command.options);
  ASSERT_EQ(addresses.size(), 3U);
  EXPECT_EQ(wire::to_string(addresses[0].ip), "10.9.0.254");
  EXPECT_EQ(wire::to_string(addresses[1].ip), "10.9.1.0") << "the broker's own is left out";
  EXPECT_EQ(wire::to_string(addresses[2].ip), "10.9.1.1");
}

}  // namespace
}  // namespace mcplane::app
