// A file that lines are appended to, and that can be opened anew under its name once a log rotator has moved it away.
// Any thread.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace mcplane::app {

class AppendFile {
 public:
  // Made if it is not there, mode 0640. Throws std::runtime_error, one line.
  explicit AppendFile(std::string path);

  // Whole: a reader never sees half of it from here. A full disk loses it.
  void write(std::string_view text);
  // Goes on with the file it has when it cannot.
  void reopen();

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  File open() const;

  const std::string path_;
  std::mutex mutex_;  // guards file_
  File file_;
};

}  // namespace mcplane::app
