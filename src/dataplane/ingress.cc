// Station 2 of 7. From: core_loop's burst. To: dispatch.
// Ethernet, IP and UDP checks, the port's shard, then the MCP header, in the decoder's fixed order: length, address
// class, seal, ranges. What a table holds is verified by the station that reads it. While frames are checked, the
// sessions, slots, tasks and workers' lines that others of the burst will touch are prefetched, in stages, so that
// dispatch meets them in cache. A frame for another shard's port goes there unverified: its shard checks all of it, so
// that one core reads it, once.
#include <algorithm>

#include "base/prefetch.h"
#include "dataplane/departure.h"
#include "wire/known_sender.h"

namespace mcplane::dataplane {
namespace {

// How many frames each stage is ahead of the checks, or behind them. A core waits for some twenty lines at a time; what
// is asked for beyond that waits, or is dropped (AMD): so each frame's lines are asked for while others are checked.
constexpr std::size_t kLeadsAhead = 12, kLooksAhead = 8, kRestsAhead = 2;
constexpr std::size_t kNextBehind = 8, kOwedBehind = 16;
constexpr std::size_t kWorthPrefetching = 8;    // frames: with fewer the next use comes before the line
constexpr std::uint32_t kManySessions = 4'096;  // beyond, less of what there is of them is in a core's own cache

// First what the header names.
[[gnu::always_inline]] inline void prefetch_state(Shard& shard, SessionId sender) noexcept {
  shard.sessions.prefetch(sender);
  prefetch_to_write(&shard.mine.last_seen[sender.index()]);
}

// The client slot a SEND names, null when it was not granted.
const ClientSlot* slot_named(Shard& shard, const Frame& frame) noexcept {
  const std::uint16_t slot = frame.header->slot();
  return slot < frame.session->record.slot_limit ? &shard.client_slot(*frame.session, slot) : nullptr;
}

// The worker a frame's sender is.
WorkerId sender_worker(const Frame& frame) noexcept { return frame.session->record.worker; }

// Then, of a known session's, of a SEND the client's slot, of a RESULT its task and its worker.
void prefetch_named(Shard& shard, Frame& frame) noexcept {
  if (frame.session == nullptr) return;
  const wire::Header& header = *frame.header;
  if (header.type() == wire::FrameType::Send) {
    frame.slot = slot_named(shard, frame);
    if (frame.slot != nullptr) prefetch_to_write(frame.slot);
  } else if (header.type() == wire::FrameType::Result) {
    shard.tasks.prefetch(wire::token_of(header).index());
    if (sender_worker(frame) == kNoWorker) return;
    shard.shared.workers.prefetch(sender_worker(frame));
    shard.mine.outcomes.prefetch(sender_worker(frame));
  }
}

// Then what those name in turn: the slot's previous task; who waits for the task, and where its worker is listed, which
// among few is in cache.
void prefetch_next(Shard& shard, const Frame& frame, bool many) noexcept {
  if (frame.slot != nullptr) return shard.tasks.prefetch(frame.slot->task);
  const bool known = frame.session != nullptr && frame.header != nullptr;
  if (!known || frame.header->type() != wire::FrameType::Result) return;
  if (many && sender_worker(frame) != kNoWorker) shard.shared.workers.prefetch_listing(sender_worker(frame));
  const Task* const task = shard.tasks.find(wire::token_of(*frame.header));
  if (task == nullptr) return;
  shard.sessions.prefetch_towards(task->client);
  shard.timers.visit_moved(task->timer, shard.now_ms + shard.ack_wait_ms,
                           [&](std::uint32_t index) { shard.tasks.prefetch(index); });
}

// Last, of a SEND the worker of that task, which comes to be owed an acknowledgement.
void prefetch_owed(Shard& shard, const Frame& frame) noexcept {
  if (frame.slot == nullptr || frame.slot->state != ClientSlot::State::kBusy) return;
  shard.sessions.prefetch_towards(shard.tasks[frame.slot->task].worker_session);
}

constexpr std::size_t kLeadLines = 3;  // of a frame: its headers, to MCP's

// The lines that stations rewrite as ours, so that what another core has looked at is taken back by then.
void prefetch_lead(const net::Packet& packet) noexcept {
  prefetch_to_write(packet.data());
  prefetch_to_write(packet.data() + kCacheLineBytes);
  prefetch_to_read(packet.data() + (kLeadLines - 1) * kCacheLineBytes);
}

// Those that only the checksum reads, unless the device has done that.
void prefetch_rest(const net::Packet& packet) noexcept {
  if (packet.checksum_good()) return;
  constexpr std::size_t kLeadBytes = kLeadLines * kCacheLineBytes;
  if (packet.length() > kLeadBytes) prefetch_to_read(packet.bytes().subspan(kLeadBytes));
}

// Decides about frames whose UDP port names another shard, by their first cache line. To be read: it is their shard's.
void steer(Shard& shard, std::span<const net::Packet> packets, std::span<Frame> frames,
           std::span<Verdict> verdicts) noexcept {
  for (const net::Packet& packet : packets) prefetch_to_read(packet.data());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::uint16_t port = wire::peek_destination_port(packets[i].bytes());
    const auto number = static_cast<std::uint16_t>(port - shard.options.base_port);
    const bool other = number != raw(shard.options.id) && number < shard.shared.options.shards;
    verdicts[i] = other ? Verdict::handoff(ShardId(static_cast<std::uint8_t>(number))) : Verdict{};
    frames[i].header = nullptr;
  }
}

// The types that sessions send all the time, whose stations read no address of the frame.
constexpr bool is_recognised(wire::FrameType type) noexcept {
  constexpr std::uint32_t kTypes = 1U << raw(wire::FrameType::Send) | 1U << raw(wire::FrameType::Result) |
                                   1U << raw(wire::FrameType::Ack) | 1U << raw(wire::FrameType::Ping) |
                                   1U << raw(wire::FrameType::Cancel) | 1U << raw(wire::FrameType::Publish);
  return raw(type) < 32 && (kTypes >> raw(type) & 1) != 0;
}

// Looks at who the frame says it is from, before anything is verified, so that the session is here when that is asked.
// Inline, as what it calls, recognise() and check(): check_burst() is compiled three times, and calls would cost each
// frame a dozen instructions.
[[gnu::always_inline]] inline void look_ahead(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  const std::size_t lead = wire::peek_lead(packet.bytes());
  frame.session = nullptr;
  frame.slot = nullptr;
  frame.header = lead != 0 ? &wire::header_of(packet.bytes().subspan(lead)) : nullptr;
  if (frame.header == nullptr) return;
  frame.sender = wire::sender_of(*frame.header);
  prefetch_state(shard, frame.sender);
}

// Whether it is a sound frame of the session that it names: the common case, all in one.
[[gnu::always_inline]] inline bool recognise(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  const wire::Header* const header = frame.header;
  if (header == nullptr || !is_recognised(header->type())) return false;
  Session* const session = shard.sessions.find(frame.sender);
  if (session == nullptr || header->boot_id() != shard.shared.options.boot_id) return false;
  const auto lead = reinterpret_cast<const std::byte*>(header) - wire::kMagicBytes - packet.data();
  if (session->record.lower.length != lead || session->record.port != packet.port()) return false;
  if (!wire::recognise(session->record.lower, packet.bytes(), packet.checksum_good(), frame.ip)) return false;
  frame.session = session;
  return true;
}

// Anybody's frame.
Verdict parse(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  frame.header = nullptr;
  frame.ip = wire::parse_frame(packet.bytes(), shard.options.ports[raw(packet.port())], packet.checksum_good());
  if (frame.ip.frame_class == wire::FrameClass::kControl) return Verdict::punt();
  if (frame.ip.frame_class == wire::FrameClass::kDrop) return Verdict::drop(frame.ip.reason);
  const bool to_us = frame.ip.destination_port == shard.options.base_port + raw(shard.options.id);
  return to_us ? Verdict{} : Verdict::drop(DropReason::kUnknownPort);
}

[[gnu::always_inline]] inline Verdict check(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  if (!packet.plain())
    return Verdict::drop(packet.chained() ? DropReason::kChainedBuffer : DropReason::kBadUdpChecksum);
  if (recognise(shard, packet, frame)) {
    if (wire::is_plain_task(packet.data() + frame.ip.payload_offset, frame.ip.payload_length)) return {};
  } else if (const Verdict verdict = parse(shard, packet, frame); verdict.decided()) {
    return verdict;
  }
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  const DropReason reason = wire::check_datagram(datagram);
  if (reason != DropReason::kNone) {
    frame.header = nullptr;
    return Verdict::drop(reason);
  }
  frame.header = &wire::header_of(datagram);
  return {};
}

// A burst's frames, of which some may be other shards', in stages. Compiled apart, since nearly every check of whether
// a frame is there would be one of whose it is as well; and with what the NIC copies next fetched ahead, or not.
template <bool kSteered, bool kPeeked>
void check_burst(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
                 std::span<Verdict> verdicts) noexcept {
  const std::size_t count = packets.size();
  const bool deep = count >= kWorthPrefetching, many = shard.sessions.count() > kManySessions;
  // Whether there is such a frame, and it is ours. Those before the first have the largest numbers.
  const auto stays = [&](std::size_t i) { return i < count && (!kSteered || !verdicts[i].decided()); };
  const auto lead = [&](std::size_t i) {
    if (stays(i)) prefetch_lead(packets[i]);
  };
  const auto look = [&](std::size_t i) {
    if (stays(i)) look_ahead(shard, packets[i], frames[i]);
  };
  const auto rest = [&](std::size_t i) {
    if (stays(i)) prefetch_rest(packets[i]);
  };
  const auto judge = [&](std::size_t i) {
    if (!stays(i)) return;
    verdicts[i] = check(shard, packets[i], frames[i]);
    if (!verdicts[i].decided()) prefetch_named(shard, frames[i]);
  };
  const auto next = [&](std::size_t i) {
    if (deep && stays(i)) prefetch_next(shard, frames[i], many);
  };
  const auto owed = [&](std::size_t i) {
    if (deep && stays(i)) prefetch_owed(shard, frames[i]);
  };
  for (std::size_t i = 0; i < std::min(kLeadsAhead, count); ++i) lead(i);
  for (std::size_t i = 0; i < std::min(kLooksAhead, count); ++i) look(i);
  for (std::size_t i = 0; i < std::min(kRestsAhead, count); ++i) rest(i);
  for (std::size_t i = 0; i < count; ++i) {
    lead(i + kLeadsAhead);
    look(i + kLooksAhead);
    rest(i + kRestsAhead);
    judge(i);
    next(i - kNextBehind);
    owed(i - kOwedBehind);
    // About as much leaves as came; it is written when the burst is done.
    if (kPeeked && i < shard.upcoming.buffers()) shard.upcoming.prefetch_buffer(i, packets[i].length());
  }
  if (!deep) return;
  for (std::size_t i = count - kNextBehind; i != count; ++i) next(i);
  for (std::size_t i = count - kOwedBehind; i != count; ++i) owed(i);
}

}  // namespace

void ingress(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
             std::span<Verdict> verdicts) noexcept {
  const bool peeked = shard.upcoming.buffers() > 0;
  if (shard.shared.options.shards == 1)
    return peeked ? check_burst<false, true>(shard, packets, frames, verdicts)
                  : check_burst<false, false>(shard, packets, frames, verdicts);
  steer(shard, packets, frames, verdicts);
  check_burst<true, true>(shard, packets, frames, verdicts);
}

}  // namespace mcplane::dataplane
