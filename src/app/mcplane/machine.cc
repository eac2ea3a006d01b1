// See machine.h.
#include "app/mcplane/machine.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace mcplane::app {
namespace {

namespace fs = std::filesystem;

std::uint64_t parsed(std::string_view text, int base) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

}  // namespace

fs::path Machine::at(std::string_view path) const { return root_ / fs::path(path).relative_path(); }

bool Machine::exists(std::string_view path) const {
  std::error_code error;
  return fs::exists(at(path), error);
}

bool Machine::is_socket(std::string_view path) const {
  std::error_code error;
  return fs::is_socket(at(path), error);
}

bool Machine::may_write(std::string_view path) const { return ::access(at(path).c_str(), W_OK) == 0; }

std::string Machine::line(std::string_view path) const {
  std::ifstream file(at(path));
  std::string text;
  std::getline(file, text);
  return text;
}

std::uint64_t Machine::number(std::string_view path) const { return parsed(line(path), 10); }

std::string Machine::field(std::string_view path, std::string_view key) const {
  constexpr std::string_view kBetween = ": \t";
  std::ifstream file(at(path));
  for (std::string text; std::getline(file, text);) {
    if (!text.starts_with(key)) continue;
    const std::size_t begin = text.find_first_not_of(kBetween, key.size());
    if (begin != key.size()) return begin == std::string::npos ? "" : text.substr(begin);
  }
  return "";
}

std::vector<std::string> Machine::names(std::string_view folder) const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(at(folder), error)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string Machine::link_name(std::string_view path) const {
  std::error_code error;
  return fs::read_symlink(at(path), error).filename().string();
}

bool Machine::has_capability(unsigned number) const {
  return (parsed(field("/proc/self/status", "CapEff"), 16) >> number & 1) != 0;
}

std::optional<std::uint64_t> Machine::locked_memory_max_bytes() const {
  // "Max locked memory         8388608              8388608              bytes"
  std::istringstream words(field("/proc/self/limits", "Max locked memory"));
  std::string soft;
  words >> soft;
  if (soft == "unlimited") return std::nullopt;
  return parsed(soft, 10);
}

}  // namespace mcplane::app
