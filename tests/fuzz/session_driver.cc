// See session_driver.h. A move costs about a microsecond: frames are made once a peer and changed in place.
#include "fuzz/session_driver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "wire/ack.h"
#include "wire/layout.h"
#include "wire/payload.h"

namespace mcplane::fuzz {
namespace {

using testing::Family;
using wire::FrameType;
using wire::Header;
using wire::Reason;

constexpr std::uint32_t kShards = 2;
constexpr std::uint32_t kTtlMsMax = 2'000;

[[noreturn]] void fail(const char* what, const std::string& words) {
  std::fprintf(stderr, "%s\n%s\n", what, words.c_str());
  std::abort();
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  char digits[3];
  for (const std::byte byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(byte));
    text += digits;
  }
  return text;
}

testing::RigOptions rig_options() {
  testing::RigOptions options;
  options.shards = kShards;
  options.buffers = 1'024;
  options.handoff_frames = 64;
  options.shard.max_tasks = 64;
  options.shard.max_queued = 16;
  options.shard.max_routes = 8;
  options.shard.client_slots = 2'048;
  options.shard.cache_bytes = dataplane::AnswerCache::kBytesMin;
  return options;
}

std::size_t datagram_at(Family family) {
  return wire::kEthernetBytes + (family == Family::kIpv4 ? wire::kIpv4Bytes : wire::kIpv6Bytes) + wire::kUdpBytes;
}

}  // namespace

SessionDriver::SessionDriver() : rig_(rig_options()) {
  for (std::size_t i = 0; i < kPeers; ++i) join(i);
  rig_.publish();
  step();
}

void SessionDriver::join(std::size_t index) {
  Party& party = parties_[index];
  if (party.peer != nullptr) rig_.subscriptions.erase({party.peer->session.index(), 1});
  party = Party{};
  testing::PeerSpec spec;
  spec.family = index % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
  spec.shard = ShardId(static_cast<std::uint8_t>(index % kShards));
  spec.slots = kSlots;
  if (index < kClients) {
    party.peer = &rig_.add_client(spec);
  } else {
    if (index + 1 == kPeers) spec.tags = {};  // a pool of its own
    party.peer = &rig_.add_worker(static_cast<std::uint16_t>(2 + index % 3), spec);
  }
  for (const FrameType type : testing::all_types()) {
    testing::FrameSpec frame = rig_.spec_of(*party.peer, type);
    if (type == FrameType::Hello) frame.payload.resize(8);
    party.sound[static_cast<std::size_t>(type)] = build_frame(frame);
  }
  ++(index < kClients ? clients_made_ : workers_made_);
  rig_.subscriptions[{party.peer->session.index(), 1}] = {index % 2 == 0 ? "agents.*" : ">", index < 2 ? "" : "group"};
  rig_.publish_topics();
}

void SessionDriver::run(std::span<const std::byte> bytes) {
  Choices choices(bytes);
  while (!choices.empty()) {
    move(choices);
    if (choices.below(4) != 0) step();
  }
  step();
  check();
}

void SessionDriver::move(Choices& choices) {
  const std::uint32_t what = choices.below(32);
  if (what < 8) return send_task(choices);
  if (what < 15) return send_result(choices);
  if (what < 18) return acknowledge(choices, true);
  if (what < 21) return acknowledge(choices, false);
  if (what < 23) return cancel(choices);
  if (what < 25) return send_pulled(choices);
  if (what == 25) return ping(choices);
  if (what < 28) return pass_time(choices);
  if (what < 30) return anything(choices);
  if (what == 30) return garbage(choices);
  if (choices.rarely(8)) return replace(choices);
  change_routes(choices);
}

Header& SessionDriver::begin(const Party& party, FrameType type) {
  const testing::Bytes& sound = party.sound[static_cast<std::size_t>(type)];
  std::memcpy(frame_.data(), sound.data(), sound.size());
  frame_bytes_ = sound.size();
  datagram_at_ = datagram_at(party.peer->spec.family);
  return wire::header_of(std::span(frame_).subspan(datagram_at_));
}

const Header* SessionDriver::recall(const Party& party, Choices& choices, FrameType type) const {
  if (party.heard == 0) return nullptr;
  // Mostly something of late.
  const std::size_t known = std::min(party.heard, kRemembered);
  const std::size_t back = choices.rarely(4) ? choices.below(kRemembered) : choices.below(4);
  for (std::size_t i = 0; i < known; ++i) {
    const Header& header = party.remembered[(party.heard - 1 - (back + i) % known) % kRemembered];
    if (type == FrameType::None || header.type() == type) return &header;
  }
  return nullptr;
}

void SessionDriver::send_task(Choices& choices) {
  Party& party = client(choices);
  const auto slot = static_cast<std::uint16_t>(choices.below(kSlots));
  const std::uint32_t last = party.sequences[slot], ahead = choices.byte();
  const std::uint32_t sequence = ahead < 208 ? last + 1 : ahead < 240 ? last : ahead < 250 ? last + 2 : choices.word();
  Header& header = begin(party, FrameType::Send);
  header.mutate_attempt(0);
  wire::set_token(header, {});
  header.mutate_worker_session(0);
  header.mutate_slot(slot);
  header.mutate_sequence(sequence);
  header.mutate_ttl_ms(choices.rarely(4) ? choices.below(256) : 1 + choices.word() % kTtlMsMax);
  const std::uint8_t flags = choices.byte();
  header.mutate_flags(static_cast<std::uint16_t>((flags & 1 ? raw(wire::Flag::Idempotent) : 0U) |
                                                 (flags & 2 ? raw(wire::Flag::Retry) : 0U)));
  emit(choices, raw(party.peer->spec.shard));
}

void SessionDriver::send_pulled(Choices& choices) {
  Party& party = client(choices);
  const Header* resend = recall(party, choices, choices.rarely(4) ? FrameType::None : FrameType::Resend);
  if (resend == nullptr) return;
  Header& header = begin(party, FrameType::Send);
  header.mutate_slot(resend->slot());
  header.mutate_sequence(resend->sequence());
  header.mutate_attempt(resend->attempt());
  header.mutate_worker_session(resend->worker_session());
  wire::set_token(header, wire::token_of(*resend));
  header.mutate_ttl_ms(1 + choices.word() % kTtlMsMax);
  header.mutate_flags(raw(wire::Flag::Retry));
  emit(choices, raw(party.peer->spec.shard));
}

void SessionDriver::send_result(Choices& choices) {
  Party& party = worker(choices);
  const Header* route = recall(party, choices, choices.rarely(8) ? FrameType::None : FrameType::Route);
  if (route == nullptr) return;
  Header& header = begin(party, FrameType::Result);
  const Header sound = header;
  header = *route;
  header.mutate_type(FrameType::Result);
  header.mutate_flags(choices.rarely(8) ? raw(wire::Flag::Retry) : std::uint16_t{0});
  header.mutate_reason(choices.rarely(8) ? Reason::WorkerError : Reason::Ok);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_sequence(choices.rarely(8) ? party.results : ++party.results);
  header.mutate_ttl_ms(0);
  header.mutate_table_length(0);
  header.mutate_message_length(sound.message_length());
  header.mutate_worker_session(party.peer->session.value);
  emit(choices, raw(wire::token_of(header).shard()));
}

void SessionDriver::append_entries(Choices& choices, const Party& party) {
  const auto datagram = std::span(frame_).subspan(datagram_at_);
  std::size_t length = frame_bytes_ - datagram_at_;
  for (std::uint32_t left = choices.below(4); left > 0; --left) {
    const Header* heard = recall(party, choices, FrameType::None);
    const bool any = heard == nullptr || choices.rarely(8);
    const bool route = !any && heard->type() == FrameType::Route;
    const std::uint32_t name = any ? choices.word() : route ? heard->token_index() : heard->slot();
    const std::uint32_t number = any ? choices.word() : route ? heard->token_generation() : heard->sequence();
    length = wire::append_ack_entry(datagram, length, name, number);
  }
  frame_bytes_ = datagram_at_ + length;
}

void SessionDriver::acknowledge(Choices& choices, bool from_worker) {
  Party& party = from_worker ? worker(choices) : client(choices);
  const Header* heard = recall(party, choices, FrameType::None);
  if (heard == nullptr) return;
  Header& header = begin(party, FrameType::Ack);
  header = *heard;
  header.mutate_type(FrameType::Ack);
  header.mutate_flags(0);
  header.mutate_table_length(0);
  header.mutate_message_length(0);
  header.mutate_ttl_ms(0);
  frame_bytes_ = datagram_at_ + wire::kLeadBytes;
  constexpr std::array kReasons = {Reason::Ok, Reason::Stopped, Reason::Running, Reason::Discard};
  header.mutate_reason(kReasons[choices.below(kReasons.size())]);
  if (from_worker)
    header.mutate_answers(heard->type() == FrameType::Cancel ? FrameType::Cancel : FrameType::Route);
  else
    header.mutate_answers(FrameType::Deliver);
  (from_worker ? header.mutate_worker_session(party.peer->session.value)
               : header.mutate_session(party.peer->session.value));
  append_entries(choices, party);
  emit(choices, from_worker ? raw(wire::token_of(*heard).shard()) : raw(party.peer->spec.shard));
}

void SessionDriver::cancel(Choices& choices) {
  Party& party = client(choices);
  const auto slot = static_cast<std::uint16_t>(choices.below(kSlots));
  Header& header = begin(party, FrameType::Cancel);
  header.mutate_slot(slot);
  header.mutate_sequence(party.sequences[slot] + choices.below(2));
  emit(choices, raw(party.peer->spec.shard));
}

void SessionDriver::ping(Choices& choices) {
  const Party& party = parties_[choices.below(kPeers)];
  Header& header = begin(party, FrameType::Ping);
  wire::set_ping_rtt(header, choices.word() % 4'000'000, choices.word() % 4'000'000);
  emit(choices, choices.below(kShards));
}

void SessionDriver::anything(Choices& choices) {
  const Party& party = parties_[choices.below(kPeers)];
  const auto types = testing::all_types();
  const FrameType type = types[choices.below(static_cast<std::uint32_t>(types.size()))];
  Header& header = begin(party, type);
  if (const Header* heard = recall(party, choices, FrameType::None); heard != nullptr && choices.below(2) == 0) {
    // Of a live task, but another type.
    header.mutate_slot(heard->slot());
    header.mutate_sequence(heard->sequence());
    header.mutate_attempt(heard->attempt());
    header.mutate_session(heard->session());
    header.mutate_worker_session(heard->worker_session());
    wire::set_token(header, wire::token_of(*heard));
  }
  for (std::uint32_t edits = choices.below(4); edits > 0; --edits) {
    const std::size_t at = datagram_at_ + choices.below(wire::kLeadBytes);
    frame_[at] = static_cast<std::byte>(choices.byte());
  }
  emit(choices, choices.below(kShards));
}

void SessionDriver::garbage(Choices& choices) {
  const Party& party = parties_[choices.below(kPeers)];
  begin(party, FrameType::Ping);
  const std::size_t from = choices.below(2) == 0 ? 0 : datagram_at_;
  for (std::uint32_t bytes = choices.below(32); bytes > 0; --bytes)
    frame_[from + choices.byte() % (frame_bytes_ - from)] = static_cast<std::byte>(choices.byte());
  emit(choices, choices.below(kShards));
}

void SessionDriver::pass_time(Choices& choices) {
  constexpr std::array<std::uint32_t, 8> kMs = {1, 1, 2, 5, 10, 30, 200, 1'200};
  rig_.advance_ms(kMs[choices.below(kMs.size())]);
  step();
}

// A peer's session ends, as after its death, and a successor's begins.
void SessionDriver::replace(Choices& choices) {
  constexpr std::uint32_t kClientsMax = testing::ShardRig::kSessions - testing::ShardRig::kWorkers;
  const std::size_t index = choices.below(kPeers);
  if (index < kClients ? clients_made_ == kClientsMax : worn_out()) return;
  Party& party = parties_[index];
  if (index >= kClients) rig_.withdraw(*party.peer);
  rig_.publish();
  rig_.end_session(*party.peer);
  step();
  join(index);
  rig_.publish();
  step();
}

void SessionDriver::change_routes(Choices& choices) {
  testing::Peer& peer = *worker(choices).peer;
  if (choices.rarely(4)) {
    rig_.withdraw(peer);
  } else {
    rig_.readmit(peer);
  }
  if (choices.rarely(8)) change_degradation(choices);
  rig_.publish();
}

// What stands in from now on, if anything does.
void SessionDriver::change_degradation(Choices& choices) {
  using wire::Substitute;
  rig_.degradation.reset();
  rig_.rule.degraded = choices.rarely(4);
  rig_.rule.cache_ttl_ms = choices.rarely(2) ? 500 : 0;
  if (choices.rarely(4)) return void(rig_.rule.degraded = false);
  state::Degradation how{.chain = {Substitute::Cached, Substitute::Fallback},
                         .action = "generate",
                         .model = "",
                         .reply = wire::write_answer("later")};
  how.chain[2] = choices.rarely(2) ? Substitute::Reply : Substitute::Skip;
  rig_.degradation = how;
}

// Lengths and port of a frame as it now is.
void SessionDriver::complete(std::uint32_t shard) {
  const std::size_t udp = datagram_at_ - wire::kUdpBytes;
  const bool v4 = udp == wire::kEthernetBytes + wire::kIpv4Bytes;
  wire::store_be16(&frame_[wire::kEthernetBytes + (v4 ? 2 : 4)],
                   static_cast<std::uint16_t>(frame_bytes_ - (v4 ? wire::kEthernetBytes : udp)));
  wire::store_be16(&frame_[udp + 2], static_cast<std::uint16_t>(testing::kOurPort + shard % kShards));
  wire::store_be16(&frame_[udp + 4], static_cast<std::uint16_t>(frame_bytes_ - udp));
}

void SessionDriver::emit(Choices& choices, std::uint32_t shard) {
  complete(shard);
  // Now and then a byte is off, the end is missing, or the checksum is not put right.
  const bool spoilt = choices.rarely(24);
  if (spoilt) frame_[choices.word() % frame_bytes_] ^= static_cast<std::byte>(choices.byte());
  if (spoilt && choices.below(4) == 0) frame_bytes_ = 1 + choices.word() % frame_bytes_;
  const auto frame = std::span(frame_).first(frame_bytes_);
  if (!spoilt || choices.below(4) != 0) testing::refresh_checksums(frame);
  const std::uint32_t queue = choices.rarely(8) ? choices.below(kShards) : shard % kShards;
  // Without a free buffer the frame is lost, as on a wire.
  frames_ += rig_.nic(queue).inject(frame) ? 1 : 0;
}

void SessionDriver::step() {
  rig_.step();
  ++steps_;
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    listen(shard);
    // Control reads now and then only: its mailbox may fill.
    if ((steps_ + shard) % 64 == 0) rig_.take_punts(ShardId(static_cast<std::uint8_t>(shard)));
  }
  for (std::size_t i = kClients; i < kPeers; ++i) {
    const state::WorkerLine& line = rig_.shared.workers[parties_[i].peer->worker];
    if (line.outstanding() > line.bound.load()) fail("5 outstanding beyond the bound", "");
  }
  rig_.now_ns += 20 * kNsPerUs;
}

void SessionDriver::listen(std::uint32_t shard) {
  std::array<net::Packet, 64> packets;
  while (const std::size_t count = rig_.nic(shard).take_sent(packets)) {
    for (const net::Packet& packet : std::span(packets).first(count)) hear(packet.bytes());
    rig_.nic(shard).free(std::span(packets).first(count));
  }
}

void SessionDriver::hear(std::span<std::byte> frame) {
  const std::uint16_t type = wire::load_be16(&frame[12]);
  if (type != wire::kEtherIpv4 && type != wire::kEtherIpv6) return;
  const bool v4 = type == wire::kEtherIpv4;
  const std::size_t at = datagram_at(v4 ? Family::kIpv4 : Family::kIpv6);
  if (std::to_integer<std::uint8_t>(frame[wire::kEthernetBytes + (v4 ? 9 : 6)]) != wire::kProtocolUdp) return;
  if (frame.size() < at + wire::kLeadBytes) fail("a frame shorter than its header", std::to_string(frame.size()));
  const Header& header = wire::header_of(frame.subspan(at));
  if (const DropReason reason = wire::check_datagram(std::span<const std::byte>(frame.subspan(at)));
      reason != DropReason::kNone)
    fail("the broker sent what it would refuse",
         std::string(name_of(reason)) + " of a " + wire::fb::EnumNameFrameType(header.type()) + ": " + hex(frame));
  ++sent_[static_cast<std::size_t>(header.type())];
  for (Party& party : parties_) {
    const std::uint32_t session = party.peer->session.value;
    const bool worker = party.peer->worker != kNoWorker;
    if (session != (worker ? header.worker_session() : header.session())) continue;
    const bool to_worker = header.type() == FrameType::Route || header.type() == FrameType::Cancel ||
                           (header.type() == FrameType::Resend && header.answers() == FrameType::Result);
    if (worker != to_worker) continue;
    party.remembered[party.heard++ % kRemembered] = header;
    // The broker names the exchange: it knows of it.
    if (!worker && header.slot() < kSlots && header.sequence() - party.sequences[header.slot()] < 2)
      party.sequences[header.slot()] = header.sequence();
  }
}

void SessionDriver::check() {
  if (const std::string wrong = rig_.check_counters(); !wrong.empty()) fail("the books do not balance", wrong);
}

void SessionDriver::finish() {
  rig_.subscriptions.clear();
  rig_.publish_topics();
  for (Party& party : parties_) {
    if (party.peer->worker != kNoWorker) rig_.withdraw(*party.peer);
    rig_.publish();
    rig_.end_session(*party.peer);
    step();
  }
  // Everybody is gone: TTLs, graces and repeats run out.
  for (int i = 0; i < 64; ++i) {
    rig_.advance_ms(100);
    step();
  }
  check();
  std::uint64_t kept = 0;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    if (rig_.shard(i).tasks.in_use() != 0) fail("tasks are left", std::to_string(rig_.shard(i).tasks.in_use()));
    kept += rig_.shard(i).spares.items().size();
  }
  if (rig_.nic().buffers_free() + kept != rig_.nic().buffers_total())
    fail("buffers are lost", std::to_string(rig_.nic().buffers_free()) + " and " + std::to_string(kept) + " of " +
                                 std::to_string(rig_.nic().buffers_total()));
}

}  // namespace mcplane::fuzz
