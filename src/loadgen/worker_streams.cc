// How a worker fleet streams its answers: see worker_streams.h.
#include "loadgen/worker_streams.h"

#include <utility>

#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {
namespace {

// Between two looks at the sockets: a backlog after a stall must not keep engines from what they are sent.
constexpr std::size_t kChunksPerStep = 128;

}  // namespace

void WorkerFleet::begin_stream(std::size_t worker, TaskToken token, std::uint8_t attempt, std::string_view prompt,
                               std::uint64_t now_ns) {
  client::WorkerEngine& engine = workers_[worker].engine;
  const auto task = task_of_prompt(prompt);
  if (!task) {
    engine.finish(token, attempt, answer_.write("prompt is not of this load"), true, now_ns, outbox_);
    return;
  }
  speak({.worker = worker,
         .token = token,
         .attempt = attempt,
         .sessions = engine.sessions(),
         .task = *task,
         .next = 0,
         .due_ns = now_ns},
        now_ns);
}

// Says what is due and has room.
void WorkerFleet::speak(WorkerStreams::Stream stream, std::uint64_t now_ns) {
  client::WorkerEngine& engine = workers_[stream.worker].engine;
  const StreamShape& shape = streams_->shape;
  while (engine.sessions() == stream.sessions) {
    make_room();
    if (engine.cancelled(stream.token, stream.attempt)) {
      engine.finish(stream.token, stream.attempt, {}, true, now_ns, outbox_);
      return;
    }
    if (engine.emit_room(stream.token, stream.attempt) == 0) {
      stream.held_up = shape.interval_ns > 0;
      return streams_->waiting[stream.worker].push_back(stream);
    }
    // Held up by the way to its client, chunks count from when they should have been said.
    const std::uint64_t emitted_ns = stream.held_up ? stream.due_ns : now_ns;
    const auto text = streams_->pattern.write({stream.task, stream.next, emitted_ns});
    if (++stream.next == shape.chunks) {
      engine.finish(stream.token, stream.attempt, answer_.write(text), false, now_ns, outbox_);
      return;
    }
    engine.emit(stream.token, stream.attempt, text, now_ns, outbox_);
    if (shape.interval_ns == 0) continue;
    stream.due_ns += shape.interval_ns;
    stream.held_up = stream.held_up && stream.due_ns <= now_ns;
    return streams_->line.push_back(stream);
  }
}

void WorkerFleet::speak_due(std::uint64_t now_ns) {
  auto& line = streams_->line;
  for (std::size_t said = 0; said < kChunksPerStep && !line.empty() && line.front().due_ns <= now_ns; ++said) {
    const WorkerStreams::Stream stream = line.front();
    line.pop_front();
    take_outbox(stream.worker);
    speak(stream, now_ns);
    roll_.note(static_cast<std::uint32_t>(stream.worker), workers_[stream.worker].engine);
  }
  flush();
}

// Its clients may have taken what others wait behind.
void WorkerFleet::speak_again(std::size_t worker, std::uint64_t now_ns) {
  auto& waiting = streams_->waiting[worker];
  if (waiting.empty()) return;
  std::swap(waiting, streams_->resumed);
  for (const WorkerStreams::Stream& stream : streams_->resumed) speak(stream, now_ns);
  streams_->resumed.clear();
  roll_.note(static_cast<std::uint32_t>(worker), workers_[worker].engine);
}

}  // namespace mcplane::loadgen
