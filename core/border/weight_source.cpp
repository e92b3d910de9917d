#include "core/border/weight_source.hpp"

#include <deque>
#include <exception>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/border/weight_call.hpp"
#include "core/plugin/alone.hpp"
#include "core/plugin/nearest.hpp"
#include "core/weights/external_file.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {
namespace {

using plugin::Plugin;
using weights::Got;
using weights::Want;

std::string shown(int32_t dtype, const std::vector<int64_t>& dims) {
  const std::string carrier = weights::carrier(dtype);
  std::string text = carrier.empty() ? "data type " + std::to_string(dtype) : carrier;
  text += "[";
  for (size_t i = 0; i < dims.size(); i++) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

class PluginSource final : public weights::Source {
 public:
  PluginSource(Plugin& plugin, weights::Opening opening, const SourceContext& context)
      : plugin_(plugin), opening_(std::move(opening)), context_(context) {
    if (opening_.file) add(opening_.location, opening_.file);
    start(plugin_, context_.warn);
    const o2fx_weight_source asked = {sizeof asked, str(opening_.scheme), str(opening_.options),
                                      files_.empty() ? nullptr : &files_[0].table, context_.seed};
    const o2fx_status status = call("open", "", [&](const o2fx_weights_host* host, o2fx_ctx ctx) {
      return ext().open(host, ctx, &asked, &source_);
    });
    if (status != O2FX_OK) misbehaved("open", "", status);
    open_ = true;
  }
  ~PluginSource() override {
    if (!open_) return;
    const plugin::Alone alone(plugin_);
    const plugin::Breadcrumb crumb(plugin_.library, plugin_.id, plugin_.version,
                                   doing("close", ""));
    ext().close(source_);
  }
  PluginSource(const PluginSource&) = delete;
  PluginSource& operator=(const PluginSource&) = delete;

  Got find(const Want& want) override {
    const o2fx_weight asked = table_of(want);
    o2fx_weight_answer answer{};
    answer.struct_size = sizeof answer;
    Got got;
    std::vector<int64_t> dims;
    const o2fx_status status =
        call("find", want.name, [&](const o2fx_weights_host* host, o2fx_ctx ctx) {
          const o2fx_status s = ext().find(host, ctx, source_, &asked, &answer);
          if (s == O2FX_OK && answer.dtype != 0) dims = dims_of(answer, want.name);
          return s;
        });
    if (status == O2FX_DECLINE) return {Got::Kind::kDeclined};
    if (status == O2FX_ABSENT) return {Got::Kind::kAbsent, suggestion(want.name)};
    if (status != O2FX_OK) misbehaved("find", want.name, status);
    if (answer.dtype != 0 && (answer.dtype != want.dtype || dims != want.dims))
      return {Got::Kind::kMismatch,
              "expected " + shown(want.dtype, want.dims) + ", got " + shown(answer.dtype, dims)};
    switch (answer.kind) {
      case O2FX_WEIGHT_META:
        return {Got::Kind::kMeta};
      case O2FX_WEIGHT_OWN:
        return {Got::Kind::kOwn};
      case O2FX_WEIGHT_READ:
        if (!ext().read) fault(want.name, "answered READ, and has no function read");
        return {Got::Kind::kRead};
      case O2FX_WEIGHT_RANGE:
        return range(answer, want);
      default:
        fault(want.name, "find: expected an answer of RANGE, READ, META or OWN, got " +
                             std::to_string(answer.kind));
    }
  }

  std::string read(const Want& want) override {
    const o2fx_weight asked = table_of(want);
    std::string bytes(want.size, '\0');
    const o2fx_status status =
        call("read", want.name, [&](const o2fx_weights_host* host, o2fx_ctx ctx) {
          return ext().read(host, ctx, source_, &asked, bytes.data());
        });
    if (status != O2FX_OK) misbehaved("read", want.name, status);
    return bytes;
  }

 private:
  struct File {
    std::string location;
    std::shared_ptr<read::ByteSource> bytes;
    o2fx_weight_file table;
  };

  static o2fx_str str(const std::string& s) { return {s.data(), s.size()}; }
  const o2fx_weights_ext& ext() const { return plugin_.weights; }

  o2fx_weight table_of(const Want& want) const {
    o2fx_weight w{};
    w.struct_size = sizeof w;
    w.name = str(want.name);
    w.dtype = want.dtype;
    w.rank = static_cast<int32_t>(want.dims.size());
    w.dims = want.dims.data();
    w.size = want.size;
    if (!want.ref) return w;
    w.offset = want.ref->offset;
    w.length = want.ref->length;
    if (want.ref->has_offset) w.stated |= O2FX_STATED_OFFSET;
    if (want.ref->has_length) w.stated |= O2FX_STATED_LENGTH;
    return w;
  }

  const File& add(const std::string& location, std::shared_ptr<read::ByteSource> bytes) {
    files_.push_back({location, std::move(bytes), {}});
    File& f = files_.back();
    f.table = {sizeof f.table,
               str(f.location),
               f.bytes->data,
               f.bytes->size,
               int64_t{f.bytes->fd},
               static_cast<uint32_t>(files_.size() - 1),
               0};
    by_location_[location] = files_.size() - 1;
    return f;
  }

  o2fx_status open_file(const std::string& location, o2fx_weight_file& out) {
    const auto known = by_location_.find(location);
    if (known == by_location_.end()) {
      std::shared_ptr<read::ByteSource> bytes =
          opening_.open_file ? opening_.open_file(location) : nullptr;
      if (!bytes) return O2FX_ABSENT;
      out = add(location, std::move(bytes)).table;
    } else {
      out = files_[known->second].table;
    }
    return O2FX_OK;
  }

  /// Runs one callback. A negative status with a text becomes an exception: one that the host threw
  /// in the callback, or the plugin's words.
  template <class F>
  o2fx_status call(const char* function, const std::string& tensor, F&& f) {
    const plugin::Alone alone(plugin_);
    WeightCall c(plugin_, doing(function, tensor),
                 [this](const std::string& location, o2fx_weight_file& out) {
                   return open_file(location, out);
                 });
    const o2fx_status status = f(weights_host(), c.token());
    for (const Call::Note& n : c.notes)
      if (n.is_warning() && context_.warn)
        context_.warn({Severity::kWarning, described(tensor), n.text, {}});
    if (status >= 0 || c.error_status != status) return status;
    if (c.thrown) std::rethrow_exception(c.thrown);
    const bool placed = context_.debug && !c.error_place.empty();
    const std::string said = c.error + (placed ? " (raised at " + c.error_place + ")" : "");
    if (status == O2FX_E_IO || status == O2FX_E_MODEL || status == O2FX_E_UNSUPPORTED ||
        status == O2FX_E_NOMEM)
      throw ConversionError(
          "", (opening_.location.empty() ? opening_.scheme : weights::quoted(opening_.location)) +
                  ": " + said);
    fault(tensor, said);
  }

  std::vector<int64_t> dims_of(const o2fx_weight_answer& answer, const std::string& tensor) const {
    if (answer.rank < 0 || answer.rank > O2FX_MAX_RANK)
      fault(tensor, "find: rank: expected 0 to " + std::to_string(O2FX_MAX_RANK) + ", got " +
                        std::to_string(answer.rank));
    if (answer.rank > 0 && !answer.dims)
      fault(tensor, "find: dims: expected " + std::to_string(answer.rank) + " of them, got NULL");
    return {answer.dims, answer.dims + answer.rank};
  }

  Got range(const o2fx_weight_answer& answer, const Want& want) const {
    if (answer.file >= files_.size())
      fault(want.name, "find: file: expected one of " + std::to_string(files_.size()) +
                           " files that the host opened, got index " + std::to_string(answer.file));
    const File& f = files_[answer.file];
    if (answer.length != want.size)
      fault(want.name, "find: length: expected " + std::to_string(want.size) + " bytes, got " +
                           std::to_string(answer.length));
    if (answer.offset > f.bytes->size || answer.length > f.bytes->size - answer.offset)
      fault(want.name, "find: expected a range of " + weights::quoted(f.location) + " of " +
                           std::to_string(f.bytes->size) + " bytes, got " +
                           std::to_string(answer.length) + " bytes at offset " +
                           std::to_string(answer.offset));
    return {Got::Kind::kRange, "", f.bytes, answer.offset};
  }

  /// "; did you mean 'w'?", of a source that knows its content.
  std::string suggestion(const std::string& name) {
    if (!ext().list) return "";
    if (!listed_) {
      listed_ = true;
      for (uint64_t i = 0; i < kMostNames; i++) {
        o2fx_weight entry{};
        entry.struct_size = sizeof entry;
        const o2fx_status s = call("list", "", [&](const o2fx_weights_host* host, o2fx_ctx ctx) {
          return ext().list(host, ctx, source_, i, &entry);
        });
        if (s == O2FX_ABSENT) break;
        if (s != O2FX_OK) misbehaved("list", "", s);
        if (!entry.name.data || entry.name.len > O2FX_MAX_NAME)
          fault("", "list: expected the name of tensor " + std::to_string(i) + ", got none");
        names_.emplace_back(entry.name.data, entry.name.len);
      }
    }
    const auto near = plugin::nearest(name, names_);
    return near ? "; did you mean " + weights::quoted(*near) + "?" : "";
  }

  std::string described(const std::string& tensor) const {
    std::string text = "source '" + opening_.scheme + "'";
    if (!opening_.location.empty()) text += " of " + weights::quoted(opening_.location);
    if (!tensor.empty()) text += ", tensor " + weights::quoted(tensor);
    return text;
  }
  std::string doing(const char* function, const std::string& tensor) const {
    return "in " + std::string(function) + " of " + described(tensor);
  }
  [[noreturn]] void fault(const std::string& tensor, const std::string& what) const {
    throw PluginError(described(tensor), what,
                      {"this is a fault of plugin " + plugin_.id + " " + plugin_.version});
  }
  /// A status that no rule of the function allows, or a negative one without a text.
  [[noreturn]] void misbehaved(const char* function, const std::string& tensor,
                               o2fx_status status) const {
    fault(tensor, std::string(function) + " returned status " + std::to_string(status) +
                      (status < 0 ? " without a text" : ""));
  }

  static constexpr uint64_t kMostNames = uint64_t{1} << 20;

  Plugin& plugin_;
  weights::Opening opening_;
  const SourceContext& context_;
  std::deque<File> files_;  // their tables are in the plugin's hands
  std::map<std::string, size_t> by_location_;
  std::vector<std::string> names_;
  void* source_ = nullptr;
  bool open_ = false, listed_ = false;
};

}  // namespace

std::unique_ptr<weights::Source> open_source(Plugin& plugin, weights::Opening opening,
                                             const SourceContext& context) {
  return std::make_unique<PluginSource>(plugin, std::move(opening), context);
}

void find_served(read::ModelFile& file, const plugin::Registry& registry) {
  std::unordered_map<std::string, bool> known;
  for (read::WeightRef& ref : file.weights) {
    if (ref.field != read::Field::kExternal) continue;
    const auto [at, is_new] = known.try_emplace(ref.location);
    if (is_new) at->second = !registry.served(ref.location).scheme.empty();
    ref.is_served = at->second;
  }
}

weights::Sourcing sourcing(plugin::Registry& registry, SourceContext context) {
  const auto kept = std::make_shared<const SourceContext>(std::move(context));
  weights::Sourcing s;
  s.rules = registry.weight_rules();
  s.open = [&registry, kept](weights::Opening opening) {
    Plugin& plugin = registry.weight_plugin(opening.scheme, opening.plugin);
    return open_source(plugin, std::move(opening), *kept);
  };
  s.served = [&registry](const std::string& location) { return registry.served(location); };
  return s;
}

}  // namespace onnx2fx::conversion
