// stdin is an anonymous file that holds the whole input: no writer that could block or get SIGPIPE. stdout and stderr
// are pipes read without blocking, and a pidfd says when the child ended, so one poll() watches everything.
#include "app/worker/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace mcplane::app {
namespace {

using Clock = std::chrono::steady_clock;

// Output goes away in pieces of this size, or when the child has paused: what is short and quick stays one piece.
constexpr std::size_t kPieceBytes = 16U << 10;
constexpr std::chrono::milliseconds kPause{2};
constexpr std::chrono::milliseconds kAskAgain{20};  // whether it is still wanted

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const noexcept { return fd_; }
  bool open() const noexcept { return fd_ >= 0; }
  void reset() noexcept {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read, write;
};

Pipe make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return {};
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return {Descriptor(fds[0]), Descriptor(fds[1])};
}

Descriptor make_input(const std::string& input) {
  Descriptor file(memfd_create("mcplane-task", MFD_CLOEXEC));
  for (std::size_t written = 0; file.open() && written < input.size();) {
    const ssize_t count = write(file.get(), input.data() + written, input.size() - written);
    if (count <= 0) return {};
    written += static_cast<std::size_t>(count);
  }
  if (file.open()) lseek(file.get(), 0, SEEK_SET);
  return file;
}

// "NAME=value" of ours and of the request's, the latter winning.
std::vector<std::string> make_environment(const ChildRequest& request) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : request.environment) environment.push_back(name + "=" + value);
  const std::size_t added = environment.size();
  for (char** ours = environ; *ours != nullptr; ++ours) {
    const std::string_view entry = *ours;
    const std::string_view name = entry.substr(0, entry.find('=') + 1);
    const auto replaced = [&](const std::string& other) { return other.starts_with(name); };
    if (std::none_of(environment.begin(), environment.begin() + static_cast<std::ptrdiff_t>(added), replaced))
      environment.emplace_back(entry);
  }
  return environment;
}

// A process group of its own, and the signal state a shell expects: nothing blocked, SIGPIPE fatal.
int spawn(const ChildRequest& request, int input, int output, int errors, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> environment = make_environment(request);
  std::vector<char*> pointers;
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  std::string shell = "sh";
  std::string option = "-c";
  std::string command = request.command;
  char* const arguments[] = {shell.data(), option.data(), command.data(), nullptr};
  const int error = posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments, pointers.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

// Takes what is there. False when the other end is closed.
template <class Take>
bool drain(const Descriptor& pipe, Take take) {
  std::array<char, 4'096> chunk;
  for (;;) {
    const ssize_t count = read(pipe.get(), chunk.data(), chunk.size());
    if (count > 0 && !take(std::string_view(chunk.data(), static_cast<std::size_t>(count)))) return true;
    if (count == 0) return false;
    if (count < 0 && errno != EINTR) return errno == EAGAIN;
  }
}

// Keeps the last bytes only: a child may say a lot before it fails.
struct Tail {
  static constexpr std::size_t kBytesMax = 1'024;
  std::string text;

  bool add(std::string_view more) {
    text += more;
    if (text.size() > kBytesMax) text.erase(0, text.size() - kBytesMax);
    return true;
  }
  std::string last_line() const {
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    if (end == std::string::npos) return "";
    const std::size_t before = text.find_last_of("\r\n", end);
    const std::size_t start = before == std::string::npos ? 0 : before + 1;
    return text.substr(start, end + 1 - start);
  }
};

int poll_timeout_ms(Clock::time_point deadline, bool holds_output) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const auto longest = holds_output ? kPause : kAskAgain;
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, longest.count()));
}

// Until the child ended, was told to, or must be.
ChildEnd watch(int pidfd, Pipe& output, Pipe& errors, const ChildRequest& request, Clock::time_point deadline,
               ChildResult& result, Tail& tail) {
  const auto take_output = [&](std::string_view more) {
    result.output += more;
    return result.output.size() < kPieceBytes;
  };
  const auto take_error = [&](std::string_view more) { return tail.add(more); };
  for (;;) {
    // poll() ignores negative descriptors.
    pollfd watched[] = {{pidfd, POLLIN, 0},
                        {request.interrupt_fd, POLLIN, 0},
                        {output.read.get(), POLLIN, 0},
                        {errors.read.get(), POLLIN, 0}};
    const int ready = poll(watched, std::size(watched), poll_timeout_ms(deadline, !result.output.empty()));
    if (ready < 0 && errno != EINTR) return ChildEnd::kInterrupted;
    if (ready < 0) continue;
    if (output.read.open() && !drain(output.read, take_output)) output.read.reset();
    if (errors.read.open() && !drain(errors.read, take_error)) errors.read.reset();
    const bool full = result.output.size() >= kPieceBytes;  // there may be more, even of one that has ended
    const bool gives = full || (ready == 0 && !result.output.empty());
    if (gives && !request.take_output(std::exchange(result.output, {}))) return ChildEnd::kUnwanted;
    if (watched[0].revents != 0 && !full) return ChildEnd::kExited;
    if (watched[1].revents != 0) return ChildEnd::kInterrupted;
    if (request.unwanted()) return ChildEnd::kUnwanted;
    if (Clock::now() >= deadline) return ChildEnd::kTimedOut;
  }
}

}  // namespace

ChildResult run_child(const ChildRequest& request) {
  const auto deadline = Clock::now() + request.time_limit;
  ChildResult result;
  Descriptor input = make_input(request.input);
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  if (!input.open() || !output.read.open() || !errors.read.open()) {
    result.code = errno;
    return result;
  }
  pid_t pid = 0;
  result.code = spawn(request, input.get(), output.write.get(), errors.write.get(), pid);
  if (result.code != 0) return result;
  output.write.reset();
  errors.write.reset();
  Tail tail;
  const Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.open())
    result.end = watch(pidfd.get(), output, errors, request, deadline, result, tail);
  else
    result.code = errno;
  // Before the child is reaped its group id cannot be anybody else's.
  kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  result.error_line = tail.last_line();
  if (result.end != ChildEnd::kExited) return result;
  result.end = WIFSIGNALED(status) ? ChildEnd::kSignalled : ChildEnd::kExited;
  result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace mcplane::app
