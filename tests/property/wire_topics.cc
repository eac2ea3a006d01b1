// A pattern matches what a matcher that tries every way says it does, and tables keep every byte.
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "property/wire_properties.h"
#include "wire/topic.h"

namespace mcplane::wire {
namespace {

using Tokens = std::vector<std::string>;

// Few different tokens, so that chance makes matches.
Tokens any_tokens(const std::vector<std::string>& of) {
  return *rc::gen::resize(6, rc::gen::nonEmpty(rc::gen::container<Tokens>(rc::gen::elementOf(of))));
}
std::string joined(const Tokens& tokens) {
  std::string text;
  for (const auto& token : tokens) text += (text.empty() ? "" : ".") + token;
  return text;
}

bool naive(const std::string* wanted, const std::string* wanted_end, const std::string* given,
           const std::string* given_end) {
  if (wanted == wanted_end) return given == given_end;
  if (given == given_end) return false;
  if (*wanted == ">")
    return naive(wanted + 1, wanted_end, given + 1, given_end) || naive(wanted, wanted_end, given + 1, given_end);
  return (*wanted == "*" || *wanted == *given) && naive(wanted + 1, wanted_end, given + 1, given_end);
}

void matches_as_the_naive_matcher() {
  Tokens wanted = any_tokens({"a", "b", "*"});
  if (*rc::gen::arbitrary<bool>()) wanted.back() = ">";
  const Tokens given = any_tokens({"a", "b"});
  const bool expected = naive(wanted.data(), wanted.data() + wanted.size(), given.data(), given.data() + given.size());
  RC_TAG(expected);
  RC_ASSERT(topic_matches(joined(wanted), joined(given)) == expected);
}

void tables_keep_every_byte() {
  const std::string topic = joined(any_tokens({"jobs", "eu", "~"})), group = joined(any_tokens({"g", " "}));
  const auto table = write_subscription(topic, group), publication = write_publication(topic);
  const auto subscription = read_subscription(table);
  RC_ASSERT(subscription && subscription->topic == topic && subscription->group == group);
  const auto tokens = read_publication(publication);
  RC_ASSERT(tokens && joined({tokens->list().begin(), tokens->list().end()}) == topic);
}

}  // namespace

bool check_topics() {
  bool ok = rc::check("a pattern matches as the naive matcher says", matches_as_the_naive_matcher);
  ok &= rc::check("a subscription and a publication read as written", tables_keep_every_byte);
  return ok;
}

}  // namespace mcplane::wire
