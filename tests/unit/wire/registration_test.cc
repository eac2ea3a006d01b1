#include "wire/registration.h"

#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/route_table.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using Names = std::vector<std::string>;

HelloBody worker() {
  HelloBody hello;
  hello.service = Service::kWorker;
  for (std::size_t i = 0; i < hello.instance.size(); ++i) hello.instance[i] = static_cast<std::uint8_t>(i + 1);
  hello.slots = 8;
  hello.weight = 100;
  hello.name = "gpu box 7";
  hello.actions = {"generate", "embed"};
  hello.models = {"llama"};
  hello.tags = {"gpu", "eu"};
  hello.probe = {ProbeKind::kHttp, 9'000, "/health", 204};
  return hello;
}

// What write_hello() would refuse, as bytes a peer might send.
Bytes raw_hello(const HelloBody& hello) {
  flatbuffers::FlatBufferBuilder builder;
  const fb::InstanceId instance(flatbuffers::make_span(hello.instance));
  const auto name = builder.CreateString(hello.name);
  const auto actions = builder.CreateVectorOfStrings(hello.actions);
  const auto models = builder.CreateVectorOfStrings(hello.models);
  const auto tags = builder.CreateVectorOfStrings(hello.tags);
  const auto target = builder.CreateString(hello.probe.target);
  builder.Finish(fb::CreateHello(builder, raw(hello.service), &instance, hello.slots, hello.weight, name, actions,
                                 models, tags, fb::ProbeKind(raw(hello.probe.kind)), hello.probe.port, target,
                                 hello.probe.status));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

TEST(Hello, ReadsWhatWasWritten) {
  const HelloBody hello = worker();
  ASSERT_TRUE(hello_within_limits(hello));
  const Bytes table = write_hello(hello);
  EXPECT_EQ(table.size() % 4, 0U);
  const auto read = read_hello(table);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->service, hello.service);
  EXPECT_EQ(read->instance, hello.instance);
  EXPECT_EQ(read->slots, hello.slots);
  EXPECT_EQ(read->weight, hello.weight);
  EXPECT_EQ(read->name, hello.name);
  EXPECT_EQ(read->actions, hello.actions);
  EXPECT_EQ(read->models, hello.models);
  EXPECT_EQ(read->tags, hello.tags);
  EXPECT_EQ(read->probe, hello.probe);
}

TEST(Hello, AClientNeedsNothingButItsService) {
  const auto read = read_hello(write_hello({}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(is_client(read->service));
  EXPECT_FALSE(is_worker(read->service));
  EXPECT_EQ(read->weight, 1);
  EXPECT_TRUE(read->actions.empty());
}

TEST(Hello, AWorkerMayBeAShadowWorker) {
  for (const Service service : {Service::kShadowWorker, Service::kShadowBoth}) {
    HelloBody hello = worker();
    hello.service = service;
    const auto read = read_hello(write_hello(hello));
    ASSERT_TRUE(read);
    EXPECT_TRUE(is_worker(read->service) && is_shadow(read->service));
    EXPECT_EQ(is_client(read->service), service == Service::kShadowBoth);
  }
  EXPECT_FALSE(is_shadow(Service::kBoth));
}

TEST(Hello, LimitsHoldBothWays) {
  const std::string too_long(kNameBytesMax + 1, 'n');
  using Break = void (*)(HelloBody&);
  struct Case {
    const char* what;
    Break change;
  };
  constexpr Case kCases[] = {
      {"service 0", [](HelloBody& h) { h.service = Service{0}; }},
      {"shadow of nothing", [](HelloBody& h) { h.service = Service{4}; }},
      {"shadow client", [](HelloBody& h) { h.service = Service{5}; }},
      {"service 8", [](HelloBody& h) { h.service = Service{8}; }},
      {"worker without slots", [](HelloBody& h) { h.slots = 0; }},
      {"worker and client without slots",
       [](HelloBody& h) {
         h.service = Service::kBoth;
         h.slots = 0;
       }},
      {"weight 0", [](HelloBody& h) { h.weight = 0; }},
      {"weight 1001", [](HelloBody& h) { h.weight = 1001; }},
      {"worker without an action", [](HelloBody& h) { h.actions.clear(); }},
      {"long name", [](HelloBody& h) { h.name.assign(65, 'n'); }},
      {"control byte in name", [](HelloBody& h) { h.name = "a\x1b[2J"; }},
      {"empty action", [](HelloBody& h) { h.actions = {""}; }},
      {"long action", [](HelloBody& h) { h.actions.emplace_back(65, 'n'); }},
      {"17 actions", [](HelloBody& h) { h.actions.assign(17, "a"); }},
      {"empty model", [](HelloBody& h) { h.models = {""}; }},
      {"17 models", [](HelloBody& h) { h.models.assign(17, "a"); }},
      {"control byte in tag", [](HelloBody& h) { h.tags = {"a\r"}; }},
      {"17 tags", [](HelloBody& h) { h.tags.assign(17, "a"); }},
      {"client with a probe", [](HelloBody& h) { h.service = Service::kClient; }},
      {"probe of a kind there is not", [](HelloBody& h) { h.probe.kind = ProbeKind{4}; }},
      {"probe without a port", [](HelloBody& h) { h.probe.port = 0; }},
      {"heartbeat with a port", [](HelloBody& h) { h.probe.kind = ProbeKind::kHeartbeat; }},
      {"TCP probe with a path", [](HelloBody& h) { h.probe.kind = ProbeKind::kTcp; }},
      {"gRPC probe with a status", [](HelloBody& h) { h.probe.kind = ProbeKind::kGrpc; }},
      {"path without a slash", [](HelloBody& h) { h.probe.target = "health"; }},
      {"path with a line's end", [](HelloBody& h) { h.probe.target = "/\r\nHost: other"; }},
      {"path with a space", [](HelloBody& h) { h.probe.target = "/a b"; }},
      {"path of bytes beyond ASCII", [](HelloBody& h) { h.probe.target = "/\xc3\xa9"; }},
      {"long path", [](HelloBody& h) { h.probe.target = '/' + std::string(kProbeTargetBytesMax, 'a'); }},
      {"status 0", [](HelloBody& h) { h.probe.status = 0; }},
      {"status 600", [](HelloBody& h) { h.probe.status = 600; }},
  };
  for (const Case& one : kCases) {
    HelloBody hello = worker();
    one.change(hello);
    EXPECT_FALSE(hello_within_limits(hello)) << one.what;
    EXPECT_FALSE(read_hello(raw_hello(hello))) << one.what;
  }
  EXPECT_TRUE(read_hello(raw_hello(worker())));
  HelloBody widest = worker();
  widest.slots = 65'535;
  widest.weight = 1000;
  widest.name.assign(64, 'n');
  widest.actions.assign(16, "a");
  EXPECT_TRUE(read_hello(write_hello(widest)));
}

TEST(Hello, ListsThatDoNotFitTheTableAreToldBeforehand) {
  HelloBody hello = worker();
  hello.actions.assign(16, std::string(64, 'a'));
  EXPECT_FALSE(hello_within_limits(hello));
  EXPECT_DEATH(write_hello(hello), "kTableBytesMax does not hold");
}

TEST(Hello, UnsoundBytesAreRefused) {
  EXPECT_FALSE(read_hello({}));
  EXPECT_FALSE(read_hello(Bytes(64)));
  EXPECT_FALSE(read_hello(Bytes(64, std::byte{0xff})));
  const std::vector<std::string> no_tags;
  EXPECT_FALSE(read_hello(write_route_table("generate", "", no_tags, ""))) << "another table";
}

constexpr SipKey kKey = {0x0123456789abcdef, 0xfedcba9876543210};
const Endpoint kPeer = {IpAddress::v4({10, 0, 0, 2}), 40000};
constexpr std::uint32_t kMaxAge = 10'000;

TEST(Cookie, IsValidForItsPeerUntilItIsTooOld) {
  const fb::Cookie cookie = make_cookie(kKey, kPeer, 5'000);
  EXPECT_EQ(cookie.issued_ms(), 5'000U);
  EXPECT_TRUE(cookie_valid(kKey, kPeer, cookie, 5'000, kMaxAge));
  EXPECT_TRUE(cookie_valid(kKey, kPeer, cookie, 15'000, kMaxAge));
  EXPECT_FALSE(cookie_valid(kKey, kPeer, cookie, 15'001, kMaxAge));
  EXPECT_FALSE(cookie_valid(kKey, kPeer, cookie, 4'999, kMaxAge)) << "from the future";
}

TEST(Cookie, IsWorthlessToAnyoneElse) {
  const fb::Cookie cookie = make_cookie(kKey, kPeer, 5'000);
  EXPECT_FALSE(cookie_valid(kKey, {kPeer.ip, 40001}, cookie, 5'000, kMaxAge));
  EXPECT_FALSE(cookie_valid(kKey, {IpAddress::v4({10, 0, 0, 3}), 40000}, cookie, 5'000, kMaxAge));
  EXPECT_FALSE(cookie_valid({kKey[0], kKey[1] ^ 1}, kPeer, cookie, 5'000, kMaxAge));
  EXPECT_FALSE(cookie_valid(kKey, kPeer, fb::Cookie{}, 0, kMaxAge)) << "the zero cookie of a first HELLO";
  for (std::size_t i = 0; i < sizeof cookie; ++i) {
    fb::Cookie edited = cookie;
    auto bytes = std::as_writable_bytes(std::span(&edited, 1));
    bytes[i] ^= std::byte{1};
    EXPECT_FALSE(cookie_valid(kKey, kPeer, edited, 5'001, kMaxAge)) << i;
  }
}

TEST(Cookie, SurvivesTheWrapOfTheClock) {
  const std::uint32_t issued = 0xffffffffU - 100;
  const fb::Cookie cookie = make_cookie(kKey, kPeer, issued);
  EXPECT_TRUE(cookie_valid(kKey, kPeer, cookie, issued + 5'000, kMaxAge));
  EXPECT_FALSE(cookie_valid(kKey, kPeer, cookie, issued + kMaxAge + 1, kMaxAge));
}

TEST(Cookie, TravelsBehindTheLead) {
  const fb::Cookie cookie = make_cookie(kKey, kPeer, 77);
  for (const auto type : {FrameType::Hello, FrameType::Retry}) {
    testing::FrameSpec spec = testing::sample_spec(type);
    spec.cookie = cookie;
    const Bytes frame = build_frame(spec);
    const testing::Parsed parsed = testing::parse(frame);
    EXPECT_EQ(name_of(parsed.reason), "none");
    EXPECT_TRUE(cookie_valid(kKey, kPeer, cookie_of(parsed.datagram), 77, kMaxAge));
  }
  Bytes datagram(kLeadBytes + kCookieBytes);
  set_cookie(datagram, cookie);
  EXPECT_TRUE(cookie_valid(kKey, kPeer, cookie_of(datagram), 77, kMaxAge));
}

TEST(Welcome, IsReadBehindTheLead) {
  const fb::Welcome welcome(4001, 4000, 2, 1024, 1500, 0, 500, 1000);
  testing::FrameSpec spec = testing::sample_spec(FrameType::Ack);
  const auto bytes = std::as_bytes(std::span(&welcome, 1));
  spec.payload.assign(bytes.begin(), bytes.end());
  spec.edit = [](Header& header) { header.mutate_answers(FrameType::Hello); };
  const Bytes frame = build_frame(spec);
  const testing::Parsed parsed = testing::parse(frame);
  ASSERT_EQ(name_of(parsed.reason), "none");
  const fb::Welcome read = welcome_of(parsed.datagram);
  EXPECT_EQ(read.port(), 4001);
  EXPECT_EQ(read.base_port(), 4000);
  EXPECT_EQ(read.shards(), 2);
  EXPECT_EQ(read.slot_limit(), 1024);
  EXPECT_EQ(read.frame_bytes(), 1500);
  EXPECT_EQ(read.heartbeat_interval_ms(), 500U);
  EXPECT_EQ(read.max_ack_delay_us(), 1000U);
}

}  // namespace
}  // namespace mcplane::wire
