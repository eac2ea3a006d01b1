#include "wire/route_table.h"

#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/header.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using Tags = std::vector<std::string>;

const std::string kLongest(kNameBytesMax, 'n'), kTooLong(kNameBytesMax + 1, 'n');

// write_route_table() refuses what is beyond the limits, so bytes that break them are made by hand.
Bytes raw_table(const char* action, const Tags& tags = {}, const char* model = nullptr, const char* id = nullptr) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<flatbuffers::String>> offsets;
  for (const auto& tag : tags) offsets.push_back(builder.CreateString(tag));
  builder.Finish(fb::CreateRouteTableDirect(builder, action, model, &offsets, id));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

TEST(RouteTable, ReadsWhatWasWritten) {
  const Tags tags = {"gpu", "eu-west"};
  const Bytes table = write_route_table("generate", "llama", tags, "task-1");
  EXPECT_EQ(table.size() % 4, 0U);
  const auto route = read_route_table(table);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->action, "generate");
  EXPECT_EQ(route->model, "llama");
  EXPECT_EQ(route->task_id_text, "task-1");
  EXPECT_EQ(Tags(route->tag_list().begin(), route->tag_list().end()), tags);
}

TEST(RouteTable, AbsentFieldsAreEmpty) {
  const Bytes table = write_route_table("a", "", {}, "");
  const auto route = read_route_table(table);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->action, "a");
  EXPECT_EQ(route->model, "");
  EXPECT_EQ(route->task_id_text, "");
  EXPECT_TRUE(route->tag_list().empty());
}

TEST(RouteTable, TheFullestFits) {
  const Tags tags(kTagsMax, kLongest);
  ASSERT_TRUE(route_within_limits(kLongest, kLongest, tags, kLongest));
  const Bytes table = write_route_table(kLongest, kLongest, tags, kLongest);
  EXPECT_LE(table.size(), kTableBytesMax);
  ASSERT_TRUE(read_route_table(table));
  EXPECT_EQ(read_route_table(table)->tag_count, kTagsMax);
}

TEST(RouteTable, LimitsHoldBothWays) {
  struct Case {
    const char* what;
    std::string action;
    Tags tags;
    std::string model, id;
  };
  for (const Case& one : std::vector<Case>{{"no action", "", {}, "", ""},
                                           {"long action", kTooLong, {}, "", ""},
                                           {"control byte in action", "a\n", {}, "", ""},
                                           {"DEL in action", "a\x7f", {}, "", ""},
                                           {"long model", "a", {}, kTooLong, ""},
                                           {"control byte in model", "a", {}, "\x1f", ""},
                                           {"long id", "a", {}, "", kTooLong},
                                           {"empty tag", "a", {""}, "", ""},
                                           {"long tag", "a", {"x", kTooLong}, "", ""},
                                           {"control byte in tag", "a", {"x\t"}, "", ""},
                                           {"nine tags", "a", Tags(9, "x"), "", ""}}) {
    EXPECT_FALSE(route_within_limits(one.action, one.model, one.tags, one.id)) << one.what;
    EXPECT_FALSE(read_route_table(raw_table(one.action.c_str(), one.tags, one.model.c_str(), one.id.c_str())))
        << one.what;
  }
  // The same by hand with nothing wrong, so that the cases above fail for their own reason.
  EXPECT_TRUE(read_route_table(raw_table("a", {"x"}, "m", "i")));
  EXPECT_TRUE(read_route_table(raw_table("caf\xc3\xa9")));
}

TEST(RouteTable, UnsoundBytesAreRefused) {
  EXPECT_FALSE(read_route_table({}));
  EXPECT_FALSE(read_route_table(Bytes(3)));
  EXPECT_FALSE(read_route_table(Bytes(64)));
  EXPECT_FALSE(read_route_table(Bytes(64, std::byte{0xff})));
  // A table without the required action, which the generated builder would refuse to write.
  flatbuffers::FlatBufferBuilder builder;
  const auto start = builder.StartTable();
  builder.Finish(flatbuffers::Offset<fb::RouteTable>(builder.EndTable(start)));
  EXPECT_FALSE(read_route_table(std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()))));
  const Bytes table = write_route_table("generate", "llama", Tags{"gpu"}, "task-1");
  // The action was written first, so it lies last: 8 bytes, a terminator, 3 of padding.
  for (std::size_t length = 0; length < table.size() - 3; ++length) {
    const Bytes part(table.begin(), table.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(read_route_table(part)) << length;
  }
  Bytes oversized = table;
  oversized.resize(kTableBytesMax + 4);
  EXPECT_FALSE(read_route_table(oversized));
  Bytes shifted(table.size() + 1);
  std::ranges::copy(table, shifted.begin() + 1);
  EXPECT_FALSE(read_route_table(std::span(shifted).subspan(1))) << "not aligned";
}

TEST(RouteTableDeath, WritingBeyondTheLimitsIsACheck) {
  EXPECT_DEATH(write_route_table("", "", {}, ""), "does not hold");
}

}  // namespace
}  // namespace mcplane::wire
