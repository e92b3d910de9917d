#include "core/read/mapped_file.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/open_file.hpp"

namespace onnx2fx::read {
namespace {

int64_t mtime_ns(const struct stat& status) {
  return int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

class MappedFile final : public ByteSource {
 public:
  ~MappedFile() override {
    if (data) munmap(const_cast<uint8_t*>(data), size);
    if (fd >= 0) close(fd);
  }

  void check_unchanged() const override {
    struct stat now {};
    if (fstat(fd, &now) != 0)
      throw ConversionError(path, std::string("cannot read file: ") + std::strerror(errno));
    const auto got = static_cast<uint64_t>(now.st_size);
    if (got == size && read::mtime_ns(now) == mtime_ns) return;
    const std::string what =
        got == size ? "it was written to"
                    : "expected " + std::to_string(size) + " bytes, got " + std::to_string(got);
    throw ConversionError(path, "the file changed during the conversion: " + what,
                          {"convert again when nobody writes to it"});
  }
};

}  // namespace

std::shared_ptr<ByteSource> map_file(const std::string& path, const std::string& where) {
  const int fd = open_to_read(path);
  if (fd < 0)
    throw ConversionError(where, std::string("cannot open file: ") + std::strerror(errno));
  return map_descriptor(fd, path, where);
}

std::shared_ptr<ByteSource> map_descriptor(int fd, const std::string& path,
                                           const std::string& where) {
  auto file = std::make_shared<MappedFile>();
  file->fd = fd;
  file->path = path;
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    throw ConversionError(where, std::string("cannot read file: ") + std::strerror(errno));
  }
  if (const std::string fault = irregularity(status); !fault.empty())
    throw ConversionError(where, "cannot read file: " + fault);
  file->size = static_cast<uint64_t>(status.st_size);
  file->mtime_ns = mtime_ns(status);
  if (file->size == 0) return file;
  void* memory = mmap(nullptr, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) {
    throw ConversionError(where, std::string("cannot map file: ") + std::strerror(errno));
  }
  file->data = static_cast<const uint8_t*>(memory);
  // What is read lies far apart: no read-ahead into weights.
  madvise(memory, file->size, MADV_RANDOM);
  return file;
}

bool allow_more_files() {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace onnx2fx::read
