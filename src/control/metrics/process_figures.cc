// See process_figures.h.
#include "control/metrics/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace mcplane::control {
namespace {

constexpr std::uint64_t kBytesPerKib = 1'024;

// "Name: number unit" and "name number", by name.
std::unordered_map<std::string, std::uint64_t> read_table(const char* path) {
  std::unordered_map<std::string, std::uint64_t> table;
  std::ifstream file(path);
  for (std::string name; file >> name;) {
    std::uint64_t value = 0;
    if (file >> value) table.emplace(name, value);
    file.clear();
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return table;
}

// Of /proc/self/stat, from field 3 on: field 2, the name, may hold anything, and ends with the last bracket.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  const std::string line((std::istreambuf_iterator(file)), {});
  const std::size_t name_end = line.rfind(')');
  std::istringstream fields(name_end == std::string::npos ? "" : line.substr(name_end + 1));
  return {std::istream_iterator<std::string>(fields), {}};
}

std::uint64_t count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) return 0;
  // The folder is open itself.
  return static_cast<std::uint64_t>(std::distance(begin(folder), end(folder))) - 1;
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures figures;
  const std::vector<std::string> fields = stat_fields();
  const auto field = [&fields](std::size_t number) {
    constexpr std::size_t kFirst = 3;
    return number - kFirst < fields.size() ? std::stoull(fields[number - kFirst]) : 0;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  figures.cpu_seconds = static_cast<double>(field(14) + field(15)) / ticks;
  figures.threads = field(20);
  figures.start_time_seconds =
      static_cast<double>(read_table("/proc/stat")["btime"]) + static_cast<double>(field(22)) / ticks;
  figures.virtual_bytes = field(23);
  figures.resident_bytes = field(24) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  figures.open_fds = count_open_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  return figures;
}

HostFigures host_figures() {
  auto memory = read_table("/proc/meminfo");
  HostFigures figures{.huge_pages = memory["HugePages_Total:"],
                      .huge_pages_free = memory["HugePages_Free:"],
                      .memory_bytes = memory["MemTotal:"] * kBytesPerKib,
                      .memory_available_bytes = memory["MemAvailable:"] * kBytesPerKib};
  std::ifstream("/proc/loadavg") >> figures.load;
  return figures;
}

}  // namespace mcplane::control
