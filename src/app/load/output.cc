// Files first: what cannot be written must not hide what was measured. See output.h.
#include "app/load/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "loadgen/report.h"

namespace mcplane::app {
namespace {

// One line when it cannot be written; else empty.
std::string write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return "cannot write " + quote(path) + ": " + std::strerror(errno);
}

// Files are written; `error` is what went wrong with them.
template <class Result>
int print(const LoadCommand& command, const Result& result, const std::string& command_line, const std::string& error,
          int exit_code) {
  const loadgen::Options& options = command.options;
  const std::string text =
      command.json ? loadgen::json_of(options, result, command_line) + "\n" : loadgen::table_of(options, result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);  // remarks follow it, also where both go to one file
  std::fputs(loadgen::remarks_on(options, result).c_str(), stderr);
  return error.empty() ? exit_code : end(failure("mcplane-load", error, kExitRuntime));
}

}  // namespace

int write_output(const LoadCommand& command, const loadgen::RunResult& result, const std::string& command_line,
                 int exit_code) {
  std::string error = write_file(command.hgrm, loadgen::hgrm_of(result.tally.latency));
  if (std::string other = write_file(command.html, loadgen::html_of(command.options, result, command_line));
      error.empty())
    error = std::move(other);
  return print(command, result, command_line, error, exit_code);
}

int write_output(const LoadCommand& command, const loadgen::EventResult& result, const std::string& command_line,
                 int exit_code) {
  const std::string error = write_file(command.hgrm, loadgen::hgrm_of(result.tally.latency));
  return print(command, result, command_line, error, exit_code);
}

}  // namespace mcplane::app
