// The table of next hops: what egress writes over a frame.
#include "state/neighbour_table.h"

#include <gtest/gtest.h>

#include <array>

namespace mcplane::state {
namespace {

using Start = std::array<std::byte, 8>;

Start written(const NeighbourTable& table, NeighbourId id) {
  Start frame;
  frame.fill(std::byte{0xee});
  table.write_mac(id, frame.data());
  return frame;
}

Start bytes(std::array<int, 8> values) {
  Start start{};
  for (std::size_t i = 0; i < start.size(); ++i) start[i] = static_cast<std::byte>(values[i]);
  return start;
}

TEST(NeighbourTable, WritesSixBytesOfWhatIsKnown) {
  NeighbourTable table(3);
  table.set(NeighbourId{3}, {2, 4, 6, 8, 10, 12});
  EXPECT_EQ(written(table, NeighbourId{3}), bytes({2, 4, 6, 8, 10, 12, 0xee, 0xee}));
  table.set(NeighbourId{3}, {0, 0, 0, 0, 0, 1});
  EXPECT_EQ(written(table, NeighbourId{3}), bytes({0, 0, 0, 0, 0, 1, 0xee, 0xee}));
  EXPECT_EQ(table.find(NeighbourId{3}), (wire::MacAddress{0, 0, 0, 0, 0, 1}));
}

TEST(NeighbourTable, LeavesTheFrameAloneWhereNothingIsKnown) {
  NeighbourTable table(3);
  table.set(NeighbourId{2}, {2, 4, 6, 8, 10, 12});
  table.clear(NeighbourId{2});
  for (const auto id : {kNoNeighbour, NeighbourId{1}, NeighbourId{2}, NeighbourId{3}}) {
    EXPECT_EQ(written(table, id), bytes({0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee}));
    EXPECT_FALSE(table.find(id));
  }
}

}  // namespace
}  // namespace mcplane::state
