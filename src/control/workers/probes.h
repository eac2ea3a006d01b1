// Whose health is to be asked after now, and what answers make of it. Each worker is asked every interval, the first
// time at any moment within one, so that those that came together are not asked together; `fall` failures in a row are
// down, `rise` good answers up again. Who has never answered is awaited, and up with the first good answer, as in
// Envoy: a restarted broker has its workers back within an interval. Pure: time and chance are arguments.
// Control thread; O(log n) a question.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/random.h"
#include "base/types.h"
#include "control/config/settings.h"
#include "control/workers/breaker.h"

namespace mcplane::control {

// A worker's health, and how it is known.
struct ProbedHealth {
  Health health = Health::kAwaited;
  std::uint64_t since_ns = 0;
  std::string said;            // the last answer, for people; "": none came yet
  std::uint64_t said_ns = 0;   // when
  std::uint32_t in_a_row = 0;  // answers that contradict `health`
};

class Probes {
 public:
  // Asked and not answered yet, at most. Beyond it questions come later than their time, none is left out.
  static constexpr std::size_t kAskedMax = 256;
  // After its timeout a question is given up: whoever was to ask it had no time, which is no fault of the worker's.
  static constexpr std::uint64_t kGiveUpNs = 2 * kNsPerSecond;

  Probes(const ProbeSettings& settings, Random random) : settings_(settings), random_(random) {}

  // Another interval, and whoever waits waits for any moment of the new one.
  void set(const ProbeSettings& settings, std::uint64_t now_ns);
  const ProbeSettings& settings() const noexcept { return settings_; }

  void begin(WorkerId worker, std::uint64_t now_ns);
  void end(WorkerId worker);  // nothing happens when it has no probe

  struct Question {
    WorkerId worker;
    std::uint64_t number = 0;
  };
  // The next worker to be asked, once it is time; it is then asked by that number.
  std::optional<Question> take_due(std::uint64_t now_ns);
  // It could not be asked: another time.
  void put_off(WorkerId worker, std::uint64_t now_ns);
  // False for an answer to no question of this worker's. Else `health()` has it.
  bool on_answer(WorkerId worker, std::uint64_t number, bool good, std::string said, std::uint64_t now_ns);

  // Null: that worker has no probe.
  const ProbedHealth* find(WorkerId worker) const;

 private:
  struct Entry {
    ProbedHealth known;
    std::uint64_t number = 0;    // of the question it has not answered; 0: none
    std::uint64_t asked_ns = 0;  // then
    std::uint64_t due_ns = 0;    // its place in `waiting_`; asked: in `asked_`, when to give up
  };
  // By when; who is due at the same time, by line.
  using Schedule = std::set<std::pair<std::uint64_t, WorkerId>>;

  void wait_until(WorkerId worker, Entry& entry, std::uint64_t due_ns);
  void forget_question(WorkerId worker, Entry& entry);
  void give_up(std::uint64_t now_ns);
  std::uint64_t next_ns(std::uint64_t asked_ns, std::uint64_t now_ns) noexcept;
  std::uint64_t any_moment_ns(std::uint64_t now_ns) noexcept;

  ProbeSettings settings_;
  Random random_;
  std::unordered_map<WorkerId, Entry> entries_;
  Schedule waiting_, asked_;
  std::uint64_t last_number_ = 0;
};

}  // namespace mcplane::control
