// mcplane: the appliance. Flags are read and validated before anything starts; then signals decide (serve.h).
#include <exception>
#include <string_view>

#include "app/command_line/cli.h"
#include "app/mcplane/demo.h"
#include "app/mcplane/doctor_command.h"
#include "app/mcplane/serve.h"

int main(int argc, char** argv) {
  namespace app = mcplane::app;
  if (argc > 1 && std::string_view(argv[1]) == "doctor") return app::run_doctor(argc - 1, argv + 1);
  const auto command = app::parse_appliance_config(argc, argv);
  if (command.stop) return app::end(*command.stop);
  try {
    return command.config.demo ? app::run_demo() : app::serve(command.config);
  } catch (const std::exception& error) {
    return app::end(app::failure("mcplane", error.what(), app::kExitRuntime));
  }
}
