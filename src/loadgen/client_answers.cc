// What comes back to the fleet: each completion is matched to its task, checked byte by byte, and counted once.
// See client_fleet.h.
#include <algorithm>
#include <utility>

#include "loadgen/client_fleet.h"

namespace mcplane::loadgen {

void ClientFleet::take_completions(Client& client, EndedBy ended_by, std::uint64_t now_ns) {
  for (const client::Completion& completion : completions_) complete(client, completion, ended_by, now_ns);
  completions_.clear();
}

void ClientFleet::complete(Client& client, const client::Completion& completion, EndedBy ended_by,
                           std::uint64_t now_ns) {
  const auto index = static_cast<std::uint32_t>(completion.context);
  InFlight& task = tasks_[index];
  if (!task.busy || task.generation != completion.context >> 32) {
    ++tally_.duplicates;
    return;
  }
  if (completion.more) return take_piece(index, completion.payload, now_ns);
  const Ending ending = ending_of(completion, ended_by);
  ++tally_.endings[static_cast<std::size_t>(ending)];
  if (ending == Ending::kDelivered) {
    if (chunks_ ? !ends_well(index, completion.payload, now_ns) : !matches(task, completion.payload))
      ++tally_.mismatched;
    measure(completion, task, now_ns);
  } else if (ending != Ending::kDegraded) {
    const std::uint64_t pause_ns = std::max<std::uint64_t>(completion.retry_after_ms, 1) * kNsPerMs;
    client.backoff_until_ns = now_ns + pause_ns;
    if (ended_by == EndedBy::kFrame && !completion.delivered && !completion.broker_lost &&
        task.due_ns >= times_.measure_from_ns())
      tally_.rejected.record(now_ns - completion.sent_ns);
  }
  task.busy = false;
  ++task.generation;
  free_.push_back(index);
}

// An empty one is a stream's sign of life.
void ClientFleet::take_piece(std::uint32_t index, std::span<const std::byte> payload, std::uint64_t now_ns) {
  if (payload.empty()) return;
  InFlight& task = tasks_[index];
  const auto text = answers_.read(payload);
  if (chunks_) return chunks_->take(index, text.value_or(std::string_view{}), now_ns);
  task.broken = task.broken || !text || !payloads_.pattern().matches_at(*text, task.number, task.received);
  if (text) task.received += static_cast<std::uint32_t>(text->size());
}

// The last piece, mostly the only one.
bool ClientFleet::matches(const InFlight& task, std::span<const std::byte> payload) const noexcept {
  const PromptPattern& pattern = payloads_.pattern();
  const auto text = answers_.read(payload);
  if (!text || task.broken) return false;
  if (task.received == 0) [[likely]]
    return pattern.matches(*text, task.number);
  return task.received + text->size() == pattern.bytes_of(task.number) &&
         pattern.matches_at(*text, task.number, task.received);
}

// The last chunk of a stream.
bool ClientFleet::ends_well(std::uint32_t index, std::span<const std::byte> payload, std::uint64_t now_ns) {
  chunks_->take(index, answers_.read(payload).value_or(std::string_view{}), now_ns);
  return chunks_->end(index);
}

void ClientFleet::measure(const client::Completion& completion, const InFlight& task, std::uint64_t now_ns) {
  const std::uint64_t latency_ns = now_ns - std::min(task.due_ns, now_ns);
  last_interval_.record(latency_ns);
  if (times_.measures(now_ns)) ++tally_.measured;
  if (task.due_ns < times_.measure_from_ns()) return;
  tally_.latency.record(latency_ns);
  tally_.queued.record(completion.queued_us * kNsPerUs);
  tally_.worker.record(completion.worker_us * kNsPerUs);
  tally_.broker.record(completion.broker_us * kNsPerUs);
}

// A burst of the shell may be for several clients, the outbox is for one at a time.
ClientFleet::Client& ClientFleet::take_outbox(std::size_t client) {
  if (client != outbox_owner_) flush();
  outbox_owner_ = client;
  return clients_[client];
}

void ClientFleet::flush() {
  if (!outbox_.empty()) transmit_(outbox_owner_, outbox_);
}

void ClientFleet::publish(std::uint64_t now_ns) {
  next_publish_ns_ = now_ns + kNsPerSecond;
  progress_.publish({.sent = tally_.sent,
                     .delivered = tally_.delivered(),
                     .refused = tally_.refused(),
                     .lost = tally_.lost(),
                     .in_flight = in_flight()});
}

// Adds what was counted since the last one ended to the run's time line.
void ClientFleet::end_interval(std::uint64_t now_ns) {
  next_interval_ns_ = now_ns + options_.interval_ns;
  progress_.p50_ns.store(last_interval_.percentile(50), std::memory_order_relaxed);
  progress_.p99_ns.store(last_interval_.percentile(99), std::memory_order_relaxed);
  const Interval counted = {.from_ns = now_ns,
                            .sent = tally_.sent,
                            .delivered = tally_.delivered(),
                            .refused = tally_.refused(),
                            .lost = tally_.lost()};
  if (tally_.intervals.size() < kIntervalsMax && now_ns > interval_.from_ns)
    tally_.intervals.push_back({.from_ns = interval_.from_ns - times_.start_ns(),
                                .length_ns = now_ns - interval_.from_ns,
                                .sent = counted.sent - interval_.sent,
                                .delivered = counted.delivered - interval_.delivered,
                                .refused = counted.refused - interval_.refused,
                                .lost = counted.lost - interval_.lost,
                                .p50_ns = last_interval_.percentile(50),
                                .p99_ns = last_interval_.percentile(99),
                                .p999_ns = last_interval_.percentile(99.9),
                                .max_ns = last_interval_.max(),
                                .measured = now_ns > times_.measure_from_ns() && interval_.from_ns < times_.end_ns()});
  interval_ = counted;
  last_interval_.clear();
}

// What is still in flight is lost.
void ClientFleet::end_counting() {
  for (std::uint32_t index = 0; index < tasks_.size(); ++index) {
    InFlight& task = tasks_[index];
    if (!task.busy) continue;
    ++tally_.endings[static_cast<std::size_t>(Ending::kNoAnswer)];
    task.busy = false;
    ++task.generation;
    free_.push_back(index);
  }
  if (chunks_) tally_.chunks = chunks_->take_tally();
}

Tally ClientFleet::take_tally() {
  end_counting();
  return std::exchange(tally_, {});
}

const Tally& ClientFleet::close(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client& client = take_outbox(i);
    client.engine.close(now_ns, outbox_, completions_);
    take_completions(client, EndedBy::kTimer, now_ns);
    flush();
    tally_.repeated_frames += client.engine.duplicates();
    tally_.dropped_frames += client.engine.dropped();
  }
  end_counting();
  phase_ = Phase::kDone;
  return tally_;
}

}  // namespace mcplane::loadgen
