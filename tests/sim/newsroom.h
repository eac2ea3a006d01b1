// Events in the world: registered peers subscribe, unsubscribe and publish at random, in frames of their own beside
// their engines', and the books of it hold every EVENT that the broker sends against what was published and asked for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "client/session.h"
#include "ledger.h"
#include "options.h"

namespace mcplane::sim {

class Newsroom {
 public:
  Newsroom(Verdict& verdict, const Options& options, std::uint32_t peers, Random random);

  // What a registered peer sends now; good until the next call.
  std::span<const std::byte> act(std::uint32_t peer, const client::Session& session, std::uint64_t now_ns);
  // A frame as it reaches the broker, and as it left the broker for a peer.
  void on_arrival(std::span<const std::byte> datagram, std::uint64_t now_ns);
  void on_broker_frame(std::span<const std::byte> datagram, std::uint32_t to, std::uint64_t now_ns);
  // Whether a frame is for the newsroom, and not for the peer's engine.
  static bool owns(const wire::Header& header) noexcept;
  // Where nothing was lost: who subscribed got all that he should.
  void check_complete();

  std::uint64_t events() const noexcept { return events_; }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  using Name = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // boot id, session, number
  struct Subscription {
    std::uint32_t peer = 0;
    std::string pattern, group;
    std::uint64_t acked_ns = kNever, ended_ns = kNever;  // when its SUBSCRIBE's, its UNSUBSCRIBE's ACK left the broker
    std::uint64_t given_up_ns = kNever;                  // when its UNSUBSCRIBE was first sent
    std::uint64_t asked_ns = 0;                          // when a copy of its SUBSCRIBE last reached the broker
    std::uint64_t gone_ns = kNever;                      // when its peer was known to be in another session
  };
  struct Publication {
    std::string topic;
    std::uint32_t boot_id = 0;
    std::uint64_t arrived_ns = kNever;  // the first copy
    std::uint32_t arrivals = 0;
  };
  // Of a subscription, or, with number 0, of a group: how many EVENTs of a publication there were.
  using Receipt = std::tuple<std::uint32_t, std::string>;

  std::span<const std::byte> write(wire::FrameType type, const client::Session& session, std::uint32_t number,
                                   std::span<const std::byte> table, std::span<const std::byte> payload);
  std::span<const std::byte> subscribe(std::uint32_t peer, const client::Session& session);
  std::span<const std::byte> publish(const client::Session& session);
  void note_session(std::uint32_t peer, const client::Session& session, std::uint64_t now_ns);
  void on_event(std::span<const std::byte> datagram, std::uint32_t to);
  void check_late(const Subscription& subscription, const Publication& publication);
  std::string any_tokens(bool wildcards);
  static std::string receiver_of(const Name& name, const Subscription& subscription);
  bool owed(const Subscription& subscription, const Publication& publication) const;

  Verdict& verdict_;
  const Options& options_;
  Random random_;
  std::map<Name, Subscription> subscriptions_;
  std::vector<Publication> publications_;
  std::map<Receipt, std::uint32_t> received_;
  struct Peer {
    std::uint32_t boot_id = 0, session = 0, last_number = 0;
  };
  std::vector<Peer> peers_;
  std::vector<std::byte> frame_;
  std::uint64_t events_ = 0;
};

}  // namespace mcplane::sim
