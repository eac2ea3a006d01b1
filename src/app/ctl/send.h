// `mcplane-ctl send`: one task from flags or a JSON file, its answer as it comes, and where its time went. Main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "app/command_line/cli.h"
#include "base/types.h"
#include "mcplane/task.h"

namespace mcplane::app {

struct SendFlags {
  std::string broker = {};
  std::string file = {};  // "-": stdin; empty: the task is made of the flags below
  std::string id = {}, action = {}, prompt = {}, model = {};
  std::vector<std::string> tags = {};
  std::vector<std::string> history = {};  // "role:content"
  std::uint64_t ttl_ns = 30 * kNsPerSecond;
  std::uint8_t priority = 1;
  bool idempotent = false;
  bool shadow = false;
  std::string affinity{};
  std::string traceparent{}, otlp_endpoint{}, trace_path{};
  bool json = false;
  std::uint64_t connect_timeout_ns = 5 * kNsPerSecond;
};

void add_send_flags(CLI::App& command, SendFlags& flags);
// --broker and --connect-timeout, of every command that is a client; and a line when the former cannot be meant so.
void add_broker_flags(CLI::App& command, std::string& broker, std::uint64_t& connect_timeout_ns);
std::string broker_mistake(const std::string& broker);

// Reads `input` when the file is "-".
Parsed<Task> make_task(const SendFlags& flags, std::istream& input);

// Registers, sends, waits for the outcome, prints. Returns the exit code.
int run_send(const SendFlags& flags);

}  // namespace mcplane::app
