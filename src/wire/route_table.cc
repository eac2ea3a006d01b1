// FlatBuffers verifies structure; names, lengths and counts are checked here by hand.
#include "wire/route_table.h"

#include <algorithm>

#include "base/check.h"
#include "wire/flat_table.h"
#include "wire/header.h"
#include "wire/verified_root.h"

namespace mcplane::wire {
namespace {

bool names_sound(const RouteView& route) noexcept {
  if (!is_name(route.action) || !(route.model.empty() || is_name(route.model))) return false;
  if (route.task_id_text.size() > kTaskIdTextBytesMax) return false;
  return std::ranges::all_of(route.tag_list(), is_name);
}

}  // namespace

bool is_label(std::string_view text) noexcept {
  return text.size() <= kNameBytesMax &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::optional<RouteView> read_route_table(std::span<const std::byte> table) noexcept {
  const auto* root = verified_root<fb::RouteTable>(table, kTableBytesMax, kFlatTablesMax);
  if (root == nullptr) return std::nullopt;
  RouteView route;
  route.action = view(root->action());
  route.model = view(root->model());
  route.task_id_text = view(root->task_id_text());
  if (const auto* tags = root->tags()) {
    if (tags->size() > kTagsMax) return std::nullopt;
    for (const auto* tag : *tags) route.tags[route.tag_count++] = view(tag);
  }
  if (!names_sound(route)) return std::nullopt;
  return route;
}

bool route_within_limits(std::string_view action, std::string_view model, std::span<const std::string> tags,
                         std::string_view task_id_text) noexcept {
  if (tags.size() > kTagsMax) return false;
  RouteView route{.action = action, .model = model, .tags = {}, .tag_count = 0, .task_id_text = task_id_text};
  for (const auto& tag : tags) route.tags[route.tag_count++] = tag;
  return names_sound(route);
}

std::vector<std::byte> write_route_table(std::string_view action, std::string_view model,
                                         std::span<const std::string> tags, std::string_view task_id_text) {
  CHECK(route_within_limits(action, model, tags, task_id_text));
  flatbuffers::FlatBufferBuilder builder(kTableBytesMax);
  const auto action_at = builder.CreateString(action);
  const auto model_at = optional_string(builder, model);
  const auto task_id_at = optional_string(builder, task_id_text);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>> tags_at;
  if (!tags.empty()) tags_at = builder.CreateVectorOfStrings(tags.begin(), tags.end());
  builder.Finish(fb::CreateRouteTable(builder, action_at, model_at, tags_at, task_id_at));
  return finished_table(builder);
}

}  // namespace mcplane::wire
