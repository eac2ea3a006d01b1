// Workers that join, leave, change and are chosen, against a model that looks at all of them.
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "property/dataplane_properties.h"
#include "state/load_index.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {
namespace {

using state::LoadIndex;

constexpr std::uint32_t kWorkers = 150;  // three leaves and a root

struct Modelled {
  std::uint32_t bound = 0, held = 0;
  bool placed = false, admits = false;
  bool has_room() const { return placed && admits && held < bound; }
};

class Choosing {
 public:
  explicit Choosing(std::uint32_t cores) : table_(kWorkers, cores) {}

  void join(std::uint32_t id, std::uint32_t bound) {
    Modelled& worker = model_[id];
    state::WorkerLine& line = table_[WorkerId{id}];
    if (worker.placed) return;
    worker = {.bound = bound, .held = 0, .placed = true, .admits = true};
    line.load = 0;
    line.bound = bound;
    line.admits = 1;
    line.session = SessionId::make(id, 1).value;
    index_.place(line, WorkerId{id});
    table_.refresh(WorkerId{id});
  }
  // Its tasks end with it.
  void leave(std::uint32_t id) {
    Modelled& worker = model_[id];
    state::WorkerLine& line = table_[WorkerId{id}];
    if (!worker.placed) return;
    line.admits = 0;
    line.session = 0;
    table_.refresh(WorkerId{id});
    for (; worker.held > 0; --worker.held) table_.release(WorkerId{id});
    index_.vacate(line);
    worker.placed = false;
  }
  void change(std::uint32_t id, std::uint32_t bound, bool admits) {
    if (!model_[id].placed) return;
    table_[WorkerId{id}].bound = model_[id].bound = bound;
    table_[WorkerId{id}].admits = model_[id].admits = admits;
    table_.refresh(WorkerId{id});
  }
  void release(std::uint32_t id) {
    if (!model_[id].placed || model_[id].held == 0) return;
    table_.release(WorkerId{id});
    --model_[id].held;
  }
  // The one that is chosen is as little loaded as any.
  void choose() {
    std::uint32_t least = state::kLoadLevels;
    for (const Modelled& worker : model_)
      if (worker.has_room()) least = std::min(least, state::level_of(worker.held));
    for (std::uint32_t level = 0; level < state::kLoadLevels; ++level) {
      if (!index_.placed() || !index_.any(level)) continue;
      RC_ASSERT(level == least);
      const LoadIndex::Found found = index_.find(level, rotor_);
      Modelled& worker = model_[raw(found.worker)];
      RC_ASSERT(worker.has_room());
      RC_ASSERT(state::level_of(worker.held) == least);
      RC_ASSERT(table_.try_acquire(found.worker) == SessionId::make(raw(found.worker), 1));
      ++worker.held;
      rotor_ = found.place + 1;
      return;
    }
    RC_ASSERT(least == state::kLoadLevels);
  }

 private:
  state::WorkerTable table_;
  LoadIndex index_;
  std::vector<Modelled> model_ = std::vector<Modelled>(kWorkers);
  std::uint32_t rotor_ = 0;
};

void chosen_as_by_a_look_at_all() {
  Choosing choosing(*rc::gen::element(1U, 4U));
  const auto steps = *rc::gen::inRange(0, 2'000);
  for (int step = 0; step < steps; ++step) {
    const auto id = *rc::gen::inRange(0U, kWorkers);
    const auto bound = *rc::gen::inRange(1U, 20U);
    switch (*rc::gen::inRange(0, 16)) {
      case 0:
      case 1:
        choosing.join(id, bound);
        break;
      case 2:
        choosing.leave(id);
        break;
      case 3:
        choosing.change(id, bound, *rc::gen::inRange(0, 4) > 0);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        choosing.release(id);
        break;
      default:
        choosing.choose();
    }
  }
}

}  // namespace

bool check_choice() {
  return rc::check("the least loaded worker is found, whoever comes and goes", chosen_as_by_a_look_at_all);
}

}  // namespace mcplane::dataplane
