// What is accepted, to the unit; and that every refusal is one line that says what to type.
#include "app/command_line/units.h"

#include <gtest/gtest.h>

#include <string>

namespace mcplane::app {
namespace {

template <class T>
struct Case {
  std::string_view typed;
  T expected;
};

struct Refusal {
  std::string_view typed;
  std::string_view says;
};

template <class Parse>
void expect_refused(Parse parse, std::initializer_list<Refusal> refusals) {
  for (const auto& [typed, says] : refusals) {
    const auto parsed = parse(typed);
    EXPECT_FALSE(parsed) << typed;
    EXPECT_NE(parsed.error.find(says), std::string::npos) << typed << ": " << parsed.error;
    EXPECT_EQ(parsed.error.find('\n'), std::string::npos) << parsed.error;
  }
}

TEST(Units, DurationsToTheNanosecond) {
  for (const auto& [typed, expected] : {Case<std::uint64_t>{"250us", 250'000},
                                        {"100ms", 100'000'000},
                                        {"1.5s", 1'500'000'000},
                                        {"2m", 120'000'000'000},
                                        {"1h", 3'600'000'000'000},
                                        {"0s", 0},
                                        {"0.5us", 500},
                                        {"1000h", 3'600'000'000'000'000}})
    EXPECT_EQ(parse_duration_ns(typed).value, expected) << typed;
}

TEST(Units, DurationsRefused) {
  expect_refused(parse_duration_ns, {{"100", "has no unit; type 100us, 100ms, 100s, 100m or 100h"},
                                     {"1.5", "has no unit; type 1.5us"},
                                     {"", "is not a duration"},
                                     {"ms", "is not a duration"},
                                     {"-1s", "is not a duration"},
                                     {"+1s", "is not a duration"},
                                     {".5s", "is not a duration"},
                                     {"1.s", "is not a duration"},
                                     {"inf", "is not a duration"},
                                     {"1 s", "unknown unit ' s'"},
                                     {"1S", "unknown unit 'S'; type us, ms, s, m or h"},
                                     {"1min", "unknown unit 'min'"},
                                     {"1e3s", "unknown unit 'e3s'"},
                                     {"1.2.3s", "unknown unit '.3s'"},
                                     {"1s\n", "unknown unit 's?'"},
                                     {"0.0001us", "too small"},
                                     {"1001h", "too large"},
                                     {"99999999999999999999999999h", "too large"}});
}

TEST(Units, SizesToTheByte) {
  for (const auto& [typed, expected] : {Case<std::uint64_t>{"256B", 256},
                                        {"64KiB", 65'536},
                                        {"512MiB", 536'870'912},
                                        {"1.5GiB", 1'610'612'736},
                                        {"1024GiB", 1'099'511'627'776}})
    EXPECT_EQ(parse_size_bytes(typed).value, expected) << typed;
  expect_refused(parse_size_bytes, {{"512", "has no unit; type 512B, 512KiB, 512MiB or 512GiB"},
                                    {"64KB", "unknown unit 'KB'"},
                                    {"64kib", "unknown unit 'kib'"},
                                    {"0.1B", "too small"},
                                    {"1025GiB", "too large"}});
}

TEST(Units, RatesPerSecond) {
  for (const auto& [typed, expected] :
       {Case<double>{"50/s", 50}, {"200k/s", 200'000}, {"1M/s", 1e6}, {"1.5k/s", 1'500}, {"0.5/s", 0.5}})
    EXPECT_EQ(parse_rate_per_second(typed).value, expected) << typed;
  expect_refused(parse_rate_per_second, {{"200", "has no unit; type 200/s, 200k/s or 200M/s"},
                                         {"200k", "unknown unit 'k'"},
                                         {"/s", "is not a rate"},
                                         {"2000M/s", "too large"}});
}

TEST(Units, CountsAreBareDigits) {
  EXPECT_EQ(parse_count("32").value, 32U);
  EXPECT_EQ(parse_count("18446744073709551615").value, 18'446'744'073'709'551'615U);
  expect_refused(parse_count, {{"", "is not a count"},
                               {"-1", "is not a count"},
                               {"1.5", "is not a count"},
                               {"32k", "is not a count; type a whole number, such as 32"},
                               {"18446744073709551616", "is not a count"}});
}

TEST(Units, CpuLists) {
  using Cpus = std::vector<unsigned>;
  EXPECT_EQ(parse_cpu_list("3").value, Cpus({3}));
  EXPECT_EQ(parse_cpu_list("2-5,7").value, Cpus({2, 3, 4, 5, 7}));
  EXPECT_EQ(parse_cpu_list("7,2-3,3,2").value, Cpus({2, 3, 7}));
  expect_refused(parse_cpu_list, {{"", "is not a list of CPUs; type numbers and ranges, such as 2-5,7"},
                                  {"2,", "is not a list of CPUs"},
                                  {"2-", "is not a list of CPUs"},
                                  {"-2", "is not a list of CPUs"},
                                  {"1-2-3", "is not a list of CPUs"},
                                  {"a", "is not a list of CPUs"},
                                  {"5-2", "runs backwards; type 2-5"},
                                  {"0-4096", "above the last CPU, 4095"}});
}

TEST(Units, HostPrefixes) {
  for (const std::string_view typed : {"10.0.0.1/24", "10.0.0.0/31", "10.0.0.1/32", "192.168.1.255/16"}) {
    const auto parsed = parse_host_prefix(typed);
    ASSERT_TRUE(parsed) << parsed.error;
    EXPECT_EQ(wire::to_string(parsed.value->ip) + "/" + std::to_string(parsed.value->length), typed);
  }
  EXPECT_TRUE(parse_host_prefix("fd00::1/64"));
  EXPECT_TRUE(parse_host_prefix("fd00::/127"));
  expect_refused(parse_host_prefix, {{"10.0.0.1", "has no prefix length; type 10.0.0.1/24"},
                                     {"fd00::1", "has no prefix length; type fd00::1/64"},
                                     {"10.0.0.300/24", "is not an address with its prefix; type 10.0.0.1/24"},
                                     {"10.0.0.1/33", "is not an address with its prefix"},
                                     {"10.0.0.0/24", "is a network; type a host's address"},
                                     {"fd00::/64", "is a network"},
                                     {"10.0.0.255/24", "is a broadcast address"},
                                     {"127.0.0.1/8", "is not a host's unicast address"},
                                     {"224.0.0.1/24", "is not a host's unicast address"},
                                     {"0.0.0.0/0", "is not a host's unicast address"},
                                     {"ff02::1/64", "is not a host's unicast address"},
                                     {"::1/128", "is not a host's unicast address; type one such as fd00::1/64"}});
}

TEST(Units, MacAddresses) {
  const auto parsed = parse_mac("02:00:5e:AB:cd:01");
  ASSERT_TRUE(parsed) << parsed.error;
  EXPECT_EQ(*parsed.value, (wire::MacAddress{0x02, 0x00, 0x5e, 0xab, 0xcd, 0x01}));
  expect_refused(parse_mac, {{"", "is not a MAC address; type six bytes, such as 02:00:00:00:00:01"},
                             {"02:00:00:00:00", "is not a MAC address"},
                             {"02-00-00-00-00-01", "is not a MAC address"},
                             {"02:00:00:00:00:0g", "is not a MAC address"},
                             {"02:00:00:00:00:1 ", "is not a MAC address"},
                             {"00:00:00:00:00:00", "is not a unicast MAC address"},
                             {"ff:ff:ff:ff:ff:ff", "is not a unicast MAC address"}});
}

TEST(Units, FormatsReadBack) {
  for (const std::uint64_t ns :
       {0ULL, 500ULL, 1'000ULL, 1'500'000ULL, 100'000'000ULL, 2'000'000'000ULL, 90'000'000'000ULL})
    EXPECT_EQ(parse_duration_ns(format_duration_ns(ns)).value, ns) << format_duration_ns(ns);
  EXPECT_EQ(format_duration_ns(1'500'000), "1500us");
  EXPECT_EQ(format_duration_ns(120'000'000'000), "2m");
  EXPECT_EQ(format_size_bytes(512ULL << 20), "512MiB");
  EXPECT_EQ(format_size_bytes(1'500), "1500B");
}

TEST(Units, WhatWasTypedStaysOnOneShortLine) {
  EXPECT_EQ(quote("a\nb\tc\x7f"), "'a?b?c?'");
  EXPECT_EQ(quote(std::string(100, 'x')), "'" + std::string(60, 'x') + "...'");
}

TEST(Units, SharesAndFactors) {
  EXPECT_EQ(parse_share("50%").value, 0.5);
  EXPECT_EQ(parse_share("0%").value, 0);
  EXPECT_EQ(parse_share("100%").value, 1);
  EXPECT_EQ(parse_factor("1.25").value, 1.25);
  expect_refused(parse_share, {{"0.5", "has no unit; type 50%"},
                               {"50", "has no unit; type 50%"},
                               {"101%", "is too large"},
                               {"-1%", "is not a share"},
                               {"", "is not a share"}});
  expect_refused(parse_factor, {{"", "is not a number"}, {"1e3", "is not a number"}, {"-1", "is not a number"}});
  for (const double share : {0.0, 0.01, 0.07, 0.125, 1.0}) EXPECT_EQ(parse_share(format_share(share)).value, share);
  for (const double rate : {0.0, 1.0, 1'500.0, 200'000.0, 1'234'567.0, 1e9})
    EXPECT_EQ(parse_rate_per_second(format_rate_per_second(rate)).value, rate);
  EXPECT_EQ(format_rate_per_second(200'000), "200k/s");
}

}  // namespace
}  // namespace mcplane::app
