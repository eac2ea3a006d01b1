// A prober without a network.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "control/workers/prober.h"

namespace mcplane::control {

// Answers as `good` has it, by the port asked for, or not at all; at the next poll.
class FakeProber : public Prober {
 public:
  bool try_ask(ProbeRequest request) override {
    if (full) return false;
    asked.push_back(request);
    if (silent) return true;
    const bool is_good = good[request.probe.port];
    answers.push_back({request.number, request.session, is_good, is_good ? "HTTP 200" : "HTTP 503"});
    return true;
  }
  void take_answers(std::vector<ProbeAnswer>& taken) override {
    taken.insert(taken.end(), answers.begin(), answers.end());
    answers.clear();
  }

  std::map<std::uint16_t, bool> good;
  bool full = false, silent = false;
  std::vector<ProbeRequest> asked;
  std::vector<ProbeAnswer> answers;
};

}  // namespace mcplane::control
