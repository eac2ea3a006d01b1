// A report as text: one line of JSON. What peers said may hold bytes that are no UTF-8: they are replaced.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mcplane::control {

inline std::string json_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mcplane::control
