#include "core/plugin/library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/plugin/elf_image.hpp"
#include "core/plugin/sha256.hpp"
#include "core/plugin/weight_table.hpp"
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
  /// A path that leads to this very file, whatever its name leads to by now.
  std::string same_file() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& why) const {
    if (fd_ >= 0) close(fd_);
    throw PluginError(path, "cannot be opened: " + why);
  }
  int fd_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

std::string spoken() {
  return std::to_string(O2FX_ABI_MAJOR) + "." + std::to_string(O2FX_ABI_MINOR);
}
constexpr const char* kRemedy = "rebuild the plugin against this SDK, or upgrade onnx2fx";

ElfImage image_of(std::span<const uint8_t> file, const std::string& path) {
  try {
    return read_elf(file);
  } catch (const std::runtime_error& e) {
    throw PluginError(path, e.what());
  }
}

void judge(const ElfImage& image, const std::string& path) {
  if (image.exported(kEntry)) return;
  for (const std::string& symbol : image.exports)
    if (symbol.starts_with(kEntryStem))
      throw PluginError(
          path,
          "plugin ABI " + symbol.substr(std::strlen(kEntryStem)) + ", this host speaks " + spoken(),
          {kRemedy});
  throw PluginError(path, std::string("exports no ") + kEntry,
                    {"a plugin is built with onnx2fx_add_plugin()"});
}

/// Libraries stay mapped: their tables, and whatever they registered elsewhere, are in use.
void keep(std::unique_ptr<boost::dll::shared_library> library) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(library));
}

const o2fx_plugin* map(const std::string& path) {
  boost::dll::fs::error_code error;
  auto library = std::make_unique<boost::dll::shared_library>();
  library->load(path, error, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (error) {
    const char* said = dlerror();
    std::string text = said ? said : error.message();
    if (text.starts_with(path + ": ")) text.erase(0, path.size() + 2);
    throw PluginError(path, text);
  }
  const auto entry = &library->get<const o2fx_plugin*()>(kEntry);
  keep(std::move(library));
  return entry();
}

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const auto lead = static_cast<unsigned char>(s[i]);
    const size_t n = lead < 0x80                   ? 1
                     : lead >= 0xC2 && lead < 0xE0 ? 2
                     : lead >= 0xE0 && lead < 0xF0 ? 3
                     : lead >= 0xF0 && lead < 0xF5 ? 4
                                                   : 0;
    if (n == 0 || i + n > s.size()) return false;
    for (size_t k = 1; k < n; k++)
      if ((static_cast<unsigned char>(s[i + k]) & 0xC0) != 0x80) return false;
    i += n;
  }
  return true;
}

bool is_name(o2fx_str s, bool may_be_empty) {
  constexpr uint64_t kLongest = 4096;
  if (s.len == 0) return may_be_empty;
  return s.data && s.len <= kLongest && is_utf8({s.data, s.len});
}
std::string text(o2fx_str s) { return std::string(s.data, s.len); }

class TableCheck {
 public:
  TableCheck(const o2fx_plugin* table, std::string where) : raw_(table), where_(std::move(where)) {}

  o2fx_plugin run() {
    head();
    if (faults_.empty()) names();
    if (faults_.empty()) op_rows();
    if (!faults_.empty()) throw PluginError(std::move(faults_));
    return table_;
  }

 private:
  void fault(const std::string& what, std::vector<std::string> notes = {}) {
    faults_.push_back({Severity::kError, where_, what, std::move(notes)});
  }

  void head() {
    constexpr uint64_t kLargest = 4096;
    if (!raw_) return fault(std::string(kEntry) + ": expected a table, got NULL");
    constexpr uint64_t kMinor0 =
        offsetof(o2fx_plugin, get_extension) + sizeof(table_.get_extension);
    if (raw_->struct_size < kMinor0 || raw_->struct_size > kLargest || raw_->struct_size % 8)
      return fault("struct_size: expected at least " + std::to_string(kMinor0) + " bytes, got " +
                   std::to_string(raw_->struct_size));
    std::memcpy(&table_, raw_, std::min<uint64_t>(raw_->struct_size, sizeof table_));
    if (table_.abi_major != O2FX_ABI_MAJOR)
      return fault("plugin ABI " + std::to_string(table_.abi_major) + "." +
                       std::to_string(table_.abi_minor) + ", this host speaks " + spoken(),
                   {kRemedy});
    if (table_.abi_min_minor > O2FX_ABI_MINOR)
      return fault("needs a host of ABI " + std::to_string(table_.abi_major) + "." +
                       std::to_string(table_.abi_min_minor) + " or newer, this host speaks " +
                       spoken(),
                   {"upgrade onnx2fx"});
    if (table_.flags & ~O2FX_PLUGIN_CONCURRENT)
      fault("flags: expected known ones, got " + std::to_string(table_.flags));
  }
  void names() {
    if (!is_name(table_.id, false)) fault("id: expected a name in UTF-8, got none");
    if (!is_name(table_.version, false)) fault("version: expected a version in UTF-8, got none");
    if (table_.n_ops && !table_.ops)
      fault("ops: expected " + std::to_string(table_.n_ops) + " rows, got NULL");
    if (table_.n_ops &&
        (table_.op_size < sizeof(o2fx_op) || table_.op_size % 8 || table_.op_size > 1024))
      fault("op_size: expected at least " + std::to_string(sizeof(o2fx_op)) + " bytes, got " +
            std::to_string(table_.op_size));
  }
  void op_rows() {
    std::map<std::tuple<std::string, std::string, int32_t>, uint32_t> seen;
    uint32_t i = 0;
    for (const o2fx_op* op : rows(table_)) {
      const std::string at = "op row " + std::to_string(i);
      if (!is_name(op->domain, true) || !is_name(op->op_type, false)) {
        fault(at + ": expected domain and op_type in UTF-8, got something else");
      } else {
        row(*op, at + " (" + shown(domain_of(text(op->domain)), text(op->op_type)) + ")");
        const auto [first, is_new] =
            seen.try_emplace({domain_of(text(op->domain)), text(op->op_type), op->since_opset}, i);
        if (!is_new)
          fault(at + " (" + shown(domain_of(text(op->domain)), text(op->op_type)) +
                "): since_opset " + std::to_string(op->since_opset) + " already stands in row " +
                std::to_string(first->second));
      }
      i++;
    }
  }
  void row(const o2fx_op& op, const std::string& at) {
    if (op.since_opset < 1)
      fault(at + ": since_opset: expected at least 1, got " + std::to_string(op.since_opset));
    if (op.until_opset != 0 && op.until_opset < op.since_opset)
      fault(at + ": until_opset: expected 0 or at least " + std::to_string(op.since_opset) +
            ", got " + std::to_string(op.until_opset));
    if (op.flags || op.reserved) fault(at + ": flags and reserved: expected 0, got another value");
    if (!op.lower) fault(at + ": lower: expected a function, got NULL");
  }

  const o2fx_plugin* raw_;
  std::string where_;
  o2fx_plugin table_{};
  std::vector<Diagnostic> faults_;
};

std::string row_text(const std::string& domain, const std::string& op_type, int32_t since,
                     int32_t until) {
  return shown(DescribedOp{domain, op_type, since, until});
}

}  // namespace

ElfImage read_image(const std::string& path) { return image_of(FileView(path).bytes(), path); }

const o2fx_plugin* load_library(const std::string& path, const std::string& sha256_wanted) {
  const FileView file(path);
  judge(image_of(file.bytes(), path), path);
  if (sha256_wanted.empty()) return map(path);
  const std::string found = sha256(file.bytes());
  if (found != sha256_wanted)
    throw PluginError(path, "sha256: expected " + sha256_wanted + ", got " + found);
  return map(file.same_file());
}

o2fx_plugin accepted_table(const o2fx_plugin* table, const std::string& where) {
  return TableCheck(table, where).run();
}

std::vector<const o2fx_op*> rows(const o2fx_plugin& table) {
  std::vector<const o2fx_op*> r(table.n_ops);
  for (uint32_t i = 0; i < table.n_ops; i++)
    r[i] = reinterpret_cast<const o2fx_op*>(reinterpret_cast<const char*>(table.ops) +
                                            size_t{i} * table.op_size);
  return r;
}

Descriptor describe(const o2fx_plugin& table) {
  Descriptor d;
  d.id = text(table.id);
  d.version = text(table.version);
  d.abi_major = table.abi_major;
  d.abi_min_minor = table.abi_min_minor;
  for (const o2fx_op* op : rows(table))
    d.ops.push_back(
        {domain_of(text(op->domain)), text(op->op_type), op->since_opset, op->until_opset});
  d.schemes = schemes(accepted_weights(table, "plugin " + d.id));
  return d;
}

void require_agreement(const o2fx_plugin& table, const Descriptor& descriptor) {
  std::vector<Diagnostic> faults;
  const auto fault = [&](const std::string& what) {
    faults.push_back(
        {Severity::kError, descriptor.library, what, {"the descriptor is " + descriptor.file}});
  };
  const Descriptor own = describe(table);
  if (own.id != descriptor.id)
    fault("id: expected '" + descriptor.id + "' as in the descriptor, got '" + own.id + "'");
  if (own.version != descriptor.version)
    fault("version: expected " + descriptor.version + " as in the descriptor, got " + own.version);
  const auto compare = [&](const char* what, auto row_texts) {
    std::map<std::string, int> balance;
    for (const std::string& row : row_texts(descriptor)) balance[row]++;
    for (const std::string& row : row_texts(own)) balance[row]--;
    std::string missing, extra;
    for (const auto& [name, n] : balance) {
      if (n > 0) missing += (missing.empty() ? "" : ", ") + name;
      if (n < 0) extra += (extra.empty() ? "" : ", ") + name;
    }
    const std::string kind = what;
    if (!missing.empty())
      fault(kind + ": the descriptor promises what the library lacks: " + missing);
    if (!extra.empty())
      fault(kind + ": the library has what the descriptor does not say: " + extra);
  };
  compare("ops", [](const Descriptor& d) {
    std::vector<std::string> all;
    for (const DescribedOp& op : d.ops)
      all.push_back(row_text(op.domain, op.op_type, op.since, op.until));
    return all;
  });
  compare("weights", [](const Descriptor& d) {
    std::vector<std::string> all;
    for (const DescribedScheme& scheme : d.schemes) {
      all.push_back(scheme.name);
      for (const std::string& suffix : scheme.suffixes)
        all.push_back(scheme.name + " (" + suffix + ")");
    }
    return all;
  });
  if (!faults.empty()) throw PluginError(std::move(faults));
}

}  // namespace onnx2fx::plugin
