// The hash takes 8 bytes at a time: it sees every byte of every frame and must not be what a run's time goes to.
#include "trace.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "wire/header.h"

namespace mcplane::sim {
namespace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t word) noexcept {
  return std::rotl((hash ^ word) * 0x9e3779b97f4a7c15ULL, 29);
}

std::uint64_t digest_of(std::span<const std::byte> bytes) noexcept {
  std::uint64_t hash = bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
    hash = mix(hash, word);
  }
  return hash;
}

}  // namespace

void Trace::note(std::uint64_t at_ns, std::string_view what, std::uint32_t a, std::uint32_t b) {
  TraceEvent event;
  event.at_ns = at_ns;
  event.what = what;
  event.a = a;
  event.b = b;
  add(event);
}

void Trace::note_frame(std::uint64_t at_ns, std::string_view what, std::uint32_t a,
                       std::span<const std::byte> datagram) {
  TraceEvent event;
  event.at_ns = at_ns;
  event.what = what;
  event.a = a;
  event.b = static_cast<std::uint32_t>(datagram.size());
  event.digest = digest_of(datagram);
  event.framed = datagram.size() >= event.lead.size() && std::ranges::equal(datagram.first(2), wire::kMagic);
  if (event.framed) std::memcpy(event.lead.data(), datagram.data(), event.lead.size());
  add(event);
}

void Trace::add(const TraceEvent& event) {
  hash_ = mix(mix(mix(hash_, event.at_ns), (std::uint64_t{event.a} << 32) | event.b), event.digest);
  hash_ = mix(hash_, event.what.size() + static_cast<std::uint64_t>(event.what[0]));
  ring_[count_++ % kLast] = event;
  if (print_) std::puts(line(event).c_str());
}

std::string Trace::line(const TraceEvent& event) {
  char text[256];
  int length = std::snprintf(text, sizeof text, "%13.6f ms  %-22.*s %4u", static_cast<double>(event.at_ns) / 1e6,
                             static_cast<int>(event.what.size()), event.what.data(), event.a);
  std::string result(text, static_cast<std::size_t>(length));
  if (!event.framed) return result + " " + std::to_string(event.b);
  alignas(4) std::array<std::byte, 100> aligned;
  std::memcpy(aligned.data() + 2, event.lead.data(), event.lead.size());
  const wire::Header& header = wire::header_of(std::span<const std::byte>(aligned).subspan(2));
  std::uint32_t number = 0;
  std::memcpy(&number, header.task_id()->Data(), sizeof number);
  length = std::snprintf(
      text, sizeof text, " %-7s task %u session %08x worker %08x slot %u seq %u token %08x.%u part %u ttl %u %s%s",
      wire::fb::EnumNameFrameType(header.type()), number, header.session(), header.worker_session(), header.slot(),
      header.sequence(), header.token_index(), header.token_generation(), header.fragment_index(), header.ttl_ms(),
      wire::fb::EnumNameReason(header.reason()), wire::has(header.flags(), wire::Flag::Retry) ? " again" : "");
  return result.append(text, static_cast<std::size_t>(length));
}

std::string Trace::last() const {
  std::string lines;
  for (std::uint64_t i = count_ > kLast ? count_ - kLast : 0; i < count_; ++i) lines += line(ring_[i % kLast]) + "\n";
  return lines;
}

}  // namespace mcplane::sim
