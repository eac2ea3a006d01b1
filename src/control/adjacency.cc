// The ends of the appliance's links: whether they are up, who we are on them, and where our neighbours are.
// Frames that start here leave through shard 0; an answer leaves through the shard that was asked.
#include "control/control.h"

namespace mcplane::control {
namespace {

state::Command frame_command(PortId port) noexcept {
  state::Command command{};
  command.kind = state::CommandKind::kTransmit;
  command.port = port;
  return command;
}

}  // namespace

std::string Control::port_name(PortId port) const {
  return raw(port) < options_.port_names.size() ? options_.port_names[raw(port)] : std::to_string(raw(port));
}

void Control::watch_links() {
  links_.poll(now_ns_, options_.hooks.link_up, [this](PortId port) {
    if (links_.up(port)) {
      log_.info(now_ns_, "port {}: link is up", port_name(port));
    } else {
      log_.warning(now_ns_, "port {}: link is down; nobody behind it is evicted meanwhile", port_name(port));
    }
  });
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const auto port = PortId(static_cast<std::uint8_t>(i));
    if (links_.take_announcement(port, now_ns_)) announce(port);
  }
}

void Control::announce(PortId port) {
  const wire::LocalAddresses& ours = ports_[raw(port)];
  for (std::size_t i = 0; i < ours.count; ++i) {
    state::Command command = frame_command(port);
    command.length = static_cast<std::uint16_t>(wire::announce(ours.ips[i].ip, ours.mac, command.bytes));
    queues_.front().push_frame(command);
  }
}

// One burst a poll: what a flood takes from everybody else is bounded.
void Control::hear_neighbours(ShardId shard) {
  const std::size_t count = shared_.shards[raw(shard)]->mailbox.neighbours.pop(std::span(punts_));
  for (const state::Punt& punt : std::span(punts_).first(count)) on_neighbour(punt, shard);
}

void Control::on_neighbour(const state::Punt& punt, ShardId shard) {
  constexpr std::size_t kAnswerSlack = 32;  // as wire::answer_neighbour_frame asks
  if (raw(punt.port) >= ports_.size() || punt.frame().size() + kAnswerSlack > state::kMailboxFrameBytes) return;
  const wire::LocalAddresses& ours = ports_[raw(punt.port)];
  if (const auto claim = wire::read_neighbour_claim(punt.frame(), ours))
    neighbours_.on_claim(punt.port, *claim, now_ns_);
  if (const auto closed = wire::read_closed_port(punt.frame(), ours)) on_closed_port(*closed);
  state::Command command = frame_command(punt.port);
  command.length = static_cast<std::uint16_t>(wire::answer_neighbour_frame(punt.frame(), ours, command.bytes));
  if (command.length > 0) queue(shard).push_frame(command);
}

void Control::ask_neighbours() {
  for (const Neighbours::Ask& due : neighbours_.due(now_ns_, links_)) {
    state::Command command = frame_command(due.port);
    command.length = static_cast<std::uint16_t>(wire::ask(due.question, command.bytes));
    queues_.front().push_frame(command);
  }
}

}  // namespace mcplane::control
