// Each mistake is exit code 2 and one line with a hint; the help shows groups, units and defaults.
#include "app/command_line/cli.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "app/command_line/mistake.h"

namespace mcplane::app {
namespace {

// A program with one flag of each form, and a command.
struct Program {
  std::uint64_t delay_ns = 1'000'000;
  std::uint64_t room_bytes = 1 << 20;
  double rate = 0;
  std::uint16_t burst = 32;
  std::string name = "nobody";
  std::vector<std::string> tags;
  bool loud = false;
  std::string text;  // of the command

  std::optional<Stop> parse(std::vector<const char*> arguments) {
    CLI::App app("Does things.", "prog");
    set_conventions(app);
    app.option_defaults()->group("Limits");
    add_duration(app, "--delay", delay_ns, "Wait", {1'000, 1'000'000'000});
    add_size(app, "--room", room_bytes, "Room");
    add_rate(app, "--rate", rate, "Rate");
    add_count(app, "--rx-burst", burst, "Frames at once", {1, 64});
    app.option_defaults()->group("Names");
    add_text(app, "--name", name, "NAME", "Name");
    add_texts(app, "--tag", tags, "NAME", "Tag, repeatable");
    add_switch(app, "--loud", loud, "Say more");
    app.require_subcommand(0, 1);
    CLI::App* const send = app.add_subcommand("send", "Sends");
    add_text(*send, "--text", text, "TEXT", "Text")->required();
    arguments.insert(arguments.begin(), "prog");
    return parse_command_line(app, static_cast<int>(arguments.size()), arguments.data());
  }
};

// Sets a variable for the life of a test.
struct Environment {
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  const char* name_;
};

TEST(CommandLine, TakesEveryForm) {
  Program program;
  ASSERT_FALSE(program.parse({"--delay", "5ms", "--room=64KiB", "--rate", "2k/s", "--rx-burst", "8", "--name", "-x",
                              "--tag", "a", "--tag", "b,c", "--loud", "send", "--text", "--hm"}));
  EXPECT_EQ(program.delay_ns, 5'000'000U);
  EXPECT_EQ(program.room_bytes, 65'536U);
  EXPECT_EQ(program.rate, 2'000);
  EXPECT_EQ(program.burst, 8);
  EXPECT_EQ(program.name, "-x");
  EXPECT_EQ(program.tags, std::vector<std::string>({"a", "b", "c"}));
  EXPECT_TRUE(program.loud);
  EXPECT_EQ(program.text, "--hm");
}

TEST(CommandLine, DefaultsStay) {
  Program program;
  ASSERT_FALSE(program.parse({}));
  EXPECT_EQ(program.delay_ns, 1'000'000U);
  EXPECT_EQ(program.burst, 32);
  EXPECT_EQ(program.name, "nobody");
}

TEST(CommandLine, MistakesAreOneLineWithAHint) {
  struct Case {
    std::vector<const char*> typed;
    std::string_view line;
  };
  for (const auto& [typed, line] : std::vector<Case>{
           {{"--rx-brust", "3"}, "prog: unknown flag --rx-brust; did you mean --rx-burst? (prog --help lists all)"},
           {{"--rx", "3"}, "prog: unknown flag --rx (prog --help lists all)"},
           {{"--rx-b"}, "prog: unknown flag --rx-b; did you mean --rx-burst? (prog --help lists all)"},
           {{"--zzzzzzzz=1"}, "prog: unknown flag --zzzzzzzz (prog --help lists all)"},
           {{"-q"}, "prog: unknown flag -q (prog --help lists all)"},
           {{"sned"}, "prog: unknown command 'sned'; did you mean send? (prog --help lists all)"},
           {{"send", "--txet", "a"}, "prog: unknown flag --txet; did you mean --text? (prog send --help lists all)"},
           {{"--text", "a", "send"}, "prog: --text goes behind its command; type prog send --text TEXT"},
           {{"send", "--text", "a", "--loud"}, "prog: --loud goes before the command; type prog --loud send"},
           {{"send", "--text", "a", "b"}, "prog: unexpected argument 'b' (prog send --help lists all)"},
           {{"send"}, "prog: --text is missing; type --text TEXT (prog send --help lists all)"},
           {{"--delay"}, "prog: --delay has no value; type --delay DURATION (prog --help lists all)"},
           {{"--delay", "5"}, "prog: --delay: '5' has no unit; type 5us, 5ms, 5s, 5m or 5h"},
           {{"--delay", "2s"}, "prog: --delay: '2s' is out of range; type 1us to 1s"},
           {{"--rx-burst", "65"}, "prog: --rx-burst: '65' is out of range; type 1 to 64"},
           {{"--rx-burst", "4294967297"}, "prog: --rx-burst: '4294967297' is out of range; type 1 to 64"},
           {{"--name", "a", "--name", "b"}, "prog: --name: is given 2 times; keep one"},
           {{"--tag", "a,,b"}, "prog: --tag: is empty; type a value"},
           {{"--loud=maybe"}, "prog: --loud is a switch; type true or false, or the flag alone"},
           {{"--what\never"}, "prog: unknown flag --what?ever (prog --help lists all)"},
       }) {
    const auto stop = Program().parse(typed);
    ASSERT_TRUE(stop) << line;
    EXPECT_EQ(stop->exit_code, kExitUsage);
    EXPECT_EQ(stop->text, line);
  }
}

TEST(CommandLine, TheEnvironmentIsReadUnlessTyped) {
  const Environment burst("MCPLANE_RX_BURST", "7");
  const Environment tags("MCPLANE_TAG", "a,b");
  const Environment loud("MCPLANE_LOUD", "true");
  Program from_environment;
  ASSERT_FALSE(from_environment.parse({}));
  EXPECT_EQ(from_environment.burst, 7);
  EXPECT_EQ(from_environment.tags, std::vector<std::string>({"a", "b"}));
  EXPECT_TRUE(from_environment.loud);
  Program typed;
  ASSERT_FALSE(typed.parse({"--rx-burst", "9"}));
  EXPECT_EQ(typed.burst, 9);
}

TEST(CommandLine, AMistakeInTheEnvironmentNamesTheVariable) {
  const Environment burst("MCPLANE_RX_BURST", "700");
  const auto stop = Program().parse({});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->text, "prog: MCPLANE_RX_BURST: '700' is out of range; type 1 to 64");
}

TEST(CommandLine, HelpShowsGroupsUnitsRangesAndDefaults) {
  const auto stop = Program().parse({"--help"});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->exit_code, kExitOk);
  for (const char* part : {"Limits:\n", "Names:\n", "--delay DURATION", "Wait, 1us to 1s [1ms]", "--room SIZE",
                           "[1MiB]", "--rx-burst COUNT", "Frames at once, 1 to 64 [32]", "--name NAME", "[nobody]",
                           "--loud", "MCPLANE_", "Exit codes:"})
    EXPECT_NE(stop->text.find(part), std::string::npos) << part << " is not in\n" << stop->text;
  EXPECT_EQ(stop->text.find("\n\n\n"), std::string::npos) << stop->text;
}

TEST(CommandLine, HelpOfACommandIsItsOwn) {
  const auto stop = Program().parse({"send", "--help"});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->exit_code, kExitOk);
  EXPECT_NE(stop->text.find("--text TEXT"), std::string::npos);
  EXPECT_EQ(stop->text.find("--rx-burst"), std::string::npos);
}

TEST(CommandLine, Version) {
  const auto stop = Program().parse({"--version"});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->exit_code, kExitOk);
  EXPECT_EQ(stop->text, "prog " + std::string(version()) + "\n");
}

TEST(Nearest, ByEditDistanceThenByBeginning) {
  const std::vector<std::string> flags = {"--cores", "--max-tasks", "--max-queued", "--mtu"};
  EXPECT_EQ(nearest("--crores", flags), "--cores");
  EXPECT_EQ(nearest("--core", flags), "--cores");
  EXPECT_EQ(nearest("--max-task", flags), "--max-tasks");
  EXPECT_EQ(nearest("--max-q", flags), "--max-queued");
  EXPECT_EQ(nearest("--nothing-like-it", flags), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), flags), "");
}

}  // namespace
}  // namespace mcplane::app
