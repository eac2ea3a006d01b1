// See probes.h.
#include "control/workers/probes.h"

#include <algorithm>

#include "base/check.h"

namespace mcplane::control {

std::uint64_t Probes::any_moment_ns(std::uint64_t now_ns) noexcept {
  return now_ns + static_cast<std::uint64_t>(random_.unit() * static_cast<double>(settings_.interval_ns));
}

// From question to question: a slow answer does not put off the next.
std::uint64_t Probes::next_ns(std::uint64_t asked_ns, std::uint64_t now_ns) noexcept {
  const double off = settings_.jitter * (2 * random_.unit() - 1);
  const double span_ns = (1 + off) * static_cast<double>(settings_.interval_ns);
  return std::max(now_ns, asked_ns + static_cast<std::uint64_t>(span_ns));
}

void Probes::set(const ProbeSettings& settings, std::uint64_t now_ns) {
  const bool same_pace = settings.interval_ns == settings_.interval_ns;
  settings_ = settings;
  if (same_pace) return;
  waiting_.clear();
  for (auto& [worker, entry] : entries_)
    if (entry.number == 0) wait_until(worker, entry, any_moment_ns(now_ns));
}

void Probes::begin(WorkerId worker, std::uint64_t now_ns) {
  const auto [place, fresh] = entries_.try_emplace(worker);
  CHECK(fresh);
  place->second.known.since_ns = now_ns;
  wait_until(worker, place->second, any_moment_ns(now_ns));
}

void Probes::end(WorkerId worker) {
  const auto found = entries_.find(worker);
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  (entry.number == 0 ? waiting_ : asked_).erase({entry.due_ns, worker});
  entries_.erase(found);
}

std::optional<Probes::Question> Probes::take_due(std::uint64_t now_ns) {
  give_up(now_ns);
  if (waiting_.empty() || waiting_.begin()->first > now_ns || asked_.size() >= kAskedMax) return std::nullopt;
  const WorkerId worker = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  Entry& entry = entries_.at(worker);
  entry.number = ++last_number_;
  entry.asked_ns = now_ns;
  entry.due_ns = now_ns + settings_.timeout_ns + kGiveUpNs;
  asked_.emplace(entry.due_ns, worker);
  return Question{worker, entry.number};
}

void Probes::put_off(WorkerId worker, std::uint64_t now_ns) {
  Entry& entry = entries_.at(worker);
  forget_question(worker, entry);
  wait_until(worker, entry, next_ns(now_ns, now_ns));
}

bool Probes::on_answer(WorkerId worker, std::uint64_t number, bool good, std::string said, std::uint64_t now_ns) {
  const auto found = entries_.find(worker);
  if (found == entries_.end() || number == 0 || found->second.number != number) return false;
  Entry& entry = found->second;
  forget_question(worker, entry);
  wait_until(worker, entry, next_ns(entry.asked_ns, now_ns));

  ProbedHealth& known = entry.known;
  known.said = std::move(said);
  known.said_ns = now_ns;
  known.in_a_row = good == (known.health == Health::kUp) ? 0 : known.in_a_row + 1;
  const std::uint32_t enough = good ? settings_.rise : settings_.fall;
  const bool first = known.health == Health::kAwaited;
  if (first ? !good : known.in_a_row < enough) return true;
  known.health = good ? Health::kUp : Health::kDown;
  known.since_ns = now_ns;
  known.in_a_row = 0;
  return true;
}

const ProbedHealth* Probes::find(WorkerId worker) const {
  const auto found = entries_.find(worker);
  return found == entries_.end() ? nullptr : &found->second.known;
}

void Probes::wait_until(WorkerId worker, Entry& entry, std::uint64_t due_ns) {
  entry.due_ns = due_ns;
  waiting_.emplace(due_ns, worker);
}

void Probes::forget_question(WorkerId worker, Entry& entry) {
  asked_.erase({entry.due_ns, worker});
  entry.number = 0;
}

void Probes::give_up(std::uint64_t now_ns) {
  while (!asked_.empty() && asked_.begin()->first <= now_ns) put_off(asked_.begin()->second, now_ns);
}

}  // namespace mcplane::control
