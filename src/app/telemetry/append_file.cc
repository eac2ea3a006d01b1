// See append_file.h.
#include "app/telemetry/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "app/command_line/units.h"

namespace mcplane::app {

AppendFile::AppendFile(std::string path) : path_(std::move(path)), file_(open()) {
  if (!file_) throw std::runtime_error("cannot write " + quote(path_) + ": " + std::strerror(errno));
}

AppendFile::File AppendFile::open() const {
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  return File(descriptor >= 0 ? ::fdopen(descriptor, "a") : nullptr);
}

void AppendFile::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), file_.get());
  std::fflush(file_.get());
}

void AppendFile::reopen() {
  File anew = open();
  if (!anew) return;
  const std::lock_guard lock(mutex_);
  file_ = std::move(anew);
}

}  // namespace mcplane::app
