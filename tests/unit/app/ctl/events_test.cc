// What `mcplane-ctl sub` prints and `mcplane-ctl pub` takes, without a broker.
#include "app/ctl/events.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace mcplane::app {
namespace {

TEST(CtlSub, AnEventIsOneLineWhateverItHolds) {
  EXPECT_EQ(event_line({"a.b", "hi there"}, false), "a.b hi there\n");
  EXPECT_EQ(event_line({"a.b", "two\nlines\x1b[2J"}, false), "a.b two?lines?[2J\n");
  EXPECT_EQ(event_line({"a.b", ""}, false), "a.b \n");
  EXPECT_EQ(event_line({"a.b", "two\nlines"}, true), "{\"topic\":\"a.b\",\"payload\":\"two\\nlines\"}\n");
  EXPECT_EQ(event_line({"a", "\xff"}, true), "{\"topic\":\"a\",\"payload\":\"\xef\xbf\xbd\"}\n");
}

TEST(CtlSub, TheTotalSaysWhatWasMissed) {
  EXPECT_EQ(total_line(5, 2, false), "5 events, 2 missed\n");
  EXPECT_EQ(total_line(1, 0, false), "1 event, 0 missed\n");
  EXPECT_EQ(total_line(5, 2, true), "{\"received\":5,\"missed\":2}\n");
}

TEST(CtlPub, ThePayloadIsTypedOrRead) {
  std::istringstream input("not this");
  EXPECT_EQ(payload_of({.topic = "a", .payload = "typed"}, input), "typed");
  std::istringstream bytes(std::string("from\0stdin\n", 11));
  EXPECT_EQ(payload_of({.topic = "a", .payload = "-"}, bytes), std::string("from\0stdin\n", 11));
}

}  // namespace
}  // namespace mcplane::app
