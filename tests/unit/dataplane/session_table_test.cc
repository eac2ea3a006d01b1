#include "dataplane/session_table.h"

#include <gtest/gtest.h>

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kCapacity = 8;

state::SessionRecord record_of(std::uint32_t index, std::uint32_t generation) {
  state::SessionRecord record;
  record.id = SessionId::make(index, generation);
  return record;
}

// Whatever a frame may name, the first slot's and the last slot's ids and none at all among it.
void expect_only(SessionTable& sessions, SessionId live) {
  for (std::uint32_t index = 0; index < 2 * kCapacity; ++index)
    for (const std::uint32_t generation : {0U, 1U, 2U, SessionId::kGenerationMax}) {
      const SessionId id = SessionId::make(index, generation);
      EXPECT_EQ(sessions.find(id) != nullptr, live && id == live) << id.value;
    }
  EXPECT_EQ(sessions.find({0xffffffff}), nullptr);
}

TEST(SessionTable, FindsNobodyInAnEmptyTable) {
  SessionTable sessions(kCapacity);
  expect_only(sessions, {});
}

TEST(SessionTable, FindsWhoLivesAndNoLongerWhoIsEnding) {
  for (const std::uint32_t index : {0U, 1U, kCapacity - 1}) {
    SessionTable sessions(kCapacity);
    const SessionId id = SessionId::make(index, 1);
    Session& session = sessions.install(record_of(index, 1));
    expect_only(sessions, id);
    EXPECT_EQ(sessions.find(id), &session);
    sessions.end(session);
    expect_only(sessions, {});
    EXPECT_EQ(sessions.find_any(id), &session);
    sessions.remove(id);
    expect_only(sessions, {});
    EXPECT_EQ(sessions.find_any(id), nullptr);
    EXPECT_EQ(sessions.count(), 0);
    sessions.install(record_of(index, 2));
    expect_only(sessions, SessionId::make(index, 2));
  }
}

}  // namespace
}  // namespace mcplane::dataplane
