// mcplane-load: the load generator.
#include <string>

#include "app/load/config.h"
#include "app/load/run.h"

namespace {

std::string joined(int argc, char** argv) {
  std::string line = "mcplane-load";
  for (int i = 1; i < argc; ++i) line += std::string(" ") + argv[i];
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = mcplane::app::parse_load_command(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  return mcplane::app::run_load(command, joined(argc, argv));
}
