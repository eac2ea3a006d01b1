// What workers say of their health in a run: each is sick at times until the heal, answers come late, some never, and
// some after control has given them up. Decided by hashes of the seed, so runs without probes draw what they ever did.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "base/random.h"
#include "control/workers/probes.h"
#include "options.h"

namespace mcplane::sim {

class Prober final : public control::Prober {
 public:
  explicit Prober(std::uint64_t seed) : seed_(seed) {}

  void set_time(std::uint64_t now_ns) noexcept { now_ns_ = now_ns; }
  // From now on everybody is well, and says so in time.
  void heal() noexcept { healed_ = true; }

  bool try_ask(control::ProbeRequest request) override {
    const std::uint64_t dice = hash(request.number);
    if (!healed_ && dice % 64 == 0) return false;
    if (!healed_ && dice % 64 == 1) return true;
    const bool late = !healed_ && dice % 64 == 2;
    const std::uint64_t after_ns = late ? control::Probes::kGiveUpNs + 2 * request.timeout_ns : request.timeout_ns / 2;
    const bool sick = !healed_ && hash(now_ns_ / kSpellNs * 31 + request.probe.port) % 2 == 0;
    answers_.emplace_back(now_ns_ + after_ns, control::ProbeAnswer{request.number, request.session, !sick, "as drawn"});
    return true;
  }
  void take_answers(std::vector<control::ProbeAnswer>& answers) override {
    const auto due = [this](const auto& answer) { return answer.first > now_ns_; };
    const auto first = std::stable_partition(answers_.begin(), answers_.end(), due);
    for (auto answer = first; answer != answers_.end(); ++answer) answers.push_back(std::move(answer->second));
    answers_.erase(first, answers_.end());
  }

 private:
  static constexpr std::uint64_t kSpellNs = 100 * kNsPerMs;  // sick or well, at least

  std::uint64_t hash(std::uint64_t what) const noexcept { return mix64(seed_ ^ mix64(what)); }

  const std::uint64_t seed_;
  std::uint64_t now_ns_ = 0;
  bool healed_ = false;
  std::vector<std::pair<std::uint64_t, control::ProbeAnswer>> answers_;  // when, what
};

}  // namespace mcplane::sim
