#include "core/read/open_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace onnx2fx::read {

int open_to_read(const std::string& path, bool* is_link) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return -1;
  const bool link = S_ISLNK(status.st_mode);
  if (is_link) *is_link = link;
  if (link && stat(path.c_str(), &status) != 0) return -1;
  // Another file may lie there by now: hence O_NONBLOCK, and whoever asks judges the descriptor.
  const int how = S_ISREG(status.st_mode) ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH;
  return open(path.c_str(), how | O_CLOEXEC);
}

std::string irregularity(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return "";
  return std::string("expected a regular file, got ") +
         (S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe");
}

std::string read_regular(const std::string& path, size_t most, Opened* opened) {
  Opened own;
  Opened& about = opened ? *opened : own;
  struct stat& status = about.status;
  const int fd = open_to_read(path, &about.is_link);
  std::string text, fault;
  if (fd < 0 || fstat(fd, &status) != 0) fault = std::strerror(errno);
  if (fault.empty()) fault = irregularity(status);
  if (fault.empty()) text.resize(std::min(most, static_cast<size_t>(status.st_size)));
  for (size_t done = 0; fault.empty() && done < text.size();) {
    const ssize_t n = ::read(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fault = std::strerror(errno);
    if (n == 0) text.resize(done);  // it became shorter
    done += static_cast<size_t>(std::max<ssize_t>(n, 0));
  }
  if (fd >= 0) close(fd);
  if (!fault.empty()) throw std::runtime_error(fault);
  return text;
}

static int64_t nanoseconds(const timespec& t) {
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

FileIdentity::FileIdentity(const struct stat& s)
    : device(s.st_dev),
      inode(s.st_ino),
      size(s.st_size),
      written_ns(nanoseconds(s.st_mtim)),
      changed_ns(nanoseconds(s.st_ctim)) {}

bool FileIdentity::is_settled() const {
  constexpr int64_t kCoarsestClock = 2'000'000'000;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now) - changed_ns > kCoarsestClock;
}

}  // namespace onnx2fx::read
