// Opening a file that somebody named, which may turn out to be a pipe that nobody writes to, or a
// device: nothing is waited for, and no device is touched.
#ifndef ONNX2FX_CORE_READ_OPEN_FILE_HPP_
#define ONNX2FX_CORE_READ_OPEN_FILE_HPP_

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace onnx2fx::read {

/// A descriptor for reading; of what is no regular file, one that can be looked at and no more. -1
/// and errno: there is nothing that may be opened. is_link: whether the path is a symbolic link.
int open_to_read(const std::string& path, bool* is_link = nullptr);

/// "expected a regular file, got a folder"; "" for a regular file.
std::string irregularity(const struct stat& status);

/// What was opened.
struct Opened {
  struct stat status {};  ///< as the open file says it; st_nlink 0: there was none
  bool is_link = false;   ///< its path is a symbolic link
};

/// All of a regular file, but at most `most` bytes. Throws std::runtime_error: "No such file or
/// directory", "expected a regular file, got a device or pipe".
std::string read_regular(const std::string& path, size_t most, Opened* opened = nullptr);

/// Which file it is and in which state: equal ones have equal bytes, unless somebody wrote to it
/// twice within a tick of the file system's clock.
struct FileIdentity {
  explicit FileIdentity(const struct stat& status);
  bool operator==(const FileIdentity&) const = default;
  bool is_same_file(const FileIdentity& o) const { return device == o.device && inode == o.inode; }
  /// Has the file lain unchanged for so long that a later change shows?
  bool is_settled() const;

  uint64_t device, inode;
  int64_t size, written_ns, changed_ns;
};

}  // namespace onnx2fx::read

#endif
