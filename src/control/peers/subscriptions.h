// Who subscribes to what, as endpoints said it; what the cores match by is made of it (state/topic_tree.h).
// Pure; control thread. Sessions and numbers are in order, so that the same subscriptions make the same tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/types.h"

namespace mcplane::control {

class Subscriptions {
 public:
  static constexpr std::size_t kOfSessionMax = 1'024, kMax = 65'536;

  struct Subscription {
    std::string topic, group;

    friend bool operator==(const Subscription&, const Subscription&) = default;
  };
  using OfSession = std::map<std::uint32_t, Subscription>;  // by number

  // In the place of the one with that number. False when there is no room.
  bool try_set(SessionId session, std::uint32_t number, std::string_view topic, std::string_view group);
  void remove(SessionId session, std::uint32_t number);
  void remove_all(SessionId session);

  const std::map<std::uint32_t, OfSession>& by_session() const noexcept { return by_session_; }  // SessionId::value
  std::size_t size() const noexcept { return size_; }
  // Counts changes.
  std::uint64_t version() const noexcept { return version_; }

 private:
  std::map<std::uint32_t, OfSession> by_session_;  // none is empty
  std::size_t size_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace mcplane::control
