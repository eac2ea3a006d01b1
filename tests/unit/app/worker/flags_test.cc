#include "app/worker/flags.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mcplane::app {
namespace {

WorkerCommand parse_worker(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "mcplane-worker");
  return parse_worker_command(static_cast<int>(arguments.size()), arguments.data());
}

TEST(WorkerFlags, Defaults) {
  const auto command = parse_worker({"--broker", "10.0.0.1", "--backend", "echo"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_EQ(command.options.broker, "10.0.0.1");
  EXPECT_EQ(command.options.actions, std::vector<std::string>({"generate"}));
  EXPECT_EQ(command.options.slots, 1);
  EXPECT_EQ(command.options.probe, "heartbeat");
  EXPECT_EQ(command.options.connect_timeout, std::chrono::seconds(5));
  EXPECT_NE(command.backend, nullptr);
}

TEST(WorkerFlags, RepeatedFlagsAddUp) {
  const auto command = parse_worker({"--broker",  "[fd00::1]:5000",
                                     "--backend", "exec:cat",
                                     "--action",  "a",
                                     "--action",  "b",
                                     "--model",   "m",
                                     "--tag",     "gpu",
                                     "--slots",   "64",
                                     "--name",    "w1",
                                     "--probe",   "grpc:9000/my.Service",
                                     "--shadow",  "--json"});
  ASSERT_FALSE(command.stop) << command.stop->text;
  EXPECT_EQ(command.options.actions, std::vector<std::string>({"a", "b"}));
  EXPECT_EQ(command.options.models, std::vector<std::string>({"m"}));
  EXPECT_EQ(command.options.tags, std::vector<std::string>({"gpu"}));
  EXPECT_EQ(command.options.slots, 64);
  EXPECT_EQ(command.options.probe, "grpc:9000/my.Service");
  EXPECT_TRUE(command.options.shadow);
  EXPECT_TRUE(command.json);
}

TEST(WorkerFlags, MistakesAreExit2AndOneLine) {
  struct Case {
    std::vector<const char*> typed;
    std::string_view says;
  };
  const std::string long_name(65, 'x');
  for (const auto& [typed, says] : std::vector<Case>{
           {{"--backend", "echo"}, "--broker is missing; type --broker HOST"},
           {{"--broker", "10.0.0.1"}, "--backend is missing; type --backend echo"},
           {{"--broker", "10.0.0.1:0", "--backend", "echo"}, "port is not 1 to 65535"},
           {{"--broker", "10.0.0.1", "--backend", "eccho"}, "type echo or exec:COMMAND"},
           {{"--broker", "10.0.0.1", "--backend", "echo", "--slots", "0"}, "type 1 to 1024"},
           {{"--broker", "10.0.0.1", "--backend", "echo", "--tag", long_name.c_str()}, "type 1 to 64 bytes"},
           {{"--broker", "10.0.0.1", "--backend", "echo", "--action", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"},
            "more than 16 times"},
           {{"--broker", "10.0.0.1", "--backend", "echo", "--probe", "http:9000"}, "has no path behind its port"},
           {{"--broker", "10.0.0.1", "--backend", "echo", "--slot", "2"}, "did you mean --slots?"},
       }) {
    const auto command = parse_worker(typed);
    ASSERT_TRUE(command.stop) << says;
    EXPECT_EQ(command.stop->exit_code, kExitUsage);
    EXPECT_NE(command.stop->text.find(says), std::string::npos) << command.stop->text;
    EXPECT_EQ(command.stop->text.find('\n'), std::string::npos) << command.stop->text;
  }
}

TEST(WorkerFlags, LinesForPeopleAndForPrograms) {
  auto command = parse_worker({"--broker", "10.0.0.1", "--backend", "echo", "--slots", "2"});
  EXPECT_EQ(
      registered_line(command, 0x1a2b3c),
      "mcplane-worker: node 001a2b3c at broker 10.0.0.1 offers generate, 2 at once; next: mcplane-ctl send --broker "
      "10.0.0.1 --action generate --prompt hi");
  EXPECT_EQ(stopped_line(command, 7), "mcplane-worker: stopped after 7 tasks");
  command.options.shadow = true;
  EXPECT_NE(registered_line(command, 1).find("--action generate --shadow --prompt hi"), std::string::npos);
  command.json = true;
  const auto registered = nlohmann::json::parse(registered_line(command, 0x1a2b3c));
  EXPECT_EQ(registered.at("event"), "registered");
  EXPECT_EQ(registered.at("node_id"), "001a2b3c");
  EXPECT_EQ(registered.at("actions"), nlohmann::json({"generate"}));
  EXPECT_EQ(registered.at("slots"), 2);
  EXPECT_EQ(registered.at("shadow"), true);
  EXPECT_EQ(stopped_line(command, 7), R"({"event":"stopped","tasks_done":7})");
}

}  // namespace
}  // namespace mcplane::app
