// The JSON form of a task, as people and programs write it: any text either makes a task or is refused in one line.
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "fuzz/fuzz_target.h"
#include "mcplane/task.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = mcplane::fuzz::copy_of(data, size);
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  try {
    const auto task = mcplane::task_from_json(json);
    if (task.id.empty() || task.action.empty() || task.ttl.count() < 1) std::abort();
  } catch (const std::invalid_argument& refusal) {
    if (std::string_view(refusal.what()).find(": ") == std::string_view::npos) std::abort();
  }
  return 0;
}
