// A control thread without a thread: tests hand it punts, move the clocks and read its commands off the rings.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/control.h"
#include "support/frame_builder.h"

namespace mcplane::control {

// A HELLO as an endpoint sends it, its cookie already valid.
struct HelloSpec {
  wire::HelloBody body;
  std::uint32_t number = 7;
  std::uint32_t cookie_ms = 1'000;
  wire::Endpoint peer = testing::peer_endpoint(testing::Family::kIpv4);
  wire::Endpoint local = testing::our_endpoint(testing::Family::kIpv4);
  std::uint16_t vlan = wire::kNoVlan;
  std::uint16_t handshake_ms = 0;
  PortId port{};
  wire::MacAddress mac = testing::kPeerMac;  // source of its Ethernet frame
};

HelloSpec client_hello(std::uint16_t peer_port = testing::kPeerPort, std::uint8_t instance = 1);
HelloSpec worker_hello(std::uint16_t peer_port = testing::kPeerPort, std::uint8_t instance = 1,
                       std::vector<std::string> actions = {"generate"});

// A frame that control sends, taken apart as its receiver would; checksums were verified.
struct SentFrame {
  wire::Datagram lower;
  wire::Header header;
  wire::fb::Welcome welcome;  // of HELLO's ACK
};

class ControlTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kBootId = 0xb0071d;

  // Options may be changed before start(); it replaces what ran before.
  void start(std::uint32_t shards = 1);

  void punt_hello(const HelloSpec& spec, std::size_t shard = 0);
  void punt_bye(SessionId session, const wire::Endpoint& peer, std::size_t shard = 0);
  // SUBSCRIBE with that table, or without one UNSUBSCRIBE, of a session whose HELLO was `by`.
  void punt_subscribe(SessionId session, std::uint32_t number, const testing::Bytes& table, const HelloSpec& by,
                      std::size_t shard = 0);
  void punt_ended(SessionId session, std::size_t shard = 0);
  void punt_frame(const testing::Bytes& frame, std::size_t shard = 0, PortId port = {});
  // A frame of the session reaches a shard now.
  void hear(SessionId session, std::size_t shard = 0);

  // One poll, no time passes.
  void poll() { control->poll(now_ns); }
  // That many ms, a poll each; shards that are not `paused` loop on.
  void run(std::uint64_t ms);

  // All but what take_spoken() gives.
  std::vector<state::Command> take_commands(std::size_t shard = 0);
  // Announcements and questions to neighbours, of all shards, in order.
  std::vector<state::Command> take_spoken();
  // Commands of the shard, which are all frames.
  std::vector<SentFrame> take_frames(std::size_t shard = 0);
  // HELLO, poll, and the session its ACK names; commands are gone afterwards. 0 when refused.
  SessionId join(const HelloSpec& spec, std::size_t shard = 0);
  // A worker that was also heard on each shard, published.
  SessionId join_worker(const HelloSpec& spec);
  void discard_commands();
  // Carries out what control commanded for workers' lines, as a core does.
  void obey(std::size_t shard = 0);
  // run(), then obey().
  void step_ms(std::uint64_t ms);
  // How many tasks get in; their slots are free again, their permits are not.
  std::uint32_t admitted(WorkerId worker);
  // The record that a poll installs on a shard for a HELLO; its other commands are gone.
  state::SessionRecord installed(const HelloSpec& spec, std::size_t shard = 0);

  // The session is registered: joining, up or draining.
  bool lives(SessionId id) const;
  const state::RouteSnapshot& routes() const { return *shared->routes.read(); }
  std::vector<WorkerId> workers_for(std::string_view action, std::string_view model = {},
                                    std::vector<std::string_view> tags = {}) const;

  state::SharedOptions shared_options{.shards = 1, .sessions = 16, .workers = 4, .boot_id = kBootId, .cookie_key = {}};
  ControlOptions options{
      .base_port = testing::kOurPort,
      .max_sessions = 16,
      .max_clients = 8,
      .client_slots = 64,
      .version = "1.2.3",
      .cores = {},
      .gateways = {},
      .hooks = {.buffers = {}, .link_up = [this](PortId port) { return link_up[raw(port)]; }, .ports = {}},
      .logger = {}};
  std::vector<wire::LocalAddresses> ports = {testing::our_addresses()};
  std::vector<bool> link_up = std::vector<bool>(4, true);  // by port
  std::vector<bool> paused;                                // by shard
  // Far apart: nothing may compare the two clocks.
  std::uint64_t now_ns = kNsPerSecond;
  std::uint64_t shard_now_ns = 5'000 * kNsPerSecond;
  std::unique_ptr<state::Shared> shared;
  std::unique_ptr<Control> control;

 private:
  std::vector<state::Command> spoken_;
};

SentFrame read_frame(const state::Command& command);

}  // namespace mcplane::control
