#include "core/write/new_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "onnx2fx/diagnostic.hpp"

namespace onnx2fx::write {
namespace {

constexpr uint64_t kBuffer = 1 << 18;

}  // namespace

NewFile::NewFile(std::filesystem::path path, std::string where, uint64_t size)
    : path_(std::move(path)), where_(std::move(where)), size_(size) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(errno);
}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void NewFile::append(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) fail(errno);
    if (done > 0) bytes = bytes.subspan(static_cast<size_t>(done));
  }
}

void NewFile::append(std::string_view text) {
  append(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

void NewFile::append(const FileBytes& range) {
  uint64_t done = append_in_kernel(range);
  std::vector<uint8_t> buffer(std::min(kBuffer, range.length - done));
  while (done < range.length) {
    const size_t wanted = std::min<uint64_t>(buffer.size(), range.length - done);
    const ssize_t got =
        ::pread(range.fd, buffer.data(), wanted, static_cast<off_t>(range.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw ConversionError(
          range.path,
          "expected " + std::to_string(range.length) + " bytes at offset " +
              std::to_string(range.offset) + ", got: " +
              (got < 0 ? std::strerror(errno) : std::to_string(done) + " and the end of the file"));
    }
    append(std::span<const uint8_t>(buffer).first(static_cast<size_t>(got)));
    done += static_cast<uint64_t>(got);
  }
}

/// How much of the range that did. Two file systems may not be able to; and what is at fault, the
/// file or the disk, the caller's own reading and writing tells.
uint64_t NewFile::append_in_kernel(const FileBytes& range) {
  ::posix_fadvise(range.fd, static_cast<off_t>(range.offset), static_cast<off_t>(range.length),
                  POSIX_FADV_SEQUENTIAL);
  uint64_t done = 0;
  while (in_kernel_ && done < range.length) {
    auto at = static_cast<off64_t>(range.offset + done);
    const ssize_t copied = ::copy_file_range(range.fd, &at, fd_, nullptr, range.length - done, 0);
    in_kernel_ = copied > 0;
    if (copied > 0) done += static_cast<uint64_t>(copied);
  }
  return done;
}

void NewFile::close() {
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) == 0) return;
  const int error = errno;
  ::unlink(path_.c_str());
  fail(error);
}

void NewFile::fail(int error) const {
  std::vector<std::string> notes;
  if (error == ENOSPC || error == EDQUOT)
    notes = {"make room on that disk, or choose a folder on another"};
  throw ConversionError(
      where_, "expected to write " + std::to_string(size_) + " bytes, got: " + std::strerror(error),
      notes);
}

}  // namespace onnx2fx::write
