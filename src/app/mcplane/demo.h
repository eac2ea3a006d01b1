// `mcplane --demo`: an appliance and its agents in one process, for whoever has no root, hugepages or NIC. The two
// speak Ethernet over shared memory (memif, of which this process has both ends); the appliance is the one that
// `mcplane` runs, the agents are the load generator's engines. One task, then load. Main thread; agents have one of
// their own.
#pragma once

namespace mcplane::app {

// Says on stdout what it does. INT and TERM end it early. Returns the exit code. Throws std::runtime_error, one line.
int run_demo();

}  // namespace mcplane::app
