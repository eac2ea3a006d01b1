// The route table of a SEND: what the broker reads of a task beyond its header.
// Verified once, at ingress; the views point into the frame. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::wire {

inline constexpr std::size_t kNameBytesMax = 64;  // action, model, tag
inline constexpr std::size_t kTagsMax = 8;
inline constexpr std::size_t kTaskIdTextBytesMax = 64;

// Text that may be shown and logged: at most kNameBytesMax bytes, none of them a control byte.
bool is_label(std::string_view text) noexcept;
// A label that names something: not empty.
inline bool is_name(std::string_view text) noexcept { return !text.empty() && is_label(text); }

struct RouteView {
  std::string_view action;  // 1-64 bytes
  std::string_view model;   // empty: any
  std::array<std::string_view, kTagsMax> tags;
  std::size_t tag_count = 0;
  std::string_view task_id_text;  // empty: the id is a UUID

  std::span<const std::string_view> tag_list() const noexcept { return {tags.data(), tag_count}; }
};

// nullopt when the bytes are no sound RouteTable or a name is empty (where required), too long, or too many.
// About 110 cycles for a table of 92 B, most of them in the verifier.
std::optional<RouteView> read_route_table(std::span<const std::byte> table) noexcept;

// Whether write_route_table() may be called with these.
bool route_within_limits(std::string_view action, std::string_view model, std::span<const std::string> tags,
                         std::string_view task_id_text) noexcept;

// The same fields as bytes, padded to a multiple of 4. Fields must satisfy the limits above (CHECKed).
std::vector<std::byte> write_route_table(std::string_view action, std::string_view model,
                                         std::span<const std::string> tags, std::string_view task_id_text);

}  // namespace mcplane::wire
