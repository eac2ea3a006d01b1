// One task in five formats: to write it, a broker's step (check, read what it routes by, rewrite three fields), and to
// read all of it. A 256-byte prompt, four turns of history, two parameters. Before anything is timed, every codec has
// to give back what went in, before and after a broker's step, and to refuse a message that was cut off.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <numeric>

#include "task.h"

namespace mcplane::perf {

std::uint64_t route_digest(const CodecTask& task) {
  RouteDigest digest;
  for (const std::uint32_t number : {task.session, task.slot, task.sequence, task.ttl_ms}) digest.add(number);
  digest.add(task.action);
  digest.add(task.model);
  for (const std::string& tag : task.tags) digest.add(tag);
  return digest.value();
}

namespace {

std::string letters(std::size_t count) {
  std::string text(count, ' ');
  for (std::size_t i = 0; i < count; ++i) text[i] = i % 6 == 5 ? ' ' : static_cast<char>('a' + i * 7 % 26);
  return text;
}

CodecTask sample_task() {
  CodecTask task;
  std::iota(task.task_id.begin(), task.task_id.end(), std::uint8_t{0x81});
  std::iota(task.trace_id.begin(), task.trace_id.end(), std::uint8_t{0x11});
  std::iota(task.parent_span.begin(), task.parent_span.end(), std::uint8_t{0x71});
  task.session = 0x00700123;
  task.slot = 17;
  task.sequence = 123'456;
  task.ttl_ms = 30'000;
  task.action = "generate";
  task.model = "llama-3-70b";
  task.tags = {"gpu", "eu-west"};
  task.payload.prompt = letters(256);
  for (const char* role : {"user", "assistant", "user", "assistant"})
    task.payload.history.push_back({role, letters(64)});
  task.payload.parameters = {{"temperature", "0.7"}, {"max_tokens", "512"}};
  return task;
}

constexpr Rewrite kRewrite{.attempt = 1, .worker_session = 0x00300007, .ttl_ms = 29'999};

// What is wrong with a codec; empty when nothing.
std::string fault(Codec& codec) {
  const CodecTask task = sample_task();
  std::string message;
  CodecTask decoded;
  codec.encode(task, message);
  if (!codec.decode(message, decoded) || decoded != task) return "does not give back what went in";
  std::string cut = message;
  cut.resize(message.size() / 2);
  if (codec.decode(cut, decoded) || codec.route(cut, kRewrite) != 0) return "takes half a message";
  if (codec.route(message, kRewrite) != route_digest(task)) return "routes by something else";
  CodecTask routed = task;
  routed.attempt = kRewrite.attempt;
  routed.worker_session = kRewrite.worker_session;
  routed.ttl_ms = kRewrite.ttl_ms;
  if (!codec.decode(message, decoded) || decoded != routed) return "does not forward what it was given";
  return "";
}

void encode(benchmark::State& state, Codec& codec) {
  CodecTask task = sample_task();
  std::string message;
  for ([[maybe_unused]] auto unused : state) {
    ++task.sequence;
    codec.encode(task, message);
    benchmark::DoNotOptimize(message.data());
  }
  state.counters["bytes"] = static_cast<double>(message.size());
}

void route(benchmark::State& state, Codec& codec) {
  std::string message;
  codec.encode(sample_task(), message);
  Rewrite rewrite = kRewrite;
  for ([[maybe_unused]] auto unused : state) {
    rewrite.ttl_ms = 20'000 + (rewrite.ttl_ms + 1) % 8'192;
    benchmark::DoNotOptimize(codec.route(message, rewrite));
  }
}

void decode(benchmark::State& state, Codec& codec) {
  std::string message;
  codec.encode(sample_task(), message);
  CodecTask task;
  for ([[maybe_unused]] auto unused : state) {
    codec.decode(message, task);
    benchmark::DoNotOptimize(&task);
  }
}

using Operation = void (*)(benchmark::State&, Codec&);

void add(const std::string& name, Operation operation, Codec& codec) {
  benchmark::RegisterBenchmark((name + "/" + std::string(codec.name())).c_str(),
                               [operation, &codec](benchmark::State& state) { operation(state, codec); });
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::vector<std::unique_ptr<Codec>> codecs;
  for (auto make :
       {make_mcplane_codec, make_protobuf_codec, make_msgpack_codec, make_simdjson_codec, make_nlohmann_codec})
    codecs.push_back(make());
  for (const auto& codec : codecs) {
    const std::string wrong = fault(*codec);
    if (wrong.empty()) continue;
    std::fprintf(stderr, "codec_bench: %s %s\n", std::string(codec->name()).c_str(), wrong.c_str());
    return 1;
  }
  for (const auto& codec : codecs)
    if (codec->name() != "simdjson") add("encode", encode, *codec);  // it writes as nlohmann does
  for (const auto& codec : codecs) add("route", route, *codec);
  for (const auto& codec : codecs) add("decode", decode, *codec);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace mcplane::perf

int main(int argc, char** argv) { return mcplane::perf::run(argc, argv); }
