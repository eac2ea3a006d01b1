// `mcplane-ctl top`: the appliance as it works, on a terminal. Main thread.
#pragma once

#include "app/ctl/admin.h"
#include "app/ctl/top/picture.h"
#include "base/types.h"

namespace mcplane::app {

struct TopFlags {
  std::string path = AdminFlags{}.path;
  std::uint64_t interval_ns = kNsPerSecond;
};

void add_top_flags(CLI::App& command, TopFlags& flags);

// What a key does to the view. False: it ends the program. page: workers that fit.
bool on_key(int key, TopView& view, std::size_t page);

// Until q or a signal. Returns the exit code.
int run_top(const TopFlags& flags);

}  // namespace mcplane::app
