// Each of the 255 edits of each byte of a sound frame of each type. Checksums are made right again, so that MCP
// itself has to stand them. A HELLO's padding is cut off: nobody reads it.
#include <gtest/gtest.h>

#include <set>

#include "support/frame_builder.h"
#include "support/wire_inspection.h"

namespace mcplane::wire {
namespace {

TEST(Edit, OneByteHarmsNobody) {
  std::set<DropReason> reasons;
  for (const auto type : testing::all_types()) {
    testing::FrameSpec spec = testing::sample_spec(type);
    if (type == FrameType::Hello) spec.payload.clear();
    testing::Bytes frame = build_frame(spec);
    for (std::size_t at = 0; at < frame.size(); ++at)
      for (int flip = 1; flip < 256; ++flip) {
        testing::Bytes edited = frame;
        edited[at] ^= static_cast<std::byte>(flip);
        testing::refresh_checksums(edited);
        testing::inspect_frame(edited);
        reasons.insert(testing::parse(edited).reason);
      }
  }
  // One byte is enough to reach every reason of the MCP header group.
  for (const auto reason : {DropReason::kNone, DropReason::kShortHeader, DropReason::kBadMagic, DropReason::kBadVersion,
                            DropReason::kBadType, DropReason::kBadFlags, DropReason::kBadLength, DropReason::kSealed,
                            DropReason::kBadFragment, DropReason::kBadField, DropReason::kBadTable})
    EXPECT_TRUE(reasons.contains(reason)) << name_of(reason);
}

}  // namespace
}  // namespace mcplane::wire
