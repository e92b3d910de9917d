#include "core/plugin/descriptor_cache.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostKept = size_t{1} << 14;
constexpr size_t kFewFiles = 32;  // for which no thread is worth its start
constexpr size_t kMostReaders = 4;

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

std::shared_ptr<const DescriptorFile> kept_file(const std::string& path) {
  const std::lock_guard lock(cache().mutex);
  struct stat now {};
  if (!cache().files.knows(path) || stat(path.c_str(), &now) != 0) return nullptr;
  const auto* kept = cache().files.find(path, now);
  return kept ? *kept : nullptr;
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
  return descriptor_files({path}, folder)[0];
}

std::vector<std::shared_ptr<const DescriptorFile>> descriptor_files(
    const std::vector<std::string>& paths, const std::string& folder) {
  std::vector<std::shared_ptr<const DescriptorFile>> all(paths.size());
  std::vector<size_t> unread;
  for (size_t i = 0; i < paths.size(); i++)
    if (!(all[i] = kept_file(paths[i]))) unread.push_back(i);
  std::atomic<size_t> next = 0;
  const auto read = [&] {
    for (size_t i; (i = next++) < unread.size();)
      all[unread[i]] = read_file(paths[unread[i]], folder);
  };
  {  // where no thread is to be had, or needed, the reading is done by this one
    const size_t cores = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostReaders);
    std::vector<std::future<void>> others(std::min(cores - 1, unread.size() / kFewFiles));
    for (std::future<void>& other : others) other = std::async(read);
    read();
  }
  const std::lock_guard lock(cache().mutex);
  for (const size_t i : unread)
    if (const struct stat& status = all[i]->opened.status; status.st_nlink)
      cache().files.put(paths[i], status, all[i]);
  return all;
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
