// What the tables that the broker reads, RouteTable and those of topics, are read and written with. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "mcp_generated.h"

namespace mcplane::wire {

// Empty for an absent string. Points into the buffer.
inline std::string_view view(const flatbuffers::String* text) noexcept {
  return text == nullptr ? std::string_view{} : std::string_view{text->c_str(), text->size()};
}

// Absent when it is empty.
inline flatbuffers::Offset<flatbuffers::String> optional_string(flatbuffers::FlatBufferBuilder& builder,
                                                                std::string_view text) {
  return text.empty() ? flatbuffers::Offset<flatbuffers::String>{} : builder.CreateString(text);
}

// The bytes of a table as they lie behind a header.
inline std::vector<std::byte> finished_table(const flatbuffers::FlatBufferBuilder& builder) {
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  // A finished buffer is padded to its widest scalar, which is 4 bytes by the schema's rule.
  CHECK(bytes.size() % 4 == 0);
  return {bytes.begin(), bytes.end()};
}

}  // namespace mcplane::wire
