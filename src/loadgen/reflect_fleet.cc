// See reflect_fleet.h.
#include "loadgen/reflect_fleet.h"

#include <cstring>

#include "base/check.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {
namespace {

// Parts that a worker lets come beyond those it has, and how many come for a GRANT.
constexpr std::uint16_t kWindow = 64, kPartsPerGrant = 16;
constexpr std::size_t kOutboxRoomMin = 8;
constexpr std::uint64_t kDrainMarginNs = 500 * kNsPerMs;

wire::HelloBody hello_of(const Options& options, bool worker) {
  wire::HelloBody hello;
  const auto worker_service = options.shadow ? wire::Service::kShadowWorker : wire::Service::kWorker;
  hello.service = worker ? worker_service : wire::Service::kClient;
  hello.slots = worker ? options.worker_slots : options.window;
  hello.name = worker ? "mcplane-load-worker" : "mcplane-load";
  if (worker) hello.actions = {options.action};
  return hello;
}

}  // namespace

ReflectFleet::ReflectFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress)
    : options_(options),
      transmit_(std::move(transmit)),
      progress_(progress),
      table_(wire::write_route_table(options.action, "", {}, "")),
      message_bytes_(send_bytes(options) - wire::kLeadBytes),
      identities_(options.endpoints()),
      roll_(options.endpoints()),
      exchanges_(std::size_t{options.clients} * options.window),
      ready_(exchanges_.size()) {
  Random identities(identity_seed);
  ends_.reserve(options.endpoints());
  for (std::size_t i = 0; i < options.endpoints(); ++i)
    ends_.emplace_back(
        client::Session(options.broker, hello_of(options, is_worker(i)), options.mtu, Random(identities.next())));
}

// Bodies are table and payload from the start of a task: a part's differs from that in nothing but its place, and the
// last one's in its length.
void ReflectFleet::make_bodies() {
  std::size_t room = ~std::size_t{0};
  for (const End& end : ends_) room = std::min(room, end.session().datagram_bytes_max() - wire::kLeadBytes);
  PayloadWriter payloads({options_.seed, std::min<std::size_t>(options_.prompt_bytes, room)});
  const auto payload = payloads.write(0);
  body_ = table_;
  body_.insert(body_.end(), payload.begin(), payload.end());
  body_.resize(std::min(message_bytes_, room));
  parts_ = static_cast<std::uint32_t>((message_bytes_ + body_.size() - 1) / body_.size());
  last_bytes_ = message_bytes_ - (parts_ - 1) * body_.size();
  body_sum_ = wire::sum_bytes(body_);
  last_sum_ = wire::sum_bytes(std::span(body_).first(last_bytes_));
  wire::Header& lead = wire::begin_datagram(std::span(lead_).subspan(2), wire::FrameType::Send);
  lead.mutate_flags(wire::send_flags(options_.idempotent, options_.shadow, options_.priority));
  lead.mutate_message_length(static_cast<std::uint32_t>(message_bytes_));
  lead.mutate_ttl_ms(static_cast<std::uint32_t>(options_.ttl_ns / kNsPerMs));
}

void ReflectFleet::prefetch(std::size_t endpoint, std::span<const std::byte> datagram) const noexcept {
  if (is_worker(endpoint) || datagram.size() < wire::kLeadBytes) return;
  const std::uint16_t slot = wire::header_of(datagram).slot();
  if (slot < options_.window) prefetch_to_write(&exchanges_[index_of(endpoint, slot)]);
}

ReflectFleet::Turned ReflectFleet::on_datagram(std::size_t endpoint, std::span<std::byte> datagram,
                                               const wire::Endpoint& from, std::uint64_t now_ns) {
  if (wire::check_datagram(datagram) != DropReason::kNone) {
    ++tally_.dropped_frames;
    return {};
  }
  const wire::Header& header = wire::header_of(std::span<const std::byte>(datagram));
  switch (header.type()) {
    case wire::FrameType::Route:
      return on_route(endpoint, datagram, from);
    case wire::FrameType::Deliver:
      return on_deliver(endpoint, datagram, now_ns);
    case wire::FrameType::Grant:
      on_grant(endpoint, header);
      break;
    case wire::FrameType::Reject:
      if (header.answers() == wire::FrameType::Send) {
        on_reject(endpoint, header);
        break;
      }
      [[fallthrough]];
    default:
      to_session(endpoint, datagram, now_ns);
  }
  return {};
}

// What is no session's business is an acknowledgement, for which nobody waits here.
void ReflectFleet::to_session(std::size_t endpoint, std::span<const std::byte> datagram, std::uint64_t now_ns) {
  take_outbox(endpoint);
  client::Session& session = ends_[endpoint].session();
  if (!session.on_frame(datagram, now_ns, outbox_)) return;
  Identity& identity = identities_[endpoint];
  identity.boot_id = session.boot_id();
  identity.session = session.id().value;
  identity.port = session.shard().port;
  roll_.note(static_cast<std::uint32_t>(endpoint), ends_[endpoint]);
  if (outbox_.entries().size() + kOutboxRoomMin > client::Outbox::kDatagrams) flush();
}

ReflectFleet::Exchange* ReflectFleet::find(std::size_t client, const wire::Header& header) noexcept {
  if (is_worker(client) || header.slot() >= options_.window || header.session() != identities_[client].session ||
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
  if (std::memcmp(header.task_id()->Data(), id.data(), id.size()) != 0 || body.size() != last_bytes_)
    ++tally_.mismatched;
  else
    look_at(body);
  if (exchange->sent_ns >= measure_from_ns_) tally_.latency.record(now_ns - exchange->sent_ns);
  if (now_ns >= measure_from_ns_ && now_ns < end_ns_) ++tally_.measured;
  if (phase_ != Phase::kRunning) return acknowledge(client, datagram);
  // A body of another length is no task's first part.
  if (datagram.size() != datagram_bytes()) {
    make_ready(index);
    return {};
  }
  return {Fate::kSend, write_send(index, datagram, now_ns)};
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

ReflectFleet::Turned ReflectFleet::on_route(std::size_t worker, std::span<std::byte> datagram,
                                            const wire::Endpoint& from) {
  const wire::Header& header = wire::header_of(datagram);
  if (!is_worker(worker) || header.worker_session() != identities_[worker].session) {
    ++tally_.dropped_frames;
    return {};
  }
  if (parts_ > 1) return on_part(worker, datagram, from);
  return answer(worker, datagram, from.port);
}

ReflectFleet::Turned ReflectFleet::on_part(std::size_t worker, std::span<std::byte> datagram,
                                           const wire::Endpoint& from) {
  const wire::Header& header = wire::header_of(datagram);
  const std::size_t place = wire::token_of(header).index();
  if (place >= arrived_.size()) arrived_.resize(place + 1);
  std::uint16_t& arrived = arrived_[place];
  const std::uint16_t part = header.fragment_index();
  if (part == 0) arrived = 0;
  if (part != arrived || datagram.size() != wire::kLeadBytes + part_bytes(part)) {
    ++tally_.mismatched;
    return {};
  }
  ++arrived;
  look_at(datagram.subspan(wire::kLeadBytes));
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
  if (outbox_.entries().size() + kOutboxRoomMin > client::Outbox::kDatagrams) flush();
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

ReflectFleet::Turned ReflectFleet::acknowledge(std::size_t client, std::span<std::byte> datagram) noexcept {
  const std::uint16_t slot = wire::header_of(datagram).slot();
  const std::uint32_t sequence = wire::header_of(datagram).sequence();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Ack);
  header.mutate_answers(wire::FrameType::Deliver);
  header.mutate_boot_id(identities_[client].boot_id);
  header.mutate_session(identities_[client].session);
  header.mutate_slot(slot);
  header.mutate_sequence(sequence);
  return {Fate::kSend, sealed(client, identities_[client].port, datagram.first(wire::kLeadBytes), 0)};
}

bool ReflectFleet::wants_packet() noexcept {
  while (ready_count_ > 0) {
    Exchange& exchange = exchanges_[ready_[ready_first_]];
    if (may_send(exchange)) return true;
    exchange.listed = false;
    ready_first_ = ready_first_ + 1 == ready_.size() ? 0 : ready_first_ + 1;
    --ready_count_;
  }
  return false;
}

void ReflectFleet::make_ready(std::size_t index) noexcept {
  Exchange& exchange = exchanges_[index];
  if (exchange.listed || !may_send(exchange)) return;
  exchange.listed = true;
  std::size_t place = ready_first_ + ready_count_++;
  if (place >= ready_.size()) place -= ready_.size();
  ready_[place] = static_cast<std::uint32_t>(index);
}

Outgoing ReflectFleet::write_next(std::span<std::byte> datagram, std::uint64_t now_ns) {
  const std::uint32_t index = ready_[ready_first_];
  Exchange& exchange = exchanges_[index];
  if (!exchange.busy) return write_send(index, datagram, now_ns);
  const std::size_t client = index / options_.window;
  const std::uint16_t part = exchange.next++;
  std::memcpy(datagram.data(), lead_.data() + 2, wire::kLeadBytes);
  wire::Header& header = wire::header_of(datagram);
  header.mutate_attempt(exchange.attempt);
  header.mutate_boot_id(identities_[client].boot_id);
  header.mutate_session(identities_[client].session);
  wire::set_token(header, exchange.token);
  header.mutate_sequence(exchange.sequence);
  header.mutate_slot(static_cast<std::uint16_t>(index % options_.window));
  header.mutate_fragment_index(part);
  const wire::Id16 id = task_id_of(index);
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  const std::size_t bytes = part_bytes(part);
  return sealed(client, identities_[client].port, datagram.first(wire::kLeadBytes + bytes), bytes);
}

// The first or only part of the slot's next task.
Outgoing ReflectFleet::write_send(std::size_t index, std::span<std::byte> datagram, std::uint64_t now_ns) noexcept {
  const std::size_t client = index / options_.window;
  Exchange& exchange = exchanges_[index];
  exchange.sent_ns = now_ns;
  ++exchange.sequence;
  exchange.busy = true;
  exchange.next = exchange.limit = 1;
  ++in_flight_;
  ++tally_.sent;
  std::memcpy(datagram.data(), lead_.data() + 2, wire::kLeadBytes);
  wire::Header& header = wire::header_of(datagram);
  header.mutate_boot_id(identities_[client].boot_id);
  header.mutate_session(identities_[client].session);
  header.mutate_sequence(exchange.sequence);
  header.mutate_slot(static_cast<std::uint16_t>(index % options_.window));
  header.mutate_table_length(static_cast<std::uint16_t>(table_.size()));
  const wire::Id16 id = task_id_of(index);
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  return sealed(client, identities_[client].port, datagram.first(datagram_bytes()), body_.size());
}

Outgoing ReflectFleet::sealed(std::size_t endpoint, std::uint16_t port, std::span<const std::byte> datagram,
                              std::size_t body_bytes) const noexcept {
  const std::uint16_t lead = wire::sum_bytes(datagram.first(wire::kLeadBytes));
  const std::uint16_t body = body_bytes == 0 ? 0 : body_bytes == body_.size() ? body_sum_ : last_sum_;
  return {endpoint, port, static_cast<std::uint16_t>(datagram.size()), wire::sum_add(lead, body)};
}

wire::Id16 ReflectFleet::task_id_of(std::size_t index) const noexcept {
  return task_id_for(options_.seed, (std::uint64_t{index} << 32) | exchanges_[index].sequence);
}

void ReflectFleet::look_at(std::span<const std::byte> body) noexcept {
  if (++looked_ % kLookAt != 0) [[likely]]
    return;
  if (std::memcmp(body.data(), body_.data(), body.size()) != 0) ++tally_.mismatched;
}

void ReflectFleet::on_time(std::uint64_t now_ns) {
  if (now_ns >= next_tick_ns_) tick(now_ns);
  flush();
  if (phase_ == Phase::kRunning && now_ns >= end_ns_) stop(now_ns);
  if (phase_ == Phase::kDraining && (in_flight_ == 0 || now_ns >= drain_until_ns_)) phase_ = Phase::kDone;
}

void ReflectFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  roll_.begin_tick();
  while (const auto index = roll_.take_start()) {
    take_outbox(*index);
    ends_[*index].session().start(now_ns, outbox_);
    roll_.note(*index, ends_[*index]);
  }
  while (const auto index = roll_.take_due(now_ns)) {
    take_outbox(*index);
    ends_[*index].session().on_timer(now_ns, outbox_);
    roll_.note(*index, ends_[*index], next_tick_ns_);
  }
  for (const std::uint32_t index : refused_) make_ready(index);
  refused_.clear();
  if (phase_ != Phase::kConnecting && now_ns >= next_publish_ns_) publish(now_ns);
}

void ReflectFleet::begin(std::uint64_t now_ns) {
  make_bodies();
  phase_ = Phase::kRunning;
  measure_from_ns_ = now_ns + options_.warmup_ns;
  end_ns_ = measure_from_ns_ + options_.duration_ns;
  next_publish_ns_ = now_ns + kNsPerSecond;
  for (std::size_t index = 0; index < exchanges_.size(); ++index) make_ready(index);
}

void ReflectFleet::stop(std::uint64_t now_ns) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kDraining;
  end_ns_ = std::min(end_ns_, now_ns);
  tally_.measured_ns = end_ns_ - std::min(measure_from_ns_, end_ns_);
  drain_until_ns_ = now_ns + options_.ttl_ns + client::kGraceNs + kDrainMarginNs;
}

Tally ReflectFleet::close(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    take_outbox(i);
    ends_[i].session().close(now_ns, outbox_);
    flush();
  }
  tally_.endings[static_cast<std::size_t>(Ending::kNoAnswer)] += in_flight_;
  return std::move(tally_);
}

void ReflectFleet::publish(std::uint64_t now_ns) {
  next_publish_ns_ = now_ns + kNsPerSecond;
  constexpr auto relaxed = std::memory_order_relaxed;
  progress_.sent.store(tally_.sent, relaxed);
  progress_.delivered.store(tally_.delivered(), relaxed);
  progress_.refused.store(tally_.refused(), relaxed);
  progress_.in_flight.store(in_flight_, relaxed);
  progress_.p50_ns.store(tally_.latency.percentile(50), relaxed);
  progress_.p99_ns.store(tally_.latency.percentile(99), relaxed);
  progress_.rate.store(tally_.delivered() - std::exchange(delivered_published_, tally_.delivered()), relaxed);
  progress_.updates.fetch_add(1, relaxed);
  progress_.updates.notify_all();
}

void ReflectFleet::take_outbox(std::size_t endpoint) {
  if (endpoint != outbox_owner_) flush();
  outbox_owner_ = endpoint;
}

void ReflectFleet::flush() {
  if (!outbox_.empty()) transmit_(outbox_owner_, outbox_);
}

}  // namespace mcplane::loadgen
