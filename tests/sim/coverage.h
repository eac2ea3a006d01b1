// What happened in a run, so that a test can tell that everything does happen somewhere. Of no influence on the run.
#pragma once

#include <array>
#include <cstdint>

#include "base/drop_reason.h"
#include "options.h"
#include "wire/header.h"

namespace mcplane::sim {

struct Coverage {
  std::array<std::uint64_t, kMishaps> mishaps{};
  std::array<std::uint64_t, kDropReasons> dropped{};  // frames, by the broker
  // Frames: for which the broker's pool had no buffer; that no NIC or ring took from a core; that peers sent again;
  // with which the broker asked for one.
  std::uint64_t no_buffer = 0, not_taken = 0, again = 0, resends = 0;
  // Tasks: whose session ended under them, that their clients gave up, that ran more than once.
  std::uint64_t broker_lost = 0, cancelled = 0, executed_again = 0;

  // Breakers: polls of control while one was open, while one was by its health, and frames that tried a worker, or one
  // action of its, that was half-open.
  std::uint64_t polls_out = 0, polls_down = 0, probes = 0, skill_probes = 0;

  // Answers that stood in for workers, by kind.
  std::array<std::uint64_t, wire::kSubstitutes> degraded{};

  // Tasks of load tests that were accepted, and copies that were made.
  std::uint64_t shadow = 0, copied = 0;

  // Parts of tasks behind their first that workers were sent, and pieces of answers that clients took before the last.
  std::uint64_t parts = 0, pieces = 0;

  // PINGs with which the broker asked whether a worker is there, since its host said that its port is closed.
  std::uint64_t asked = 0;

  // EVENTs that the broker sent.
  std::uint64_t events = 0;

  Coverage& operator+=(const Coverage& other) noexcept {
    for (std::size_t i = 0; i < kMishaps; ++i) mishaps[i] += other.mishaps[i];
    for (std::size_t i = 0; i < kDropReasons; ++i) dropped[i] += other.dropped[i];
    for (std::size_t i = 0; i < wire::kSubstitutes; ++i) degraded[i] += other.degraded[i];
    no_buffer += other.no_buffer;
    not_taken += other.not_taken;
    again += other.again;
    resends += other.resends;
    broker_lost += other.broker_lost;
    cancelled += other.cancelled;
    executed_again += other.executed_again;
    polls_out += other.polls_out;
    polls_down += other.polls_down;
    probes += other.probes;
    skill_probes += other.skill_probes;
    shadow += other.shadow;
    copied += other.copied;
    parts += other.parts;
    pieces += other.pieces;
    asked += other.asked;
    events += other.events;
    return *this;
  }
};

}  // namespace mcplane::sim
