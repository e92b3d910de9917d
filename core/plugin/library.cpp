#include "core/plugin/library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "core/plugin/exit_report.hpp"
#include "core/plugin/sha256.hpp"
#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {

namespace {

constexpr const char* kEntry = "onnx2fx_plugin_entry_1";
constexpr const char* kEntryStem = "onnx2fx_plugin_entry_";

/// An open, mapped file.
class FileView {
 public:
  explicit FileView(const std::string& path) : fd_(read::open_to_read(path)) {
    struct stat s {};
    if (fd_ < 0 || fstat(fd_, &s) != 0) fail(path, std::strerror(errno));
    if (const std::string fault = read::irregularity(s); !fault.empty()) fail(path, fault);
    size_ = static_cast<size_t>(s.st_size);
    identity_.emplace(s);
    if (size_ == 0) return;
    data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
    if (data_ == MAP_FAILED) fail(path, std::strerror(errno));
  }
  ~FileView() {
    if (data_) munmap(data_, size_);
    close(fd_);
  }
  FileView(const FileView&) = delete;
  FileView& operator=(const FileView&) = delete;

  std::span<const uint8_t> bytes() const { return {static_cast<const uint8_t*>(data_), size_}; }
  const read::FileIdentity& identity() const { return *identity_; }

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& why) const {
    if (fd_ >= 0) close(fd_);
    throw PluginError(path, "cannot be opened: " + why);
  }
  int fd_;
  void* data_ = nullptr;
  size_t size_ = 0;
  std::optional<read::FileIdentity> identity_;
};

ElfImage image_of(std::span<const uint8_t> file, const std::string& path) {
  try {
    return read_elf(file);
  } catch (const std::runtime_error& e) {
    throw PluginError(path, e.what());
  }
}

std::string spoken() {
  return std::to_string(O2FX_ABI_MAJOR) + "." + std::to_string(O2FX_ABI_MINOR);
}

void require_entry(const ElfImage& image, const std::string& path) {
  if (image.exported(kEntry)) return;
  for (const std::string& symbol : image.exports)
    if (symbol.starts_with(kEntryStem))
      throw PluginError(
          path,
          "plugin ABI " + symbol.substr(std::strlen(kEntryStem)) + ", this host speaks " + spoken(),
          {"rebuild the plugin against this SDK, or upgrade onnx2fx"});
  throw PluginError(path, std::string("exports no ") + kEntry,
                    {"a plugin is built with onnx2fx_add_plugin()"});
}

void judge(const ElfImage& image, const std::string& path, bool hashed) {
  require_entry(image, path);
  std::vector<Diagnostic> faults;
  for (std::string& what : relative_paths(image))
    faults.push_back({Severity::kError, path, std::move(what), {}});
  for (const std::string& run_path : image.run_paths)
    if (hashed && run_path.starts_with("$"))
      faults.push_back({Severity::kError,
                        path,
                        "run path '" + run_path +
                            "': expected none beside a sha256, which does not cover what it leads "
                            "to",
                        {}});
  if (!faults.empty()) throw PluginError(std::move(faults));
}

void require_hash(std::span<const uint8_t> bytes, const std::string& wanted,
                  const std::string& path) {
  const std::string found = sha256(bytes);
  if (found != wanted) throw PluginError(path, "sha256: expected " + wanted + ", got " + found);
}

/// A copy that nobody can write to, under a name that is never used again: the descriptor stays
/// open as long as the process. Nobody can change these bytes between hashing and mapping.
std::string sealed_copy(std::span<const uint8_t> bytes, const std::string& path) {
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC, of Linux 6.3
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const std::string name = path.substr(path.rfind('/') + 1);
  int fd = memfd_create(name.c_str(), kFlags | kExecutable);
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name.c_str(), kFlags);
  for (std::span<const uint8_t> rest = bytes; fd >= 0 && !rest.empty();) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno != EINTR) break;
    rest = rest.subspan(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (rest.empty() && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0)
      return "/proc/self/fd/" + std::to_string(fd);
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  throw PluginError(path, std::string("cannot be copied to memory: ") + std::strerror(error));
}

/// Runs code of the library: f. It is C's border, but a static initialiser may throw.
template <class F>
auto contained(const std::string& path, const char* what, F f) {
  const auto threw = [&](const std::string& text) {
    throw PluginError(path, std::string(what) + " threw an exception: " + text,
                      {"end this process: its loader is left in the middle of a call"});
  };
  try {
    return f();
  } catch (const std::exception& e) {
    threw(e.what());
  } catch (...) {
    threw("no std::exception");
  }
  return decltype(f()){};
}

[[noreturn]] void fail_to_map(const std::string& name, const std::string& path) {
  const char* said = dlerror();
  std::string text = said ? said : "cannot be loaded";
  if (text.starts_with(name + ": ")) text.erase(0, name.size() + 2);
  throw PluginError(path, text);
}

/// name: what the loader is to know the library by. It stays mapped: its tables, and whatever it
/// registered elsewhere, are in use.
const o2fx_plugin* map(const std::string& name, const std::string& path) {
  // Declared as a function that throws nothing, which is not so: called as one that may.
  void* (*const volatile open)(const char*, int) = &dlopen;
  renew_exit_report();
  void* const library = contained(path, "a static initialiser",
                                  [&] { return open(name.c_str(), RTLD_NOW | RTLD_LOCAL); });
  renew_exit_report();
  if (!library) fail_to_map(name, path);
  const auto entry = reinterpret_cast<const o2fx_plugin* (*)()>(dlsym(library, kEntry));
  if (!entry) fail_to_map(name, path);
  return contained(path, kEntry, [&] { return entry(); });
}

/// A library of the process.
struct Mapped {
  std::string path;
  read::FileIdentity file;  ///< when it was mapped
  bool is_copy;             ///< what becomes of the file does not matter to it
  const o2fx_plugin* table = nullptr;
  std::vector<Diagnostic> fault;  ///< it was mapped, and is of no use
};

class Libraries {
 public:
  const o2fx_plugin* load(const std::string& path, const std::string& wanted) {
    const std::lock_guard lock(mutex_);
    const FileView file(path);
    const auto known = std::find_if(all_.begin(), all_.end(),
                                    [&](const Mapped& m) { return m.file == file.identity(); });
    if (known != all_.end()) {
      if (!wanted.empty()) require_hash(file.bytes(), wanted, path);
      if (!known->fault.empty()) throw PluginError(known->fault);
      return known->table;
    }
    refuse_rewritten(file.identity(), path);
    judge(image_of(file.bytes(), path), path, !wanted.empty());
    if (!wanted.empty()) require_hash(file.bytes(), wanted, path);
    const bool copy = !wanted.empty();
    return map_new(copy ? sealed_copy(file.bytes(), path) : fresh_name(path),
                   {path, file.identity(), copy, nullptr, {}});
  }

 private:
  const o2fx_plugin* map_new(const std::string& name, Mapped m) {
    Mapped& kept = all_.emplace_back(std::move(m));
    try {
      kept.table = map(name, kept.path);
      if (!kept.is_copy) require_unchanged(kept);
    } catch (const PluginError& e) {
      kept.fault = e.diagnostics;
      if (!dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD)) all_.pop_back();  // may load another time
      throw;
    }
    return kept.table;
  }

  static void require_unchanged(const Mapped& m) {
    struct stat now {};
    if (stat(m.path.c_str(), &now) != 0 || read::FileIdentity(now) != m.file)
      throw PluginError(m.path, "it was replaced or written to while it was loaded");
  }

  /// The very file is mapped, and somebody has written into it.
  void refuse_rewritten(const read::FileIdentity& file, const std::string& path) const {
    for (const Mapped& m : all_)
      if (!m.is_copy && m.file.is_same_file(file))
        throw PluginError(
            path,
            "expected the library that is in use, or another file in its place, got "
            "the same file, written to since",
            {"end this process; next time remove the file before it is written anew"});
  }

  /// The loader takes a library that it knows under the same name for this one, without a look at
  /// the file: each gets a spelling of its own.
  std::string fresh_name(const std::string& path) const {
    const size_t slash = path.rfind('/');
    std::string folder = path.substr(0, slash);
    for (const Mapped& m : all_)
      if (m.path == path) folder += "/.";
    return folder + path.substr(slash);
  }

  std::recursive_mutex mutex_;
  std::deque<Mapped> all_;
};

}  // namespace

ElfImage read_image(const std::string& path) { return image_of(FileView(path).bytes(), path); }

const o2fx_plugin* load_library(const std::string& path, const std::string& sha256) {
  static Libraries& all = *new Libraries;
  return all.load(path, sha256);
}

}  // namespace onnx2fx::plugin
