// AnswerCache against a plain map: what it finds is the last that was stored, and it loses nothing that it has room
// for.
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "dataplane/answer_cache.h"
#include "property/dataplane_properties.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint64_t kQuestions = 40;        // few enough that no set of the index has more than its ways
constexpr std::size_t kAnswerBytesMax = 9'300;  // some are too long to be kept
constexpr std::size_t kRecordBytes = 32;        // an answer's own, rounded up

struct Stored {
  std::vector<std::byte> answer;
  std::uint64_t at_ns = 0, written = 0;  // bytes of all answers before it
};

}  // namespace

bool check_answer_cache() {
  return rc::check("an answer is found while there is room, and is the last one stored", [] {
    AnswerCache cache(AnswerCache::kBytesMin, 1, {1, 2});
    std::unordered_map<Question, Stored> model;
    std::uint64_t written = 0, now_ns = 1;
    const auto steps = *rc::gen::inRange(1, 200);
    for (int step = 0; step < steps; ++step) {
      now_ns += *rc::gen::inRange<std::uint64_t>(0, 100);
      const Question question = *rc::gen::inRange<Question>(1, kQuestions);
      if (*rc::gen::inRange(0, 3) == 0) {
        const auto length = *rc::gen::inRange<std::size_t>(0, kAnswerBytesMax);
        const std::vector<std::byte> answer(length, static_cast<std::byte>(step));
        cache.store(question, answer, now_ns);
        if (length > AnswerCache::kAnswerBytesMax) continue;
        model[question] = {answer, now_ns, written};
        written += length + kRecordBytes;
        continue;
      }
      const std::uint64_t since_ns =
          now_ns - std::min<std::uint64_t>(now_ns, *rc::gen::inRange<std::uint64_t>(0, 2'000));
      const auto found = cache.find(question, since_ns);
      const auto known = model.find(question);
      const bool fresh = known != model.end() && known->second.at_ns >= since_ns;
      if (found) {
        RC_ASSERT(fresh);
        RC_ASSERT(std::ranges::equal(*found, known->second.answer));
      } else if (fresh) {
        // Once round the log, less the piece at its end that the longest answer did not fit into.
        RC_ASSERT(written - known->second.written + AnswerCache::kAnswerBytesMax + kRecordBytes > cache.log_bytes());
      }
    }
  });
}

}  // namespace mcplane::dataplane
