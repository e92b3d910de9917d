#include "core/weights/external_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/mapped_file.hpp"

namespace onnx2fx::weights {
namespace {

// O_NONBLOCK: a FIFO without a writer must not hang the open; map_descriptor refuses it.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd) { fd_ = fd; }

 private:
  int fd_;
};

std::string joined(const std::string& folder, const std::string& location) {
  return folder + "/" + location;
}

bool is_absent(int error) { return error == ENOENT || error == ENOTDIR; }

/// The kernel keeps the whole resolution beneath the folder: no race, no symlink out of it. Else -1
/// and errno.
int open_beneath(const std::string& folder, const std::string& location) {
  const Descriptor directory(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return -1;
  struct open_how how {};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = syscall(SYS_openat2, directory.get(), location.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed meanwhile.
    if (fd >= 0 || errno != EAGAIN || attempt == 8) return static_cast<int>(fd);
  }
}

/// Where an open file really lies; empty if it cannot be told.
std::filesystem::path real_path(int fd) {
  std::string buffer(PATH_MAX, '\0');
  const ssize_t size =
      readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), buffer.data(), buffer.size());
  if (size <= 0 || buffer[0] != '/') return {};
  buffer.resize(static_cast<size_t>(size));
  return buffer;
}

bool lies_in(const std::filesystem::path& file, const std::string& folder) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(folder, error);
  if (error) return false;
  auto at = file.begin();
  for (const std::filesystem::path& part : root) {
    if (at == file.end() || *at != part) return false;
    ++at;
  }
  return at != file.end();
}

bool in_a_root(int fd, const Folders& folders) {
  const std::filesystem::path real = real_path(fd);
  return std::any_of(folders.roots.begin(), folders.roots.end(),
                     [&](const std::string& root) { return lies_in(real, root); });
}

[[noreturn]] void refuse(const std::string& location, const std::string& why,
                         const std::string& where) {
  throw ConversionError(where, "external data " + quoted(location) + ": " + why,
                        {"if that file is meant, allow its folder with --weights-root, in Python "
                         "with weight_roots"});
}

/// Looks where the path leads before that is opened: to open a device may already do something.
int look_and_open(const std::string& location, const Folders& folders, const std::string& where) {
  const Descriptor file(open(joined(folders.model, location).c_str(), O_PATH | O_CLOEXEC));
  if (file.get() < 0) return -1;
  if (!lies_in(real_path(file.get()), folders.model) && !in_a_root(file.get(), folders))
    refuse(location, "leads out of the model's folder", where);
  return open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), kFlags);
}

/// A second name of a file may be one outside: whoever wrote the model's folder may link to any
/// file that lies on the same disk.
void check_links(int fd, const std::string& location, const Folders& folders,
                 const std::string& where) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink < 2) return;
  if (!in_a_root(fd, folders))
    refuse(location,
           "expected a file with one name, got one with " + std::to_string(status.st_nlink) +
               " hard links",
           where);
}

}  // namespace

std::string quoted(const std::string& location) {
  std::string out = "'";
  for (const char c : location) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20) {
      out += {'\\', 'x', kHex[code >> 4], kHex[code & 15]};
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string location_fault(const std::string& location) {
  if (location.empty()) return "no location is given";
  if (location.find('\0') != std::string::npos)
    return "expected a file name, got one with a NUL in it";
  if (location[0] == '/') return "expected a path inside the model's folder, got an absolute one";
  for (const std::filesystem::path& part : std::filesystem::path(location)) {
    if (part == "..") return "expected a path inside the model's folder, got one with '..'";
  }
  return "";
}

std::vector<std::string> absolute_roots(const std::vector<std::string>& roots) {
  std::vector<std::string> all;
  for (const std::string& root : roots) {
    std::error_code error;
    if (!std::filesystem::is_directory(root, error))
      throw ConversionError("weights root " + quoted(root),
                            "expected a folder, got " + (error ? error.message() : "a file"));
    all.push_back(std::filesystem::absolute(root).lexically_normal().string());
  }
  return all;
}

std::shared_ptr<read::ByteSource> open_external(const std::string& location, const Folders& folders,
                                                const std::string& where) {
  Descriptor file(open_beneath(folders.model, location));
  if (file.get() < 0 && errno == EMFILE && read::allow_more_files())
    file.reset(open_beneath(folders.model, location));
  // EXDEV: leads out of the folder, which a root may allow. Else: a kernel or sandbox without
  // openat2.
  const bool look = file.get() < 0 && (errno == EXDEV || errno == ENOSYS || errno == EPERM ||
                                       errno == EINVAL || errno == EAGAIN);
  if (look) file.reset(look_and_open(location, folders, where));
  if (file.get() < 0 && is_absent(errno)) return nullptr;
  if (file.get() < 0)
    throw ConversionError(where, "external data " + quoted(location) + ": " + std::strerror(errno));
  check_links(file.get(), location, folders, where);
  return read::map_descriptor(
      file.release(), joined(folders.model, location),
      (where.empty() ? "" : where + ": ") + "external data " + quoted(location));
}

}  // namespace onnx2fx::weights
