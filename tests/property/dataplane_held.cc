// HeldFrames against a plain model: whose turn it is, whatever leaves the middles of lines, and the table's bounds.
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <list>

#include "dataplane/held_frames.h"
#include "property/dataplane_properties.h"

namespace mcplane::dataplane {
namespace {

constexpr std::size_t kRoutes = 2;
constexpr std::array<std::uint64_t, wire::kPriorities> kStride = {1, 4, 16, 64};

struct Waiter {
  std::uint32_t index;  // in the HeldFrames
  std::uint32_t task;   // tells frames apart
};

// A class of a route: clients in the order of their turns, each with its frames.
struct ModelClass {
  struct Client {
    SessionId id;
    std::deque<Waiter> frames;
  };
  std::list<Client> clients;
  std::uint64_t at = 0;
};

struct ModelRoute {
  std::array<ModelClass, wire::kPriorities> classes;
  std::uint64_t now = 0;

  ModelClass* next() {
    ModelClass* best = nullptr;
    for (ModelClass& one : classes)
      if (!one.clients.empty() && (best == nullptr || one.at < best->at)) best = &one;
    return best;
  }
};

std::uint32_t frames_of(const ModelRoute& route) {
  std::size_t sum = 0;
  for (const ModelClass& one : route.classes)
    for (const auto& client : one.clients) sum += client.frames.size();
  return static_cast<std::uint32_t>(sum);
}

void push(ModelRoute& route, const FlowName& name, Waiter waiter) {
  ModelClass& line = route.classes[name.priority];
  auto client = std::ranges::find(line.clients, name.client, &ModelClass::Client::id);
  if (client == line.clients.end()) {
    if (line.clients.empty()) line.at = route.now + kStride[name.priority];
    line.clients.push_back({name.client, {}});
    client = std::prev(line.clients.end());
  }
  client->frames.push_back(waiter);
}

Waiter take_next(ModelRoute& route) {
  ModelClass& line = *route.next();
  route.now = line.at;
  line.at += kStride[static_cast<std::size_t>(&line - route.classes.data())];
  const Waiter taken = line.clients.front().frames.front();
  line.clients.front().frames.pop_front();
  if (line.clients.front().frames.empty())
    line.clients.pop_front();
  else
    line.clients.splice(line.clients.end(), line.clients, line.clients.begin());
  return taken;
}

// Any waiter leaves: its task expires, or is cancelled.
Waiter take_any(ModelRoute& route) {
  std::uint32_t at = *rc::gen::inRange<std::uint32_t>(0, frames_of(route));
  for (ModelClass& line : route.classes) {
    for (auto client = line.clients.begin(); client != line.clients.end(); ++client) {
      if (at >= client->frames.size()) {
        at -= static_cast<std::uint32_t>(client->frames.size());
        continue;
      }
      const Waiter taken = client->frames[at];
      client->frames.erase(client->frames.begin() + at);
      if (client->frames.empty()) line.clients.erase(client);
      return taken;
    }
  }
  RC_FAIL("no such waiter");
}

void turns_are_as_modelled() {
  const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 20);
  HeldFrames held(capacity);
  std::array<WaitingLines, kRoutes> lines;
  std::array<ModelRoute, kRoutes> model;
  std::uint32_t next_task = 0;
  const auto steps = *rc::gen::inRange(0, 200);
  for (int step = 0; step < steps; ++step) {
    const auto which = *rc::gen::inRange<std::uint16_t>(0, kRoutes);
    const auto action = *rc::gen::inRange(0, 10);
    const std::uint32_t waiting = frames_of(model[which]);
    if (action < 5) {
      const FlowName name{{*rc::gen::inRange<std::uint32_t>(1, 5)}, which, *rc::gen::inRange<std::uint8_t>(0, 4)};
      if (held.full()) continue;
      HeldFrame frame;
      frame.task = ++next_task;
      push(model[which], name, {held.push(lines[which], name, std::move(frame)), next_task});
    } else if (waiting > 0 && action < 8) {
      const Waiter expected = take_next(model[which]);
      RC_ASSERT(held.front(lines[which]) == expected.index);
      RC_ASSERT(held.take_front(lines[which]).task == expected.task);
    } else if (waiting > 0) {
      const Waiter gone = take_any(model[which]);
      RC_ASSERT(held.take(lines[which], gone.index).task == gone.task);
    }
    std::uint32_t all = 0;
    for (std::size_t route = 0; route < kRoutes; ++route) {
      RC_ASSERT(lines[route].frames == frames_of(model[route]));
      all += lines[route].frames;
    }
    RC_ASSERT(held.size() == all);
    RC_ASSERT(held.full() == (all == capacity));
  }
}

}  // namespace

bool check_held_frames() { return rc::check("those who wait have their turns", turns_are_as_modelled); }

}  // namespace mcplane::dataplane
