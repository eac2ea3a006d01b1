#include "wire/address.h"

#include <gtest/gtest.h>

namespace mcplane::wire {
namespace {

using namespace std::string_literals;

TEST(Address, ReadsAndPrintsBothFamilies) {
  EXPECT_EQ(parse_ip("10.0.0.1"), IpAddress::v4({10, 0, 0, 1}));
  for (const char* text :
       {"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "::1", "fd00::1", "2001:db8::ff00:42:8329"}) {
    const auto ip = parse_ip(text);
    ASSERT_TRUE(ip) << text;
    EXPECT_EQ(to_string(*ip), text);
  }
}

TEST(Address, RefusesWhatIsNoAddress) {
  for (const auto& text :
       {""s, "10.0.0"s, "10.0.0.256"s, "10.0.0.01"s, " 10.0.0.1"s, "10.0.0.1 "s, "10.0.0.1/24"s, "fd00:::1"s,
        "fd00::1%eth0"s, "::ffff:10.0.0.1"s, "[fd00::1]"s, "localhost"s, "10.0.0.1\0x"s, std::string(100, '1')})
    EXPECT_FALSE(parse_ip(text)) << text;
}

TEST(Address, ReadsPrefixes) {
  const auto v4 = parse_prefix("10.0.0.1/24");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->ip, IpAddress::v4({10, 0, 0, 1}));
  EXPECT_EQ(v4->length, 24);
  EXPECT_EQ(parse_prefix("10.0.0.1/32")->length, 32);
  EXPECT_EQ(parse_prefix("fd00::1/128")->length, 128);
  for (const char* text : {"10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "fd00::1/129", "fd00::1/300", "10.0.0.1/-1",
                           "10.0.0.1/+8", "10.0.0.1/2x", "10.0.0.1/24/8", "/24"})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

TEST(Address, PrintsEndpointsAndMacs) {
  EXPECT_EQ(to_string(Endpoint{*parse_ip("10.0.0.1"), 4000}), "10.0.0.1:4000");
  EXPECT_EQ(to_string(Endpoint{*parse_ip("fd00::1"), 4000}), "[fd00::1]:4000");
  EXPECT_EQ(to_string(MacAddress{0x02, 0xab, 0, 0x10, 0x0f, 0xff}), "02:ab:00:10:0f:ff");
}

TEST(Address, MadeMacIsStableLocalAndItsOwn) {
  const MacAddress mac = mac_for(*parse_ip("10.0.0.1"));
  EXPECT_EQ(mac, mac_for(*parse_ip("10.0.0.1")));
  EXPECT_EQ(mac[0], 0x02);
  EXPECT_NE(mac, mac_for(*parse_ip("10.0.0.2")));
  EXPECT_NE(mac_for(*parse_ip("fd00::1")), mac_for(*parse_ip("fd00::2")));
}

TEST(Prefix, ContainsWhatSharesItsBits) {
  struct Case {
    const char* prefix;
    const char* ip;
    bool contains;
  };
  for (const auto& [prefix, ip, contains] : std::initializer_list<Case>{{"10.0.0.1/24", "10.0.0.254", true},
                                                                        {"10.0.0.1/24", "10.0.1.1", false},
                                                                        {"10.0.0.1/23", "10.0.1.1", true},
                                                                        {"10.0.0.1/32", "10.0.0.1", true},
                                                                        {"10.0.0.1/32", "10.0.0.2", false},
                                                                        {"10.0.0.1/0", "192.168.7.7", true},
                                                                        {"10.0.0.1/0", "fd00::1", false},
                                                                        {"fd00::1/64", "fd00::ffff:2", true},
                                                                        {"fd00::1/64", "fd00:0:0:1::2", false},
                                                                        {"fd00::1/0", "10.0.0.1", false},
                                                                        {"fd00::1/128", "fd00::1", true}})
    EXPECT_EQ(parse_prefix(prefix)->contains(*parse_ip(ip)), contains) << prefix << " " << ip;
}

}  // namespace
}  // namespace mcplane::wire
