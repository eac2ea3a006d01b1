#include "wire/health_probe.h"

#include <gtest/gtest.h>

#include <vector>

namespace mcplane::wire {
namespace {

TEST(HealthProbe, IsSpelledOneWayEverywhere) {
  struct Case {
    const char* text;
    HealthProbe probe;
  };
  for (const auto& [text, probe] : std::vector<Case>{
           {"heartbeat", {}},
           {"tcp:9000", {ProbeKind::kTcp, 9'000, ""}},
           {"http:9000/", {ProbeKind::kHttp, 9'000, "/"}},
           {"http:9000/health", {ProbeKind::kHttp, 9'000, "/health"}},
           {"http:65535/health=204", {ProbeKind::kHttp, 65'535, "/health", 204}},
           {"http:1/a/b?c=d", {ProbeKind::kHttp, 1, "/a/b?c=d"}},
           {"http:1/a?c=1234", {ProbeKind::kHttp, 1, "/a?c=1234"}},
           {"http:1/a?c=503=599", {ProbeKind::kHttp, 1, "/a?c=503", 599}},
           {"http:1/a=204=200", {ProbeKind::kHttp, 1, "/a=204"}},
           {"grpc:9000", {ProbeKind::kGrpc, 9'000, ""}},
           {"grpc:9000/my.Service", {ProbeKind::kGrpc, 9'000, "my.Service"}},
       }) {
    HealthProbe read{ProbeKind::kTcp, 1, ""};
    EXPECT_EQ(parse_probe(text, read), "") << text;
    EXPECT_EQ(read, probe) << text;
    EXPECT_TRUE(is_sound(read)) << text;
    EXPECT_EQ(to_string(read), text);
  }
}

TEST(HealthProbe, MistakesAreTold) {
  struct Case {
    std::string text;
    const char* says;
  };
  const std::string long_path = "http:9000/" + std::string(kProbeTargetBytesMax, 'a');
  for (const auto& [text, says] : std::vector<Case>{
           {"", "is no probe; type heartbeat, tcp:PORT"},
           {"tcp", "is no probe"},
           {"heartbeat:9000", "is no probe"},
           {"https:9000/", "is no probe"},
           {"TCP:9000", "is no probe"},
           {"tcp:", "no port"},
           {"tcp:0", "no port"},
           {"tcp:65536", "no port"},
           {"tcp:-1", "no port"},
           {"tcp: 9", "no port"},
           {"http:/health", "no port"},
           {"http:9000", "no path"},
           {"tcp:9000/x", "type tcp:PORT"},
           {"tcp:9000/", "type tcp:PORT"},
           {"http:9000/x=999", "type 100 to 599"},
           {"http:9000/x=099", "type 100 to 599"},
           {"http:9000/a b", "none a space"},
           {"http:9000/a\r\nHost: b", "none a space"},
           {"grpc:9000/my\tService", "none a space"},
           {long_path, "at most 128 characters"},
       }) {
    const HealthProbe before{ProbeKind::kTcp, 1, ""};
    HealthProbe read = before;
    const std::string wrong = parse_probe(text, read);
    EXPECT_NE(wrong.find(says), std::string::npos) << text << ": " << wrong;
    EXPECT_EQ(wrong.find('\n'), std::string::npos) << text;
    EXPECT_EQ(read, before) << text;
  }
}

}  // namespace
}  // namespace mcplane::wire
