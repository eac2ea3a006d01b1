// The configurations that were applied, newest last, and which of them runs: each applied text is a generation with a
// number of its own, never changed afterwards. Going back makes a new generation of an old text, so numbers only grow.
// A generation on trial goes back by itself unless somebody confirms it, as in Junos' `commit confirmed`.
// Control thread; time is an argument. Restart keys keep the value they had at start, whatever is applied later.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/settings.h"

namespace mcplane::control {

// One key as it stands.
struct ConfigValue {
  std::string key;     // "breaker.window", "route[generate].rate"
  std::string value;   // as it would be typed; equal values have equal texts
  std::string origin;  // "flag", "MCPLANE_MTU", "/etc/mcplane.toml:3:7", "default"
  bool hot = true;     // false: holds from the next start
};

// A file's text, read whole and found sound.
struct ConfigDocument {
  std::string text;
  std::string origin;  // path of the file; "": none
  std::shared_ptr<const Settings> settings = std::make_shared<const Settings>();
  std::vector<ConfigValue> values;  // every key
};

// One key in which two configurations differ; "" where one of them has no such key.
struct ConfigChange {
  std::string key, before, after;
  bool hot = true;
};

// Key by key, in the order of `after`. Keys that only one has and nobody set make no line.
std::vector<ConfigChange> changes_between(const std::vector<ConfigValue>& before,
                                          const std::vector<ConfigValue>& after);

struct ConfigAuthor {
  std::string by;  // who, as they say
  std::string how = "start";
  std::uint64_t unix_s = 0;  // seconds since 1970
};

struct ConfigGeneration {
  std::uint64_t number = 1;
  ConfigDocument document;
  ConfigAuthor author;
};

class ConfigHistory {
 public:
  static constexpr std::size_t kKept = 16;  // the one to go back to besides

  // Generation 1.
  explicit ConfigHistory(ConfigDocument start);

  const ConfigGeneration& running() const noexcept { return *generations_.back(); }
  const std::deque<std::shared_ptr<const ConfigGeneration>>& kept() const noexcept { return generations_; }

  // Runs it from now on, for good when confirm_within_ns is 0; else until then, unless it is confirmed. Whatever was on
  // trial is superseded: confirmed by a change for good, part of the same trial with another one on trial.
  void apply(ConfigDocument document, ConfigAuthor author, std::uint64_t now_ns, std::uint64_t confirm_within_ns = 0);
  // False: nothing is on trial.
  bool confirm() noexcept;
  // Runs the text of an earlier generation again; without a number, that of the one that goes back by itself, or else
  // the one before. False: it is not kept, or there is none.
  bool roll_back(std::optional<std::uint64_t> number, ConfigAuthor author, std::uint64_t now_ns);
  // True: the trial is over and its text gone.
  bool tick(std::uint64_t now_ns);

  // Until the running generation goes back by itself; empty: it stays.
  std::optional<std::uint64_t> trial_left_ns(std::uint64_t now_ns) const noexcept;
  // What holds now: the running generation's hot keys, the start's restart keys.
  std::vector<ConfigValue> values() const;
  // Restart keys that the running text sets differently, and the next start would take.
  std::vector<ConfigChange> pending() const;
  // From what holds now.
  std::vector<ConfigChange> changes_to(const ConfigDocument& document) const;

 private:
  struct Trial {
    std::shared_ptr<const ConfigGeneration> fallback;
    std::uint64_t start_ns, end_ns;
  };

  void push(ConfigDocument document, ConfigAuthor author);

  std::vector<ConfigValue> start_values_;
  std::deque<std::shared_ptr<const ConfigGeneration>> generations_;  // never empty
  std::optional<Trial> trial_;                                       // of the running generation
};

}  // namespace mcplane::control
