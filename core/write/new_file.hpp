// A file that is written from its beginning to its end, from memory and out of other files, in
// constant memory: what comes from a file goes through neither the heap nor a mapping.
#ifndef ONNX2FX_CORE_WRITE_NEW_FILE_HPP_
#define ONNX2FX_CORE_WRITE_NEW_FILE_HPP_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace onnx2fx::write {

/// A range of an open file. Whoever opened it keeps it open.
struct FileBytes {
  int fd;
  uint64_t offset, length;
  std::string path;  ///< for messages
};

/// Every fault throws ConversionError with the system's own words: "out/graph.json: expected to
/// write 512 bytes, got: No space left on device". Not thread-safe.
class NewFile {
 public:
  /// Makes `path`, which must not exist. For messages: `where` is the file's name, `size` what it
  /// will have in all.
  NewFile(std::filesystem::path path, std::string where, uint64_t size);
  /// Without close() the file is removed.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void append(std::span<const uint8_t> bytes);
  void append(std::string_view text);
  /// Copied inside the kernel where it can: within a file system.
  void append(const FileBytes& range);

  /// The file is whole and stays. It is not synced: after a power failure it may be shorter.
  void close();

 private:
  uint64_t append_in_kernel(const FileBytes& range);
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::string where_;
  uint64_t size_;
  int fd_ = -1;
  bool in_kernel_ = true;
};

}  // namespace onnx2fx::write

#endif
