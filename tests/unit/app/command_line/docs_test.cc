// Man pages and completion of a small command tree; test_docs.py looks at the real ones.
#include "app/command_line/docs.h"

#include <gtest/gtest.h>

#include <string>

#include "app/command_line/cli.h"

namespace mcplane::app {
namespace {

struct Tree {
  Tree() {
    set_conventions(app);
    add_text(app, "--admin", path, "PATH", "UNIX socket");
    add_text(app, "--level", level, "low|high", "How much");
    CLI::App* const hold = app.add_subcommand("hold", "Hold a node");
    hold->add_option("NODE", node, "Its id")->required();
    hold->add_option("CHANGE", change, "What to do")->check(CLI::IsMember({"on", "off"}));
    app.add_subcommand("nodes", "Who is there");
  }
  CLI::App app{"tool: does .things with -dashes.", "tool"};
  std::string path = "/run/x", level = "low", node, change;
};

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(ManPage, HasEveryCommandFlagAndDefault) {
  const Tree tree;
  expect_parts(man_page(tree.app, 1),
               {".TH TOOL 1", "tool \\- does .things with \\-dashes", "\\fB\\-\\-admin\\fR \\fIPATH\\fR",
                "Default: /run/x", ".SS hold", "\\fINODE\\fR", "[\\fICHANGE\\fR]", "One of on, off", ".SS nodes",
                "\\fB\\-h\\fR, \\fB\\-\\-help\\fR"});
}

TEST(Completion, HasCommandsFlagsAndValues) {
  const Tree tree;
  expect_parts(bash_completion(tree.app),
               {"complete -F _tool tool", "hold nodes --help", "\" --level\") COMPREPLY=($(compgen -W \"low high\"",
                "\" --admin\") COMPREPLY=($(compgen -f", "$(_tool_nodes) on off"});
}

TEST(Documentation, IsAskedForByFlagsThatTheHelpDoesNotName) {
  Tree tree;
  const char* const man[] = {"tool", "--help-man"};
  const auto page = parse_command_line(tree.app, 2, man);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->exit_code, kExitOk);
  EXPECT_NE(page->text.find(".TH TOOL 1"), std::string::npos);
  EXPECT_EQ(tree.app.help().find("--help-man"), std::string::npos);
}

}  // namespace
}  // namespace mcplane::app
