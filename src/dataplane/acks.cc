// See acks.h. In the common case nothing here sends a frame: a RESULT's acknowledgement leaves with the next ROUTE.
#include "dataplane/acks.h"

#include <algorithm>

#include "dataplane/departure.h"

namespace mcplane::dataplane {

bool OwedAcks::list(Session& worker) noexcept {
  if (due_count_ == capacity_) return false;
  const std::uint32_t last = due_first_ + due_count_;
  due_[last < capacity_ ? last : last - capacity_] = worker.record.id;
  ++due_count_;
  return worker.owed.listed = true;
}

Session* OwedAcks::take_due(SessionTable& sessions, std::uint32_t latest_ms) noexcept {
  while (due_count_ > 0) {
    Session* const worker = sessions.find(due_[due_first_]);
    due_first_ = due_first_ + 1 < capacity_ ? due_first_ + 1 : 0;
    --due_count_;
    if (worker == nullptr) continue;
    worker->owed.listed = false;
    if (worker->owed.oldest.number == 0) continue;
    if (static_cast<std::int32_t>(worker->owed.oldest.added_ms - latest_ms) <= 0) return worker;
    list(*worker);
    return nullptr;
  }
  return nullptr;
}

void OwedAcks::prefetch_due(const SessionTable& sessions, std::uint32_t count) const noexcept {
  for (std::uint32_t i = 0, at = due_first_; i < std::min(count, due_count_); ++i) {
    sessions.prefetch_towards(due_[at]);
    at = at + 1 < capacity_ ? at + 1 : 0;
  }
}

void AckBatch::add(SessionId to, wire::FrameType answers, std::uint32_t name, std::uint32_t number) noexcept {
  const auto begin = frames_.begin(), end = begin + static_cast<std::ptrdiff_t>(count_);
  const auto open = std::find_if(begin, end, [&](const Frame& frame) {
    return frame.to == to && frame.answers == answers && frame.count < kEntries;
  });
  if (open == end) {
    if (count_ == kFrames) return;  // like one that is lost on its way
    *open = {};
    open->to = to;
    open->answers = answers;
    ++count_;
  }
  open->entries[open->count++] = {name, number};
}

namespace {

// An ACK of `answers` to a session, entry by entry: the first in its header, the others behind it.
class AckWriter {
 public:
  AckWriter(Shard& shard, const Session& to, wire::FrameType answers) noexcept
      : shard_(shard), to_(to), packet_(take_datagram(shard, wire::FrameType::Ack)) {
    if (packet_.buffer() == nullptr) return;
    wire::Header& header = wire::header_of(datagram());
    header.mutate_boot_id(shard.shared.options.boot_id);
    header.mutate_session(to.record.id.value);
    header.mutate_answers(answers);
    if (answers == wire::FrameType::Result) header.mutate_worker_session(to.record.id.value);
  }

  void add(std::uint32_t name, std::uint32_t number) noexcept {
    if (packet_.buffer() == nullptr) return;
    if (length_ > 0) {
      length_ = wire::append_ack_entry(datagram(), length_, name, number);
      return;
    }
    length_ = wire::kLeadBytes;
    wire::Header& header = wire::header_of(datagram());
    if (header.answers() == wire::FrameType::Result) {
      header.mutate_sequence(name);
      header.mutate_reason(static_cast<wire::Reason>(number));
    } else {
      header.mutate_slot(static_cast<std::uint16_t>(name));
      header.mutate_sequence(number);
    }
  }

  // Without a buffer it is like one that is lost on its way.
  void send() noexcept {
    if (packet_.buffer() == nullptr) return;
    shard_.counters.acks_sent.add();
    send_datagram(shard_, packet_, static_cast<std::uint16_t>(length_), to_);
  }

 private:
  std::span<std::byte> datagram() noexcept { return {packet_.data() + kDatagramOffset, kBytesMax}; }

  static constexpr std::size_t kBytesMax = wire::kLeadBytes + AckBatch::kEntries * sizeof(wire::AckEntry);

  Shard& shard_;
  const Session& to_;
  net::Packet packet_;
  std::size_t length_ = 0;
};

void send_owed(Shard& shard, Session& worker) noexcept {
  AckWriter ack(shard, worker, wire::FrameType::Result);
  while (const std::uint32_t number = shard.owed.take(worker)) ack.add(number, raw(wire::Reason::Ok));
  ack.send();
}

}  // namespace

void send_acks(Shard& shard) noexcept {
  for (const AckBatch::Frame& frame : shard.acks.frames()) {
    const Session* to = shard.sessions.find(frame.to);
    if (to == nullptr) continue;
    AckWriter ack(shard, *to, frame.answers);
    for (const AckBatch::Entry& entry : std::span(frame.entries).first(frame.count)) ack.add(entry.name, entry.number);
    ack.send();
  }
  shard.acks.clear();
  const std::uint32_t latest_ms = shard.now_ms - shard.ack_wait_ms;
  std::uint32_t sent = 0;
  for (; sent < kOwedPerLoop; ++sent) {
    Session* const worker = shard.owed.take_due(shard.sessions, latest_ms);
    if (worker == nullptr) break;
    send_owed(shard, *worker);
  }
  // Among many workers none of this is in a cache.
  shard.owed.prefetch_due(shard.sessions, sent + 1);
}

}  // namespace mcplane::dataplane
