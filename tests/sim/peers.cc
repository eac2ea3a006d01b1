// Clients and workers: production engines, and what applications around them do. Bursts of tasks come at random times;
// a worker is busy with each task for a random time. An answer follows from its task's number, so anybody can check it.
#include <algorithm>
#include <cstring>

#include "world.h"

namespace mcplane::sim {
namespace {

constexpr std::uint16_t kMtu = 1'500;
constexpr std::size_t kActionsMax = 16;
constexpr std::uint32_t kErrorEvery = 13;  // one task of so many is answered with an error
constexpr std::uint32_t kProbeTtlMs = 3'000;
constexpr std::uint64_t kProbeIntervalNs = 2 * kNsPerMs;

std::string action(std::uint32_t selector) { return "action" + std::to_string(selector); }

const char* model(std::uint32_t selector) { return selector % 4 == 1 ? "model" : ""; }

constexpr std::uint32_t scatter(std::uint32_t number) noexcept { return number * 0x9e3779b1U ^ number >> 7; }

}  // namespace

void World::add_peers() {
  const Sizes& sizes = options_.sizes;
  for (std::uint32_t i = 0; i < options_.load.selectors; ++i)
    tables_.push_back(wire::write_route_table(action(i), model(i), {}, ""));
  const std::uint32_t shadow_from = sizes.clients + sizes.workers;
  for (std::uint32_t i = 0; i < shadow_from + sizes.shadow_workers; ++i) {
    const bool worker = i >= sizes.clients;
    const auto port = PortId(static_cast<std::uint8_t>(random_.below(sizes.ports)));
    const auto family = chance(random_, 0.3) ? testing::Family::kIpv6 : testing::Family::kIpv4;
    const auto vlan = static_cast<std::uint16_t>(chance(random_, 0.2) ? 5 : wire::kNoVlan);
    Peer& peer = peers_.emplace_back(Peer{.host = Host(i, port, family, vlan), .hello = {}});
    peer.hello.service = i >= shadow_from ? wire::Service::kShadowWorker
                         : worker         ? wire::Service::kWorker
                                          : wire::Service::kClient;
    peer.hello.name = (worker ? "worker" : "client") + std::to_string(i);
    peer.hello.slots = worker ? static_cast<std::uint16_t>(
                                    between(random_, options_.load.worker_slots_min, options_.load.worker_slots_max))
                              : sizes.client_slots;
    // Everybody serves the first; of the others, each what it draws.
    for (std::uint32_t k = 0; worker && k < std::min<std::size_t>(tables_.size(), kActionsMax); ++k)
      if (k == 0 || chance(random_, 0.6)) peer.hello.actions.push_back(action(k));
    if (worker && chance(random_, 0.5)) peer.hello.models = {"model"};
    if (worker && options_.load.probe_interval_ns > 0)
      peer.hello.probe = {.kind = wire::ProbeKind::kTcp, .port = static_cast<std::uint16_t>(i + 1), .target = {}};
    push(now_ns_ + random_.below(20 * static_cast<std::uint32_t>(kNsPerMs)), Kind::kRestart, i, 0);
    if (!worker) push(now_ns_ + 200 * kNsPerMs, Kind::kSend, i);
    if (options_.load.news_interval_ns > 0) push(now_ns_ + 200 * kNsPerMs, Kind::kNews, i);
  }
}

void World::start(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (!peer.down()) stop(index);
  peer.leaving = false;
  ++peer.life;
  const std::uint64_t instance = random_.next() | 1U;
  std::memcpy(peer.hello.instance.data(), &instance, sizeof instance);
  trace_.note(now_ns_, "starts", index, peer.life);
  if (wire::is_client(peer.hello.service)) {
    peer.client = std::make_unique<client::ClientEngine>(peer.host.broker(), peer.hello, kMtu, Random(random_.next()));
    peer.client->start(now_ns_, out_);
  } else {
    peer.worker = std::make_unique<client::WorkerEngine>(peer.host.broker(), peer.hello, kMtu, Random(random_.next()));
    peer.worker->start(now_ns_, out_);
  }
  flush(index);
}

// As a crash: nobody is told.
void World::stop(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (peer.client) ledger_.on_client_gone(index);
  peer.client.reset();
  peer.worker.reset();
  ++peer.life;
  peer.timer_ns = ~std::uint64_t{0};
}

void World::flush(std::uint32_t index) {
  Peer& peer = peers_[index];
  for (const client::Outbox::Entry& entry : out_.entries()) {
    const wire::Header& header = wire::header_of(std::span<const std::byte>(entry.datagram));
    ledger_.on_peer_frame(header);
    peer.host.wrap(entry.datagram, entry.to, scratch_);
    carry(index, Direction::kToBroker, scratch_);
  }
  out_.clear();
  if (peer.down()) return;
  const std::uint64_t due_ns = peer.client ? peer.client->next_timer_ns() : peer.worker->next_timer_ns();
  if (due_ns == ~std::uint64_t{0} || due_ns >= peer.timer_ns) return;
  peer.timer_ns = std::max(due_ns, now_ns_ + 1'000);
  push(peer.timer_ns, Kind::kPeerTimer, index);
}

void World::on_timer(std::uint32_t index) {
  Peer& peer = peers_[index];
  peer.timer_ns = ~std::uint64_t{0};
  if (peer.client) {
    peer.client->on_timer(now_ns_, out_, done_);
    on_completions();
  } else if (peer.worker) {
    peer.worker->on_timer(now_ns_, out_);
  }
  flush(index);
}

void World::arrive_at_peer(std::uint32_t index, Frame& frame) {
  Peer& peer = peers_[index];
  if (links_down_ns_[raw(peer.host.port())] > now_ns_) return;
  const wire::Datagram parsed = peer.host.parse(frame.bytes);
  if (peer.down()) {
    // Of every other one the machine is still there.
    if (index % 2 != 0 || parsed.frame_class != wire::FrameClass::kUdp) return;
    return carry(index, Direction::kToBroker, scratch_ = testing::build_port_unreachable(frame.bytes));
  }
  switch (parsed.frame_class) {
    case wire::FrameClass::kUdp:
      return on_datagram(peer, index, std::span(frame.bytes).subspan(parsed.payload_offset, parsed.payload_length),
                         {parsed.source});
    case wire::FrameClass::kControl:
      if (Bytes answer = peer.host.answer(frame.bytes); !answer.empty()) carry(index, Direction::kToBroker, answer);
      return;
    case wire::FrameClass::kDrop:
      if (!frame.corrupted && parsed.reason != DropReason::kNotForUs && parsed.reason != DropReason::kNone)
        verdict_.fail("9 frames are sound", kDropReasonNames[static_cast<std::size_t>(parsed.reason)]);
      return;
  }
}

void World::on_datagram(Peer& peer, std::uint32_t index, std::span<const std::byte> datagram,
                        const wire::Endpoint& from) {
  if (const DropReason reason = wire::check_datagram(datagram); reason != DropReason::kNone) {
    trace_.note_frame(now_ns_, "unsound, at peer", index, datagram);
    return verdict_.fail("9 frames are sound", name_of(reason));
  }
  if (Newsroom::owns(wire::header_of(datagram))) return;
  if (peer.client) {
    peer.client->on_datagram(datagram, from, now_ns_, out_, done_);
    on_completions();
  } else {
    peer.worker->on_datagram(datagram, from, now_ns_, out_, assigned_);
    on_assignments(index);
    if (peer.worker->running() > (1 + Broker::kLookAheadMax) * peer.hello.slots)
      verdict_.fail("5 outstanding within bound", "a worker was given more tasks than it may be sent ahead");
  }
  flush(index);
}

void World::on_completions() {
  for (client::Completion& completion : done_) {
    if (options_.load.long_max > 0) take_piece(completion);
    if (completion.more || sabotage(Sabotage::kSwallowOutcome)) continue;
    if (completion.delivered && sabotage(Sabotage::kDenyExecution)) completion.executed = wire::Executed::No;
    const auto answer = answer_to(completion);
    const bool in_text = options_.load.long_max > 0 && completion.delivered;
    if (in_text) completion.payload = received_[static_cast<std::uint32_t>(completion.context)];
    ledger_.on_outcome(completion, answer, now_ns_);
    if (completion.broker_lost) ++coverage_.broker_lost;
    trace_.note(now_ns_, "outcome of task", static_cast<std::uint32_t>(completion.context), raw(completion.reason));
    if (sabotage(Sabotage::kDeliverTwice)) ledger_.on_outcome(completion, answer, now_ns_);
  }
  done_.clear();
}

void World::on_assignments(std::uint32_t index) {
  for (const client::Assignment& assignment : assigned_) {
    const std::uint32_t number = Ledger::number_of(assignment.task_id);
    trace_.note(now_ns_, "runs", index, number);
    const client::Session& session = peers_[index].worker->session();
    ledger_.on_execution(assignment, session);
    if (options_.load.long_max > 0) {
      write_long(payload_, number, 0, payload_bytes_[number]);
      if (!std::ranges::equal(payload_, assignment.payload))
        verdict_.fail("9 the task that was sent", "task " + std::to_string(number) + " came in other bytes");
    }
    if (sabotage(Sabotage::kRunTwice)) ledger_.on_execution(assignment, session);
    const Load& load = options_.load;
    const std::uint64_t service_ns =
        between_ns(random_, load.service_min_ns, healed_ ? load.service_min_ns + kNsPerMs : load.service_max_ns);
    push(now_ns_ + service_ns, Kind::kFinish, index, static_cast<std::uint32_t>(jobs_.size()));
    jobs_.push_back({.life = peers_[index].life,
                     .number = number,
                     .token = assignment.token,
                     .attempt = assignment.attempt,
                     .streamed = load.streamed > 0 && chance(random_, load.streamed)});
    ++jobs_open_;
  }
  assigned_.clear();
}

// Another piece of the job's answer, as long as its client takes them; false when it is time for the last.
bool World::stream_on(std::uint32_t index, std::uint32_t which) {
  Peer& peer = peers_[index];
  Job& job = jobs_[which];
  if (!job.streamed || peer.worker == nullptr || peer.life != job.life) return false;
  const auto text = text_of(job.number).subspan(job.emitted);
  if (text.empty()) return false;
  if (peer.worker->emit_room(job.token, job.attempt) > 0) {
    const std::size_t bytes = std::min<std::size_t>(text.size(), between(random_, 0, 4'000));
    if (!peer.worker->emit(job.token, job.attempt, {reinterpret_cast<const char*>(text.data()), bytes}, now_ns_, out_))
      return false;
    job.emitted += bytes;
    flush(index);
  }
  push(now_ns_ + between_ns(random_, 0, kNsPerMs), Kind::kFinish, index, which);
  return true;
}

void World::finish(std::uint32_t index, std::uint32_t which) {
  if (stream_on(index, which)) return;
  --jobs_open_;
  Peer& peer = peers_[index];
  const Job& job = jobs_[which];
  if (peer.worker == nullptr || peer.life != job.life) return;
  auto answer = answer_of(job.number);
  if (options_.load.long_max > 0) {
    const auto rest = text_of(job.number).subspan(job.emitted);
    answer = answer_ = wire::write_answer({reinterpret_cast<const char*>(rest.data()), rest.size()});
  }
  if (sabotage(Sabotage::kCorruptAnswer)) answer_[0] ^= std::byte{1};
  peer.worker->finish(job.token, job.attempt, answer, fails(index, job.number), now_ns_, out_);
  flush(index);
}

// Where errors have consequences, they come in bursts, one worker in three at a time, and end with the heal.
bool World::fails(std::uint32_t index, std::uint32_t number) const {
  const std::uint64_t burst_ns = options_.load.failing_ns;
  if (burst_ns == 0) return number % kErrorEvery == 0;
  const bool burst = (now_ns_ / burst_ns + index) % 3 == 0 && (!options_.load.failing_alone || selectors_[number] == 0);
  return !healed_ && (number % kErrorEvery == 0 || burst);
}

void World::send_news(std::uint32_t index) {
  push(now_ns_ + 1 + between_ns(random_, 0, 2 * options_.load.news_interval_ns), Kind::kNews, index);
  const Peer& peer = peers_[index];
  if (!sending_ || peer.down() || peer.leaving || !peer.session().registered()) return;
  peer.host.wrap(newsroom_.act(index, peer.session(), now_ns_), peer.session().shard(), scratch_);
  carry(index, Direction::kToBroker, scratch_);
}

void World::cancel(std::uint32_t index, std::uint32_t number) {
  Peer& peer = peers_[index];
  if (ledger_.ended(number) || peer.client == nullptr) return;
  ledger_.on_cancel(number);
  ++coverage_.cancelled;
  if (!peer.client->cancel(number, now_ns_, out_, done_))
    verdict_.fail("1 what is in flight can be cancelled", "a task that has no outcome could not be");
  on_completions();
  flush(index);
}

// Of what is in parts, bytes that a part in another's place would show.
void World::write_long(std::vector<std::byte>& bytes, std::uint32_t number, std::uint32_t salt,
                       std::size_t size) const {
  bytes.resize(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8) * 7 + number * 13 + salt);
}

std::span<const std::byte> World::text_of(std::uint32_t number) {
  write_long(text_, number, 99, text_bytes_[number]);
  return text_;
}

void World::take_piece(const client::Completion& completion) {
  if (!completion.delivered) return;
  if (completion.more) ++coverage_.pieces;
  const auto text = wire::read_answer(completion.payload);
  if (!text) return;
  const auto bytes = std::as_bytes(std::span(*text));
  auto& received = received_[static_cast<std::uint32_t>(completion.context)];
  received.insert(received.end(), bytes.begin(), bytes.end());
}

std::span<const std::byte> World::answer_of(std::uint32_t number) {
  const std::uint32_t subject = subjects_[number];
  answer_.resize(sizeof subject + scatter(subject) % (options_.load.answer_max + 1));
  std::memset(answer_.data(), static_cast<int>(subject & 0xffU), answer_.size());
  std::memcpy(answer_.data(), &subject, sizeof subject);
  return answer_;
}

// What the task's client should hear.
std::span<const std::byte> World::answer_to(const client::Completion& completion) {
  const auto number = static_cast<std::uint32_t>(completion.context);
  if (completion.substitute == wire::Substitute::Skip) return {};
  if (completion.substitute != wire::Substitute::Reply)
    return options_.load.long_max > 0 ? text_of(number) : answer_of(number);
  answer_ = wire::write_answer(options_.degrade.reply);
  return answer_;
}

// Questions are the same for all selectors, answers are not.
void World::write_payload(std::uint32_t number, std::uint32_t selector) {
  const Load& load = options_.load;
  payload_.assign(random_.below(load.payload_max + 1), std::byte{0x55});
  if (load.long_max > 0) {
    const auto draw = [&](std::uint32_t usual) {
      return chance(random_, sending_ ? load.in_parts : 0) ? between(random_, 1'000, load.long_max)
                                                           : random_.below(usual);
    };
    payload_bytes_.push_back(draw(load.payload_max));
    text_bytes_.push_back(draw(load.answer_max));
    write_long(payload_, number, 0, payload_bytes_.back());
  }
  selectors_.push_back(selector);
  subjects_.push_back(number);
  if (load.questions == 0) return;
  const std::uint32_t question = random_.below(load.questions);
  subjects_.back() = selector << 16 | question;
  payload_.assign(sizeof question + scatter(question) % load.payload_max, std::byte{0x55});
  std::memcpy(payload_.data() + payload_.size() - sizeof question, &question, sizeof question);
}

bool World::somebody_in(std::uint32_t number) const {
  const std::uint32_t selector = selectors_[number];
  return broker_->somebody_in(action(selector), model(selector), now_ns_);
}

void World::send_burst(std::uint32_t index) {
  const Peer& peer = peers_[index];
  const Load& load = options_.load;
  if (sending_) {
    for (std::uint32_t burst = between(random_, 1, load.burst_max); burst > 0; --burst) {
      const std::uint32_t selector = chance(random_, 0.6) ? 0 : random_.below(load.selectors);
      if (!send_task(index, selector, between(random_, load.ttl_min_ms, load.ttl_max_ms))) break;
    }
    flush(index);
    return push(now_ns_ + 1 + between_ns(random_, 0, 2 * load.interval_ns), Kind::kSend, index);
  }
  if (ledger_.sent() < one_by_one_ && peer.client && peer.client->in_flight() == 0) {
    send_task(index, 0, kProbeTtlMs);
    flush(index);
  }
  push(now_ns_ + kProbeIntervalNs, Kind::kSend, index);
}

// False when the client cannot send now.
bool World::send_task(std::uint32_t index, std::uint32_t selector, std::uint32_t ttl_ms) {
  client::ClientEngine* const engine = peers_[index].client.get();
  if (engine == nullptr || !engine->session().registered() || engine->slots_free() == 0 || out_.full()) return false;
  const bool idempotent = chance(random_, options_.load.idempotent);
  const bool shadow = sending_ && options_.load.shadow > 0 && chance(random_, options_.load.shadow);
  const std::uint32_t number = ledger_.begin(index, ttl_ms, {idempotent, shadow}, now_ns_);
  write_payload(number, selector);
  client::SendRequest request;
  request.context = number;
  request.task_id = Ledger::id_of(number);
  request.ttl_ms = ttl_ms;
  request.flags = wire::send_flags(idempotent, shadow, static_cast<std::uint8_t>(random_.below(wire::kPriorities)));
  request.table = tables_[selector];
  request.payload = payload_;
  if (chance(random_, sending_ ? options_.load.cancelled : 0))
    push(now_ns_ + between_ns(random_, 0, ttl_ms * kNsPerMs), Kind::kCancel, index, number);
  if (engine->send(request, now_ns_, out_) == client::SendStatus::kSent) return true;
  verdict_.fail("1 a free slot takes a task", "a registered client with a free slot could not send");
  return false;
}

}  // namespace mcplane::sim
