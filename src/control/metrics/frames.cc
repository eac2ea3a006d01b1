// Frames and events, and what carries them: cores, ports, packet buffers.
#include <fmt/format.h>

#include "control/cores/shard_sums.h"
#include "control/metrics/metrics.h"

namespace mcplane::control {
namespace {

using state::ShardCounters;

constexpr double kSecondsPerNs = 1e-9;

void add_frames(const state::Shared& shared, MetricList& list) {
  const auto sum = [&shared](auto which) { return sum_of(shared, which); };
  list.counter("mcplane_frames_received_total", "Frames received by cores, from ports and from other cores.")
      .add({}, sum(&ShardCounters::received));
  auto handled =
      list.counter("mcplane_frames_handled_total", "Received frames that were not dropped, by what was done.");
  handled.add({{"how", "forwarded"}}, sum(&ShardCounters::forwarded))
      .add({{"how", "completed"}}, sum(&ShardCounters::completed))
      .add({{"how", "handed_off"}}, sum(&ShardCounters::handed_off))
      .add({{"how", "punted"}}, sum(&ShardCounters::punted));
  auto dropped = list.counter("mcplane_frames_dropped_total", "Received frames that were let go, by reason.");
  for (std::size_t i = 1; i < kDropReasons; ++i)
    dropped.add({{"reason", kDropReasonNames[i]}},
                sum([i](const ShardCounters& all) -> auto& { return all.dropped[i]; }));
  list.counter("mcplane_frames_sent_total", "Frames given to ports.").add({}, sum(&ShardCounters::sent));
  list.counter("mcplane_frames_unsent_total", "Frames that a port or another core's ring did not take.")
      .add({}, sum(&ShardCounters::sent_dropped));
  list.counter("mcplane_frames_unmade_total", "Frames of the broker's own that no spare buffer was left for.")
      .add({}, sum(&ShardCounters::no_buffer));
  list.counter("mcplane_acks_sent_total", "ACK frames of the broker's own.").add({}, sum(&ShardCounters::acks_sent));
  list.counter("mcplane_resends_total", "RESENDs: a frame was lost, or its worker.")
      .add({}, sum(&ShardCounters::resends));
  list.counter("mcplane_repeats_total", "REJECTs, CANCELs and answers of the broker's own that were sent again.")
      .add({}, sum(&ShardCounters::repeated));
  list.counter("mcplane_events_published_total", "Events taken from publishers.")
      .add({}, sum(&ShardCounters::published));
  list.counter("mcplane_events_sent_total", "Events sent, once for each subscriber.")
      .add({}, sum(&ShardCounters::events_sent));
  list.counter("mcplane_events_dropped_total", "Events not sent to a subscriber for want of room.")
      .add({}, sum(&ShardCounters::events_dropped));
}

// `read` gives a core's figure.
template <class Read>
void add_cores(const Control& control, MetricList::Family family, Read read) {
  const auto& cpus = control.options().cores;
  for (std::size_t i = 0; i < control.shared().shards.size(); ++i)
    family.add({{"core", fmt::to_string(i)}, {"cpu", i < cpus.size() ? fmt::to_string(cpus[i]) : ""}}, read(i));
}

void add_cores(const Control& control, MetricList& list) {
  const auto counters = [&control](std::size_t i) -> const ShardCounters& {
    return control.shared().shards[i]->counters;
  };
  const auto seconds = [](const state::Counter& ns) { return static_cast<double>(ns.read()) * kSecondsPerNs; };
  add_cores(control, list.counter("mcplane_core_loops_total", "Turns of a core's loop."),
            [&](std::size_t i) { return counters(i).loops.read(); });
  add_cores(control, list.counter("mcplane_core_busy_loops_total", "Turns that had at least one frame or message."),
            [&](std::size_t i) { return counters(i).busy_loops.read(); });
  add_cores(control, list.counter("mcplane_core_busy_seconds_total", "Time of such turns."),
            [&](std::size_t i) { return seconds(counters(i).busy_ns); });
  add_cores(control, list.counter("mcplane_core_asleep_seconds_total", "Time asleep between turns, with --idle sleep."),
            [&](std::size_t i) { return seconds(counters(i).asleep_ns); });
  add_cores(control, list.gauge("mcplane_core_busy_ratio", "Share of the last second that was spent in busy turns."),
            [&](std::size_t i) { return control.core_loads().busy_ratio(i); });
}

void add_ports(const Control& control, MetricList& list) {
  const auto ports = control.options().hooks.ports ? control.options().hooks.ports() : std::vector<PortState>{};
  const auto add = [&ports](MetricList::Family family, auto which) {
    for (const PortState& port : ports) family.add({{"port", port.name}}, port.*which);
  };
  add(list.gauge("mcplane_port_link_up", "1 while the port's link is up."), &PortState::link_up);
  add(list.counter("mcplane_port_received_frames_total", "Frames the port received."), &PortState::rx_frames);
  add(list.counter("mcplane_port_sent_frames_total", "Frames the port sent."), &PortState::tx_frames);
  add(list.counter("mcplane_port_missed_frames_total", "Frames the port lost because its queue was full."),
      &PortState::rx_missed);
  add(list.counter("mcplane_port_receive_errors_total", "Frames the port received damaged."), &PortState::rx_errors);
  add(list.counter("mcplane_port_send_errors_total", "Frames the port failed to send."), &PortState::tx_errors);
  add(list.counter("mcplane_port_unbuffered_frames_total", "Frames the port had no buffer for."),
      &PortState::rx_no_buffer);
  const BufferUse buffers = control.options().hooks.buffers ? control.options().hooks.buffers() : BufferUse{};
  list.gauge("mcplane_packet_buffers", "Packet buffers; free ones in the cores' caches count as free.")
      .add({{"state", "free"}}, buffers.free)
      .add({{"state", "in_use"}}, buffers.total - buffers.free);
}

}  // namespace

void add_frame_metrics(const Control& control, MetricList& list) {
  add_frames(control.shared(), list);
  add_cores(control, list);
  add_ports(control, list);
}

}  // namespace mcplane::control
