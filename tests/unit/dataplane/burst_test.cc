// How many frames a core takes at once: few while it keeps up, so that none waits for others, and more the longer it is
// behind.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class BurstTest : public PairTest {
 protected:
  BurstTest() {
    options.burst = 8;
    options.burst_at_ease = 2;
  }
  // So many SENDs wait on the wire.
  void wait(std::uint16_t frames) {
    for (std::uint16_t i = 0; i < frames; ++i) rig().send(rig().send_spec(*client, next_slot_++, 1));
  }
  // Of each loop, until nothing waits: the SENDs it took.
  std::vector<std::size_t> taken() {
    std::vector<std::size_t> all;
    while (const std::size_t count = this->count(step(), FrameType::Route)) all.push_back(count);
    return all;
  }

 private:
  std::uint16_t next_slot_ = 0;
};

TEST_F(BurstTest, ACoreThatKeepsUpTakesFewAtOnce) {
  start(256);
  wait(5);
  EXPECT_EQ(taken(), (std::vector<std::size_t>{2, 2, 1}));
  wait(3);
  EXPECT_EQ(taken(), (std::vector<std::size_t>{2, 1}));
}

TEST_F(BurstTest, OneThatIsBehindTakesTwiceAsManyEachTime) {
  start(256);
  wait(16 * 2 + 16 * 4 + 20);
  std::vector<std::size_t> want(16, 2);
  want.insert(want.end(), 16, 4);
  want.insert(want.end(), {8, 8, 4});
  EXPECT_EQ(taken(), want);
}

TEST_F(BurstTest, AndHalfAsManyOnceItIsNot) {
  start(256);
  wait(16 * 2 + 16 * 4 + 8);
  EXPECT_EQ(taken().back(), 8U);  // and the last loop found none
  wait(9);
  EXPECT_EQ(taken(), (std::vector<std::size_t>{4, 4, 1}));
  wait(5);
  EXPECT_EQ(taken(), (std::vector<std::size_t>{2, 2, 1})) << "never fewer than at ease";
}

}  // namespace
}  // namespace mcplane::dataplane
