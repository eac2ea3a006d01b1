// What a ReflectFleet turns frames into, and what it writes before bodies that it has. See reflect_fleet.h.
#include <algorithm>
#include <cstring>

#include "loadgen/reflect_fleet.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {
namespace {

// Parts that a worker lets come beyond those it has, and how many come for a GRANT.
constexpr std::uint16_t kWindow = 64, kPartsPerGrant = 16;

}  // namespace

ReflectFleet::Exchange* ReflectFleet::find(std::size_t client, const wire::Header& header) noexcept {
  if (is_worker(client) || header.slot() >= slots_ || header.session() != identities_[client].session ||
      header.boot_id() != identities_[client].boot_id) {
    ++tally_.dropped_frames;
    return nullptr;
  }
  Exchange& exchange = exchanges_[index_of(client, header.slot())];
  if (exchange.busy && exchange.sequence == header.sequence()) return &exchange;
  ++tally_.repeated_frames;
  return nullptr;
}

ReflectFleet::Turned ReflectFleet::on_deliver(std::size_t client, std::span<std::byte> datagram, std::uint64_t now_ns) {
  const wire::Header& header = wire::header_of(datagram);
  Exchange* const exchange = find(client, header);
  if (exchange == nullptr) return {};
  const std::size_t index = index_of(client, header.slot());
  const bool answered = header.reason() == wire::Reason::Ok && !wire::has(header.flags(), wire::Flag::Degraded);
  end(*exchange, answered ? Ending::kDelivered : Ending::kOther);
  const wire::Id16 id = task_id_of(index);
  const auto body = datagram.subspan(wire::kLeadBytes);
  const bool ours = std::memcmp(header.task_id()->Data(), id.data(), id.size()) == 0 && body.size() == last_bytes_;
  const bool right = ours && looks_right(body);
  if (!right) ++tally_.mismatched;
  if (exchange->sent_ns >= times_.measure_from_ns()) tally_.latency.record(now_ns - exchange->sent_ns);
  if (times_.measures(now_ns)) ++tally_.measured;
  if (phase_ != Phase::kRunning) return acknowledge(index, datagram);
  // A body that is wrong, or of another length, is no task's first part.
  const bool reusable = right && datagram.size() == datagram_bytes();
  if (reusable && !options_.open_loop()) return {Fate::kSend, write_send(index, datagram, now_ns)};
  exchange->sent_ns = now_ns;
  make_ready(index);
  return {reusable ? Fate::kBody : Fate::kDone, {}};
}

void ReflectFleet::end(Exchange& exchange, Ending ending) noexcept {
  exchange.busy = false;
  --in_flight_;
  ++tally_.endings[static_cast<std::size_t>(ending)];
}

// The slot is tried again with the next tick, so that a full broker is not flooded.
void ReflectFleet::on_reject(std::size_t client, const wire::Header& reject) {
  Exchange* const exchange = find(client, reject);
  if (exchange == nullptr) return;
  client::Completion completion;
  completion.reason = reject.reason();
  completion.executed = reject.executed();
  end(*exchange, ending_of(completion, EndedBy::kFrame));
  refused_.push_back(static_cast<std::uint32_t>(index_of(client, reject.slot())));
}

void ReflectFleet::on_grant(std::size_t client, const wire::Header& grant) noexcept {
  Exchange* const exchange = find(client, grant);
  if (exchange == nullptr) return;
  exchange->token = wire::token_of(grant);
  exchange->attempt = grant.attempt();
  exchange->limit = std::max(exchange->limit, wire::grant_limit(grant));
  make_ready(index_of(client, grant.slot()));
}

// A client's part 0, as long as its worker has not let more come, or a worker's answer.
void ReflectFleet::on_resend(std::size_t endpoint, const wire::Header& resend) {
  const TaskToken token = wire::token_of(resend);
  if (is_worker(endpoint)) {
    if (run_of(token).generation == token.generation) asked_.push_back({endpoint, token, resend.attempt()});
    return;
  }
  Exchange* const exchange = find(endpoint, resend);
  if (exchange == nullptr || exchange->next > 1) return;
  exchange->token = token;
  exchange->attempt = resend.attempt();
  exchange->next = 0;
  make_ready(index_of(endpoint, resend.slot()));
}

ReflectFleet::Run& ReflectFleet::run_of(TaskToken token) {
  const std::size_t shard = raw(token.shard());
  if (shard >= runs_.size()) runs_.resize(shard + 1);
  std::vector<Run>& runs = runs_[shard];
  if (token.index() >= runs.size()) runs.resize(token.index() + 1);
  return runs[token.index()];
}

ReflectFleet::Turned ReflectFleet::on_route(std::size_t worker, std::span<std::byte> datagram,
                                            const wire::Endpoint& from) {
  const wire::Header& header = wire::header_of(datagram);
  if (!is_worker(worker) || header.worker_session() != identities_[worker].session) {
    ++tally_.dropped_frames;
    return {};
  }
  const TaskToken token = wire::token_of(header);
  Run& run = run_of(token);
  if (static_cast<std::int32_t>(token.generation - run.generation) < 0) return {};
  run.generation = token.generation;
  run.id = wire::task_id_of(header);
  if (parts_ > 1) return on_part(worker, datagram, from, run);
  return answer(worker, datagram, from.port);
}

ReflectFleet::Turned ReflectFleet::on_part(std::size_t worker, std::span<std::byte> datagram,
                                           const wire::Endpoint& from, Run& run) {
  const wire::Header& header = wire::header_of(datagram);
  std::uint16_t& arrived = run.arrived;
  const std::uint16_t part = header.fragment_index();
  if (part == 0) arrived = 0;
  if (part != arrived || datagram.size() != wire::kLeadBytes + part_bytes(part)) {
    ++tally_.mismatched;
    return {};
  }
  ++arrived;
  if (!looks_right(datagram.subspan(wire::kLeadBytes))) ++tally_.mismatched;
  if (arrived == parts_) return answer(worker, datagram, from.port);
  // The GRANT before that one may have let the last part come.
  const bool all_granted = part > 0 && arrived + std::uint32_t{kWindow - kPartsPerGrant} >= parts_;
  if (part == 0 || (arrived % kPartsPerGrant == 0 && !all_granted)) write_grant(worker, header, arrived, from);
  return {Fate::kBody, {}};
}

void ReflectFleet::write_grant(std::size_t worker, const wire::Header& part, std::uint16_t next,
                               const wire::Endpoint& to) {
  take_outbox(worker);
  wire::Header& header = wire::begin_datagram(outbox_.reserve(), wire::FrameType::Grant);
  header.mutate_answers(wire::FrameType::Send);
  header.mutate_attempt(part.attempt());
  header.mutate_boot_id(part.boot_id());
  header.mutate_session(part.session());
  header.mutate_worker_session(part.worker_session());
  wire::set_token(header, wire::token_of(part));
  wire::set_grant(header, next, static_cast<std::uint16_t>(next + kWindow));
  outbox_.commit(wire::kLeadBytes, to);
  make_room();
}

// The ROUTE, or its last part, becomes the RESULT, its body the answer.
ReflectFleet::Turned ReflectFleet::answer(std::size_t worker, std::span<std::byte> datagram,
                                          std::uint16_t port) noexcept {
  wire::Header& header = wire::header_of(datagram);
  const std::size_t body_bytes = datagram.size() - wire::kLeadBytes;
  header.mutate_type(wire::FrameType::Result);
  header.mutate_flags(0);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_sequence(++identities_[worker].results);
  header.mutate_table_length(0);
  header.mutate_fragment_index(0);
  header.mutate_message_length(static_cast<std::uint32_t>(body_bytes));
  header.mutate_ttl_ms(0);
  header.mutate_queued_us(0);
  header.mutate_worker_us(0);
  return {Fate::kSend, sealed(worker, port, datagram, body_bytes)};
}

// That the slot's last DELIVER came.
void ReflectFleet::write_ack(std::size_t index, std::span<std::byte> datagram) const noexcept {
  const Identity& identity = identities_[index / slots_];
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Ack);
  header.mutate_answers(wire::FrameType::Deliver);
  header.mutate_boot_id(identity.boot_id);
  header.mutate_session(identity.session);
  header.mutate_slot(static_cast<std::uint16_t>(index % slots_));
  header.mutate_sequence(exchanges_[index].sequence);
}

ReflectFleet::Turned ReflectFleet::acknowledge(std::size_t index, std::span<std::byte> datagram) noexcept {
  write_ack(index, datagram);
  const std::size_t client = index / slots_;
  return {Fate::kSend, sealed(client, identities_[client].port, datagram.first(wire::kLeadBytes), 0)};
}

Outgoing ReflectFleet::write_next(std::span<std::byte> datagram, std::uint64_t now_ns) {
  if (!asked_.empty()) return write_again(datagram);
  const std::uint32_t index = ready_[0];
  Exchange& exchange = exchanges_[index];
  if (!exchange.busy) return write_send(index, datagram, now_ns);
  const std::size_t client = index / slots_;
  const std::uint16_t part = exchange.next++;
  std::memcpy(datagram.data(), lead_.data() + 2, kChangingBytes);
  wire::Header& header = wire::header_of(datagram);
  header.mutate_attempt(exchange.attempt);
  header.mutate_boot_id(identities_[client].boot_id);
  header.mutate_session(identities_[client].session);
  wire::set_token(header, exchange.token);
  header.mutate_sequence(exchange.sequence);
  header.mutate_slot(static_cast<std::uint16_t>(index % slots_));
  header.mutate_fragment_index(part);
  if (part == 0) header.mutate_table_length(static_cast<std::uint16_t>(table_.size()));
  const wire::Id16 id = task_id_of(index);
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  const std::size_t bytes = part_bytes(part);
  return sealed(client, identities_[client].port, datagram.first(wire::kLeadBytes + bytes), bytes);
}

Outgoing ReflectFleet::write_again(std::span<std::byte> datagram) noexcept {
  const Asked asked = asked_.back();
  asked_.pop_back();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Result);
  const Identity& identity = identities_[asked.worker];
  header.mutate_attempt(asked.attempt);
  header.mutate_boot_id(identity.boot_id);
  header.mutate_session(identity.session);
  header.mutate_worker_session(identity.session);
  wire::set_token(header, asked.token);
  const wire::Id16 id = run_of(asked.token).id;
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  return answer(asked.worker, datagram.first(wire::kLeadBytes + part_bytes(parts_ - 1)), identity.port).out;
}

// The first or only part of the slot's next task.
Outgoing ReflectFleet::write_send(std::size_t index, std::span<std::byte> datagram, std::uint64_t now_ns) noexcept {
  const std::size_t client = index / slots_;
  Exchange& exchange = exchanges_[index];
  if (!options_.open_loop()) exchange.sent_ns = now_ns;
  ++exchange.sequence;
  exchange.busy = true;
  exchange.next = exchange.limit = 1;
  exchange.token = {};
  exchange.attempt = 0;
  ++in_flight_;
  ++tally_.sent;
  std::memcpy(datagram.data(), lead_.data() + 2, kChangingBytes);
  wire::Header& header = wire::header_of(datagram);
  header.mutate_boot_id(identities_[client].boot_id);
  header.mutate_session(identities_[client].session);
  header.mutate_sequence(exchange.sequence);
  header.mutate_slot(static_cast<std::uint16_t>(index % slots_));
  header.mutate_table_length(static_cast<std::uint16_t>(table_.size()));
  const wire::Id16 id = task_id_of(index);
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  return sealed(client, identities_[client].port, datagram.first(datagram_bytes()), body_.size());
}

Outgoing ReflectFleet::sealed(std::size_t endpoint, std::uint16_t port, std::span<const std::byte> datagram,
                              std::size_t body_bytes) const noexcept {
  const std::uint16_t lead = wire::sum_bytes(datagram.first(kChangingBytes));
  const std::uint16_t body = body_bytes == 0 ? 0 : body_bytes == body_.size() ? body_sum_ : last_sum_;
  return {endpoint, port, static_cast<std::uint16_t>(datagram.size()), wire::sum_add(lead, body)};
}

wire::Id16 ReflectFleet::task_id_of(std::size_t index) const noexcept {
  return task_id_for(options_.seed, (std::uint64_t{index} << 32) | exchanges_[index].sequence);
}

bool ReflectFleet::looks_right(std::span<const std::byte> body) noexcept {
  if (++looked_ < options_.check_every) return true;
  looked_ = 0;
  return std::memcmp(body.data(), body_.data(), body.size()) == 0;
}

}  // namespace mcplane::loadgen
