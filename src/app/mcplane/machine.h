// What the kernel says of this machine and this process, read from /proc, /sys and /dev under a root that tests
// replace. Nothing is cached or changed. Main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::app {

class Machine {
 public:
  explicit Machine(std::filesystem::path root = "/") : root_(std::move(root)) {}

  bool exists(std::string_view path) const;
  bool is_socket(std::string_view path) const;
  bool may_write(std::string_view path) const;  // this process
  // The first line of a file; "": it cannot be read, or is empty.
  std::string line(std::string_view path) const;
  std::uint64_t number(std::string_view path) const;  // 0: there is none
  // What stands behind `key` and a colon or spaces on a line of its own.
  std::string field(std::string_view path, std::string_view key) const;
  // Names in a folder, ascending.
  std::vector<std::string> names(std::string_view folder) const;
  // The last part of what a link points to; "": it is no link.
  std::string link_name(std::string_view path) const;

  // Of this process. `number` as in <linux/capability.h>.
  bool has_capability(unsigned number) const;
  // nullopt: no limit.
  std::optional<std::uint64_t> locked_memory_max_bytes() const;

 private:
  std::filesystem::path at(std::string_view path) const;

  std::filesystem::path root_;
};

}  // namespace mcplane::app
