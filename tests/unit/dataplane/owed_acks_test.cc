// What workers are owed: the oldest leaves first, whatever lies in the session and what in the ring; what has waited is
// found in the order it came, also where workers leave and others take their sessions' places.
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/acks.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kCapacity = 4;

class OwedAcksTest : public ::testing::Test {
 protected:
  Session& install(std::uint32_t index, std::uint32_t generation = 1) {
    state::SessionRecord record;
    record.id = SessionId::make(index, generation);
    record.worker = WorkerId{index};
    return sessions.install(record);
  }
  // How many it takes.
  std::uint32_t fill(Session& worker) {
    std::uint32_t number = 0;
    while (owed.add(worker, number + 1, 0)) ++number;
    return number;
  }
  std::vector<std::uint32_t> due(std::uint32_t latest_ms) {
    std::vector<std::uint32_t> workers;
    while (Session* const worker = owed.take_due(sessions, latest_ms)) {
      workers.push_back(worker->record.id.index());
      while (owed.take(*worker) != 0) continue;
    }
    return workers;
  }

  SessionTable sessions{16};
  OwedAcks owed{kCapacity};
};

TEST_F(OwedAcksTest, TheOldestLeavesFirst) {
  Session& worker = install(0);
  EXPECT_EQ(owed.take(worker), 0U);
  std::uint32_t added = 0, taken = 0;
  // Ever more of them, so that the ring goes round with every number of them in it.
  for (std::uint32_t most = 1; most < 10; ++most)
    for (int round = 0; round < 20; ++round) {
      while (added - taken < most) EXPECT_TRUE(owed.add(worker, ++added, 0));
      EXPECT_EQ(owed.take(worker), ++taken);
    }
  while (taken < added) EXPECT_EQ(owed.take(worker), ++taken);
  EXPECT_EQ(owed.take(worker), 0U);
}

TEST_F(OwedAcksTest, WhatFindsNoRoomIsSaidAndNothingIsLostOfTheRest) {
  Session& worker = install(1);
  EXPECT_FALSE(owed.add(worker, 0, 0));
  const std::uint32_t room = fill(worker);
  EXPECT_GT(room, 8U);
  EXPECT_TRUE(owed.add(install(2), 1, 0));
  for (std::uint32_t number = 1; number <= room; ++number) EXPECT_EQ(owed.take(worker), number);
  EXPECT_EQ(owed.take(worker), 0U);
  EXPECT_EQ(fill(worker), room);
}

TEST_F(OwedAcksTest, WhoHasWaitedIsFoundInTheOrderItCame) {
  for (const std::uint32_t index : {2U, 0U, 3U}) EXPECT_TRUE(owed.add(install(index), 7, 10 + index));
  EXPECT_FALSE(owed.empty());
  EXPECT_EQ(due(9), std::vector<std::uint32_t>{});
  // Whoever was looked at too early is looked at after the others.
  EXPECT_EQ(due(20), (std::vector<std::uint32_t>{0, 3, 2}));
  EXPECT_TRUE(owed.empty());
}

TEST_F(OwedAcksTest, WhatLeftMeanwhileIsNotDue) {
  Session& worker = install(0);
  EXPECT_TRUE(owed.add(worker, 1, 0));
  EXPECT_EQ(owed.take(worker), 1U);
  EXPECT_EQ(due(100), std::vector<std::uint32_t>{});
  EXPECT_TRUE(owed.empty());
  EXPECT_TRUE(owed.add(worker, 2, 100));
  EXPECT_EQ(due(100), std::vector<std::uint32_t>{0});
}

TEST_F(OwedAcksTest, AWorkerThatIsGoneIsPassedOverAndItsSuccessorOwesItNothing) {
  EXPECT_TRUE(owed.add(install(0), 1, 0));
  EXPECT_TRUE(owed.add(install(1), 2, 0));
  sessions.remove(SessionId::make(0, 1));
  Session& successor = install(0, 2);
  EXPECT_EQ(owed.take(successor), 0U);
  EXPECT_TRUE(owed.add(successor, 5, 0));
  EXPECT_EQ(due(0), (std::vector<std::uint32_t>{1, 0}));
}

TEST_F(OwedAcksTest, MoreThatComeAndGoThanThereIsRoomForAreToldOtherwise) {
  std::uint32_t generation = 1;
  for (; generation <= kCapacity; ++generation) EXPECT_TRUE(owed.add(install(0, generation), 1, 0));
  Session& last = install(0, generation);
  EXPECT_FALSE(owed.add(last, 1, 0));
  EXPECT_EQ(owed.take(last), 0U);
  // Once those before it are out of the way it has its turn.
  EXPECT_EQ(due(0), std::vector<std::uint32_t>{});
  EXPECT_TRUE(owed.add(last, 2, 0));
  EXPECT_EQ(due(0), std::vector<std::uint32_t>{0});
}

TEST_F(OwedAcksTest, SessionsAreCounted) {
  install(0);
  install(3);
  install(3, 2);
  EXPECT_EQ(sessions.count(), 2U);
  sessions.remove(SessionId::make(3, 1));
  EXPECT_EQ(sessions.count(), 2U);
  sessions.remove(SessionId::make(3, 2));
  EXPECT_EQ(sessions.count(), 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
