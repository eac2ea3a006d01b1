// A session between frames of a broker that the test makes and the clock it moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "client/session.h"
#include "harness.h"

namespace mcplane::client {

class SessionTest : public testing::Test {
 protected:
  void make(wire::HelloBody hello) { session_.emplace(kBroker, std::move(hello), kMtuBytes, Random(7)); }
  void receive(const Frame& frame) { session_->on_frame(frame.bytes(), now_, out_); }
  // Lets time pass to the session's next timer.
  void fire() {
    now_ = std::max(now_, session_->next_timer_ns());
    session_->on_timer(now_, out_);
  }
  void register_with(const Life& life) {
    if (session_->state() == SessionState::kIdle) session_->start(now_, out_);
    receive(test::retry(++cookies_, life));
    receive(test::welcome(life));
    out_.clear();
    ASSERT_EQ(session_->state(), SessionState::kRegistered);
  }

  Outbox out_;
  std::uint64_t now_ = kStart;
  std::uint32_t cookies_ = 0;
  std::optional<Session> session_;
};

}  // namespace mcplane::client
