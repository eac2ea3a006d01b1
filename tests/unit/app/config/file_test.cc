// A configuration file's text: what it sets, and every mistake it can have, each with its place.
#include "app/config/file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/config/keys.h"

namespace mcplane::app {
namespace {

ConfigFile file_of(const std::string& text) { return read_config_file(text, "f", restart_keys()); }

// The only line, less "f:".
std::string mistake(const std::string& text) {
  const ConfigFile file = file_of(text);
  EXPECT_EQ(file.mistakes.size(), 1U) << text;
  return file.mistakes.empty() ? "" : file.mistakes.front().substr(2);
}

std::string value_of(const ConfigFile& file, const std::string& key) {
  const auto found = std::ranges::find(file.values, key, &control::ConfigValue::key);
  return found == file.values.end() ? "?" : found->value + " @" + found->origin;
}

TEST(ConfigFile, NoTextSetsNothing) {
  const ConfigFile file = file_of("");
  EXPECT_TRUE(file.mistakes.empty());
  EXPECT_TRUE(file.flags.empty());
  EXPECT_EQ(value_of(file, "breaker.window"), "100 @default");
  EXPECT_EQ(value_of(file, "breaker.failure-share"), "50% @default");
}

TEST(ConfigFile, EveryHotKeyIsStored) {
  const ConfigFile file = file_of(R"(
[scheduling]
slow-start = "30s"
[breaker]
enabled = false
per-action = false
window = 50
outcomes-min = 10
failure-share = "25%"
consecutive = 7
slow = "2s"
open = "1s"
open-max = "10s"
jitter = "0%"
probes = 4
ejected-share-max = "100%"
[probe]
interval = "2s"
timeout = "500ms"
rise = 1
fall = 7
jitter = "20%"
[trace]
sample = "1%"
slow = "3s"
[autoscale]
target = "75%"
tolerance = "5%"
scale-up-window = "10s"
scale-down-window = "60s"
min = 2
max = 30
[client]
rate = "1.5k/s"
burst = 8
concurrency = 9
[[route]]
action = "generate"
model = "llama"
policy = "session"
imbalance = 2
rate = "200k/s"
burst = 11
concurrency = 12
[[route]]
action = "generate"
rate = "1/s"
degrade = ["cached", "fallback", "reply"]
degrade-when = "always"
cache-ttl = "90s"
fallback-action = "guess"
fallback-model = "tiny"
reply = "come back later"
[[route]]
action = "*"
degrade = "skip"
policy = "power-of-two"
)");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.front();
  const control::Settings& s = file.settings;
  EXPECT_EQ(s.slow_start_ns, 30 * kNsPerSecond);
  EXPECT_FALSE(s.breaker.enabled);
  EXPECT_FALSE(s.breaker.per_action);
  EXPECT_EQ(s.breaker.window, 50U);
  EXPECT_EQ(s.breaker.outcomes_min, 10U);
  EXPECT_EQ(s.breaker.failure_share, 0.25);
  EXPECT_EQ(s.breaker.consecutive, 7U);
  EXPECT_EQ(s.breaker.slow_ns, 2 * kNsPerSecond);
  EXPECT_EQ(s.breaker.open_ns, kNsPerSecond);
  EXPECT_EQ(s.breaker.open_max_ns, 10 * kNsPerSecond);
  EXPECT_EQ(s.breaker.jitter, 0);
  EXPECT_EQ(s.breaker.probes, 4U);
  EXPECT_EQ(s.breaker.ejected_share_max, 1);
  EXPECT_EQ(s.probe, (control::ProbeSettings{2 * kNsPerSecond, 500 * kNsPerMs, 1, 7, 0.2}));
  EXPECT_EQ(s.trace.sample, 0.01);
  EXPECT_EQ(s.trace.slow_ns, 3 * kNsPerSecond);
  EXPECT_EQ(s.autoscale, (control::AutoscaleSettings{0.75, 0.05, 10 * kNsPerSecond, 60 * kNsPerSecond, 2, 30}));
  EXPECT_EQ(s.client.tasks_per_s, 1'500);
  EXPECT_EQ(s.client.burst, 8U);
  EXPECT_EQ(s.client.concurrency, 9U);
  ASSERT_EQ(s.routes.size(), 3U);
  EXPECT_EQ(name_of(s.routes[0]), "generate/llama");
  EXPECT_EQ(s.routes[0].policy, state::Policy::kSession);
  EXPECT_EQ(s.routes[0].imbalance, 2);
  EXPECT_EQ(s.routes[0].limits.tasks_per_s, 200'000);
  EXPECT_EQ(s.routes[0].limits.burst, 11U);
  EXPECT_EQ(s.routes[0].limits.concurrency, 12U);
  EXPECT_EQ(s.routes[1].limits.tasks_per_s, 1);
  using wire::Substitute;
  const control::DegradeSettings& degrade = s.routes[1].degrade;
  EXPECT_EQ(degrade.chain, (std::vector{Substitute::Cached, Substitute::Fallback, Substitute::Reply}));
  EXPECT_EQ(degrade.when, control::DegradeWhen::kAlways);
  EXPECT_EQ(degrade.cache_ttl_ns, 90 * kNsPerSecond);
  EXPECT_EQ(degrade.fallback_action + "/" + degrade.fallback_model, "guess/tiny");
  EXPECT_EQ(degrade.reply, "come back later");
  EXPECT_EQ(s.routes[2].degrade.chain, std::vector{Substitute::Skip});
  EXPECT_EQ(s.routes[2].policy, state::Policy::kPowerOfTwo);
  // The text above names every key there is, and each reads back what it shows.
  for (const control::ConfigValue& value : file.values)
    EXPECT_TRUE(value.key.starts_with("route") || value.origin != "default") << value.key;
  EXPECT_EQ(value_of(file, "client.rate"), "1.5k/s @f:34");
  EXPECT_EQ(value_of(file, "route[generate/llama].rate"), "200k/s @f:42");
  EXPECT_EQ(value_of(file, "route"), "generate/llama, generate, * @f:37");
}

TEST(ConfigFile, WhatIsShownIsReadBack) {
  for (const auto& key : settings_keys()) {
    control::Settings settings;
    EXPECT_EQ(key.accept(settings, key.show(settings)), "") << key.path;
  }
  for (const char* const name :
       {"least-outstanding", "round-robin", "weighted", "power-of-two", "source-hash", "session", "prefix"})
    EXPECT_TRUE(file_of("[[route]]\naction = \"a\"\npolicy = \"" + std::string(name) + "\"\n").mistakes.empty())
        << name;
}

TEST(ConfigFile, RestartKeysBecomeFlags) {
  const ConfigFile file = file_of(
      "[appliance]\nmtu = 9000\nport = \"tap:mc0\"\nip = [\"10.0.0.1/24\", \"fd00::1/64\"]\nhugepages = true\n");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.front();
  std::string typed;
  for (const FileFlag& flag : file.flags) typed += flag.name + "=" + flag.value + " ";
  EXPECT_EQ(typed, "port=tap:mc0 ip=10.0.0.1/24 ip=fd00::1/64 mtu=9000 hugepages=true ");
  EXPECT_EQ(file.flags[0].origin, "f:3");
}

TEST(ConfigFile, PortTablesKeepAddressesWithTheirPort) {
  const ConfigFile file = file_of(
      "[[port]]\nip = \"10.0.0.1/24\"\ndevice = \"tap:a\"\n[[port]]\ndevice = \"tap:b\"\nip = \"10.1.0.1/24\"\n");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.front();
  std::string typed;
  for (const FileFlag& flag : file.flags) typed += flag.name + "=" + flag.value + " ";
  EXPECT_EQ(typed, "port=tap:a ip=10.0.0.1/24 port=tap:b ip=10.1.0.1/24 ");
}

TEST(ConfigFile, EachMistakeHasItsPlaceAndItsCure) {
  struct Case {
    const char* text;
    const char* start;
    const char* cure;
  };
  const Case cases[] = {
      // The text and its tables.
      {"x = = 3", "1:5: no TOML: ", "type [TABLE] and KEY = VALUE"},
      {"[breaker]\nwindow = 20\nwindow = 30", "3:", "redefine"},
      {"mtu = 9000", "1:1: mtu: is unknown", "put it under [appliance]"},
      {"window = 20", "1:1: window: is unknown", "put it under [breaker]"},
      {"[breakr]\n", "1:2: breakr: is unknown", "did you mean [breaker]?"},
      {"[nothing]\n", "1:2: nothing: is unknown", "the tables are appliance, "},
      {"breaker = 5", "1:11: breaker: is no table", "type a line [breaker]"},
      {"[route]\naction = \"a\"", "1:1: route: there may be several", "type a line [[route]]"},
      // Keys.
      {"[appliance]\nmtuu = 9", "2:1: appliance.mtuu: is unknown", "did you mean appliance.mtu?"},
      {"[breaker]\nwindows = 20", "2:1: breaker.windows: is unknown", "did you mean breaker.window?"},
      {"[breaker]\nquantum = \"1s\"", "2:1: breaker.quantum: is unknown", "[breaker] has enabled"},
      {"[client]\nxyzzy = 1", "2:1: client.xyzzy: is unknown", "[client] has "},
      {"[[route]]\naction = \"a\"\npolcy = \"session\"", "3:1: route.polcy: is unknown", "did you mean route.policy?"},
      {"[[port]]\ndevice = \"tap:a\"\nips = \"x\"", "3:1: port.ips: is unknown", "did you mean port.ip?"},
      // Values.
      {"[breaker]\nwindow = 5", "2:10: breaker.window: '5' is out of range", "type 10 to 100 (Outcomes"},
      {"[breaker]\nwindow = -5", "2:10: breaker.window: '-5' is not a count", "type a whole number"},
      {"[breaker]\nwindow = 1.5", "2:10: breaker.window: '1.5' is not a count", "type a whole number"},
      {"[breaker]\nwindow = [20]", "2:10: breaker.window: is no single value", "type COUNT, 10 to 100"},
      {"[breaker]\nopen = 30", "2:8: breaker.open: '30' has no unit", "30s, 30m or 30h, in quotes"},
      {"[breaker]\nopen = \"30x\"", "2:8: breaker.open: '30x' has the unknown unit", "type us, ms, s, m or h"},
      {"[breaker]\njitter = 0.5", "2:10: breaker.jitter: '0.5' has no unit", "type 50%, in quotes"},
      {"[breaker]\njitter = \"101%\"", "2:10: breaker.jitter: '101%' is too large", "smaller share"},
      {"[breaker]\nenabled = 1", "2:11: breaker.enabled: '1' is no switch", "type true or false"},
      {"[client]\nrate = \"200\"", "2:8: client.rate: '200' has no unit", "200/s"},
      {"[[route]]\naction = 5", "2:10: route.action: '5' is no text", "put it in quotes"},
      {"[[route]]\naction = \"\"", "2:10: route.action: '' is no name", "type 1 to 64 bytes"},
      {"[[route]]\naction = \"a\"\npolicy = \"sesion\"", "3:10: route.policy: 'sesion' is none", "mean session?"},
      {"[[route]]\naction = \"a\"\npolicy = \"q\"", "3:10: route.policy: 'q' is none", "session or prefix"},
      {"[[route]]\naction = \"a\"\nimbalance = \"x\"\npolicy = \"prefix\"",
       "3:13: route.imbalance: 'x' is not a number", "such as 1.25"},
      {"[appliance]\nmtu = 80", "2:7: appliance.mtu: '80' is out of range", "type 576 to 9000"},
      {"[appliance]\nmax-ack-delay = 1", "2:17: appliance.max-ack-delay: '1' has no unit", "in quotes"},
      {"[appliance]\nhugepages = \"maybe\"", "2:13: appliance.hugepages: is a switch", "type true or false"},
      {"[appliance]\nmtu = [1500]", "2:7: appliance.mtu: is a list", "type one value"},
      {"[appliance]\nip = []", "2:6: appliance.ip: is an empty list", "type a value"},
      {"[appliance]\nip = [\"10.0.0.1\"]", "2:7: appliance.ip: '10.0.0.1' has no prefix length", "10.0.0.1/24"},
      // Contradictions.
      {"[breaker]\nwindow = 10", "2:10: breaker.outcomes-min: 20 outcomes are never in a window of 10", "type 10"},
      {"[probe]\ntimeout = \"6s\"", "2:11: probe.timeout: 6s is longer than the interval, 5s", "type 5s or less"},
      {"[autoscale]\nmin = 5\nmax = 4", "2:7: autoscale.min: 5 is more than max, 4", "type 4 or fewer"},
      {"[breaker]\nopen = \"10m\"", "2:8: breaker.open: 10m is longer than open-max, 5m", "type 5m or less"},
      {"[client]\nburst = 5", "2:9: client.burst: limits nothing without a rate", "type rate"},
      {"[[route]]\naction = \"a\"\nburst = 5", "3:9: route.burst: limits nothing", "type rate"},
      {"[[route]]\nmodel = \"a\"", "1:1: route.action: is missing", "type action = "},
      {"[[route]]\naction = \"a\"\ndegrade = [\"cache\"]", "3:11: route.degrade: 'cache' is none",
       "did you mean cached?"},
      {"[[route]]\naction = \"a\"\ndegrade = [\"skip\", \"skip\"]", "3:11: route.degrade: 'skip' is there twice",
       "type it once"},
      {"[[route]]\naction = \"a\"\ndegrade = [1]", "3:11: route.degrade: is no list of texts", "type list of cached"},
      {"[[route]]\naction = \"a\"\ndegrade = \"reply\"", "3:11: route.degrade: has reply and no text", "type reply ="},
      {"[[route]]\naction = \"a\"\nreply = \"x\"", "3:9: route.reply: is not used", "type degrade = [\"reply\"]"},
      {"[[route]]\naction = \"a\"\ndegrade = \"fallback\"", "3:11: route.degrade: has fallback and no other workers",
       "type fallback-action"},
      {"[[route]]\naction = \"a\"\ndegrade = \"fallback\"\nfallback-action = \"a\"",
       "3:11: route.degrade: has fallback and no other workers", "type fallback-action"},
      {"[[route]]\naction = \"a\"\ndegrade = [\"skip\", \"cached\"]", "3:11: route.degrade: never comes to cached",
       "put that last"},
      {"[[route]]\naction = \"a\"\ndegrade-when = \"never\"", "3:16: route.degrade-when: is not used", "type degrade"},
      {"[[route]]\naction = \"a\"\nimbalance = 2", "3:13: route.imbalance: is not used", "type policy"},
      {"[[route]]\naction = \"a\"\n[[route]]\naction = \"a\"", "4:10: route.action: 'a' has a route in line 1 already",
       "keep one"},
      {"[[route]]\naction = \"*\"\n[[route]]\naction = \"a\"", "4:10: route.action: 'a' is never reached",
       "put it before"},
      {"[appliance]\nport = \"tap:a\"\n[[port]]\ndevice = \"tap:b\"", "2:8: appliance.port: does not go with [[port]]",
       "type it there"},
      {"[[port]]\nip = \"10.0.0.1/24\"", "1:1: port.device: is missing", "KIND:NAME"},
  };
  for (const Case& expected : cases) {
    const std::string line = mistake(expected.text);
    EXPECT_TRUE(line.starts_with(expected.start)) << expected.text << "\n" << line;
    EXPECT_NE(line.find(expected.cure), std::string::npos) << expected.text << "\n" << line;
  }
}

TEST(ConfigFile, AllMistakesAreToldInTheOrderOfTheText) {
  const ConfigFile file = file_of(
      "[[route]]\npolicy = \"x\"\n[client]\nrate = 5\nburst = \"x\"\n[breaker]\nwindow = 10\nxyzzy = 1\n[zzz]\nmtu = "
      "1\n");
  std::string starts;
  for (const std::string& line : file.mistakes) starts += line.substr(2, line.find(": ", 2) - 2) + " ";
  EXPECT_EQ(starts, "1:1 2:10 4:8 5:9 7:10 8:1 9:2 ");
}

// A value that is wrong says nothing about the others.
TEST(ConfigFile, AMistakeBringsNoContradictions) {
  EXPECT_TRUE(mistake("[breaker]\nopen = \"?\"\nopen-max = \"1s\"").starts_with("2:8: breaker.open: '?'"));
  EXPECT_TRUE(mistake("[client]\nrate = \"?\"\nburst = 5").starts_with("2:8: client.rate: '?'"));
  EXPECT_TRUE(
      mistake("[[route]]\naction = \"a\"\nmodel = 5\n[[route]]\naction = \"a\"").starts_with("3:9: route.model"));
}

TEST(ConfigFile, TooManyRoutesAreRefused) {
  std::string text;
  for (int i = 0; i < 257; ++i) text += "[[route]]\naction = \"a" + std::to_string(i) + "\"\n";
  EXPECT_TRUE(mistake(text).starts_with("513:1: route: 256 are the most"));
}

TEST(ConfigFile, HostileTextIsOnlyAMistake) {
  for (const std::string& text :
       {std::string("\xff\xfe"), std::string("a\0b", 3), std::string(100'000, '['), "x = \"" + std::string(10'000, 'a'),
        std::string("[breaker]\n\"win\\u001bdow\" = 5")}) {
    const ConfigFile file = file_of(text);
    EXPECT_FALSE(file.mistakes.empty());
    for (const std::string& line : file.mistakes)
      for (const char letter : line) EXPECT_GE(static_cast<unsigned char>(letter), 0x20U);
  }
}

}  // namespace
}  // namespace mcplane::app
