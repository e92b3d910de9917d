#include "core/plugin/descriptor_cache.hpp"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostKept = size_t{1} << 14;

/// What was made of a file or folder, as long as that stays as it was. What had only just changed
/// is not trusted: a second change would not show.
template <class T>
class Kept {
 public:
  const T* find(const std::string& path, const struct stat& now) const {
    const auto at = entries_.find(path);
    const bool same =
        at != entries_.end() && at->second.settled && at->second.file == read::FileIdentity(now);
    return same ? &at->second.value : nullptr;
  }
  void put(const std::string& path, const struct stat& status, T value) {
    const read::FileIdentity file(status);
    if (entries_.size() >= kMostKept) entries_.clear();
    entries_.insert_or_assign(path, Entry{file, file.is_settled(), std::move(value)});
  }
  bool knows(const std::string& path) const { return entries_.contains(path); }

 private:
  struct Entry {
    read::FileIdentity file;
    bool settled;
    T value;
  };
  std::unordered_map<std::string, Entry> entries_;
};

struct Cache {
  std::mutex mutex;
  Kept<std::shared_ptr<const DescriptorFile>> files;
  Kept<std::vector<std::string>> folders;
};
Cache& cache() {
  static Cache& all = *new Cache;
  return all;
}

std::shared_ptr<const DescriptorFile> read_file(const std::string& path,
                                                const std::string& folder) {
  auto file = std::make_shared<DescriptorFile>();
  try {
    file->descriptor = std::make_shared<const Descriptor>(
        read_descriptor(path, folder, file->faults, &file->opened));
  } catch (const PluginError& e) {
    file->faults = e.diagnostics;
    Descriptor unread;
    unread.file = path;
    file->descriptor = std::make_shared<const Descriptor>(std::move(unread));
  }
  return file;
}

std::vector<std::string> list(const std::string& folder, std::error_code& error) {
  constexpr std::string_view kSuffix = ".onnx2fx.json";
  std::vector<std::string> paths;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const std::string& path = it->path().native();
    std::error_code broken;  // a link that leads nowhere
    if (path.ends_with(kSuffix) && it->exists(broken) && !it->is_directory(broken))
      paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::shared_ptr<const DescriptorFile> descriptor_file(const std::string& path,
                                                      const std::string& folder) {
  const std::lock_guard lock(cache().mutex);
  auto& files = cache().files;
  struct stat now {};
  if (files.knows(path) && stat(path.c_str(), &now) == 0)
    if (const auto* kept = files.find(path, now)) return *kept;
  std::shared_ptr<const DescriptorFile> file = read_file(path, folder);
  if (file->opened.status.st_nlink) files.put(path, file->opened.status, file);
  return file;
}

std::vector<std::string> descriptors_in(const std::string& folder, std::error_code& error) {
  const std::lock_guard lock(cache().mutex);
  auto& folders = cache().folders;
  struct stat now {};
  const bool is_there = stat(folder.c_str(), &now) == 0;
  if (is_there)
    if (const auto* kept = folders.find(folder, now)) return *kept;
  std::vector<std::string> paths = list(folder, error);
  if (is_there && !error) folders.put(folder, now, paths);
  return paths;
}

}  // namespace onnx2fx::plugin
