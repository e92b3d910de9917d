// https://huggingface.co/docs/safetensors: eight bytes with the length of a JSON header, the
// header, the tensors. A sharded one is an index, NAME.safetensors.index.json, and its shards.
#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "plugins/weights/sources.hpp"

namespace onnx2fx::sources {
namespace {

using Json = nlohmann::json;

struct Dtype {
  std::string_view torch;
  std::string_view name;  ///< in the format
  uint64_t size;          ///< of one element in bytes
  int64_t components;
};
constexpr Dtype kDtypes[] = {
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) \
  {#torch, #safetensors, bytes, components},
#include <onnx2fx/dtypes.def>
};

/// Null: none is known here.
const Dtype* dtype_of(std::string_view name) {
  const auto* found = std::ranges::find_if(
      kDtypes, [&](const Dtype& d) { return d.name == name && d.components == 1; });
  return found == std::end(kDtypes) ? nullptr : found;
}

int32_t onnx_of(const Dtype& dtype) {
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) \
  if (dtype.torch == #carrier && bits == 8 * dtype.size) return sdk;
#include <onnx2fx/dtypes.def>
  return kUndefined;
}

struct Entry {
  const Dtype* dtype = nullptr;  ///< null: one that is not known here
  std::string dtype_name;
  std::vector<int64_t> dims;
  uint64_t offset = 0, length = 0;  ///< in the file
};
using Entries = std::map<std::string, Entry, std::less<>>;

/// The host names the first file; a shard is named here.
std::string in_file(const o2fx_weight_file& file) {
  return file.index == 0 ? "" : "shard '" + std::string(view(file.location)) + "': ";
}

/// Refuses what nlohmann/json would let pass: a key that stands twice.
Json parse(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  try {
    return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key &&
          !keys.back().insert(parsed.get_ref<const std::string&>()).second)
        throw Invalid(where + "key '" + parsed.get<std::string>() + "' stands there twice");
      return true;
    });
  } catch (const Json::exception& e) {
    throw Invalid(where + "expected JSON, got " + e.what());
  }
}

/// Non-negative integers.
std::vector<int64_t> integers(const Json& json, const std::string& where) {
  std::vector<int64_t> all;
  if (!json.is_array()) throw Invalid(where + "expected an array of integers, got another value");
  for (const Json& j : json) {
    if (!j.is_number_unsigned() || j.get<uint64_t>() > INT64_MAX)
      throw Invalid(where + "expected integers from 0 on, got " + j.dump());
    all.push_back(j.get<int64_t>());
  }
  return all;
}

Entry entry_of(const Json& json, uint64_t start, const o2fx_weight_file& file,
               const std::string& where) {
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() ||
      !json.contains("shape") || !json.contains("data_offsets"))
    throw Invalid(where + "expected dtype, shape and data_offsets");
  Entry e;
  e.dtype_name = json["dtype"].get<std::string>();
  e.dtype = dtype_of(e.dtype_name);
  e.dims = integers(json["shape"], where + "shape: ");
  const std::vector<int64_t> offsets = integers(json["data_offsets"], where + "data_offsets: ");
  if (offsets.size() != 2 || offsets[0] > offsets[1] ||
      static_cast<uint64_t>(offsets[1]) > file.size - start)
    throw Invalid(where + "data_offsets: expected a range of the " +
                  std::to_string(file.size - start) + " bytes of tensors, got " +
                  json["data_offsets"].dump());
  e.offset = start + static_cast<uint64_t>(offsets[0]);
  e.length = static_cast<uint64_t>(offsets[1] - offsets[0]);
  uint64_t size = e.dtype ? e.dtype->size : 0;
  bool overflow = false;
  for (const int64_t d : e.dims)
    overflow |= __builtin_mul_overflow(size, static_cast<uint64_t>(d), &size);
  if (overflow)
    throw Invalid(where + "shape: expected a product that fits 64 bits, got " +
                  json["shape"].dump());
  if (e.dtype && size != e.length)
    throw Invalid(where + "data_offsets: expected " + std::to_string(size) + " bytes, got " +
                  std::to_string(e.length));
  return e;
}

void refuse_overlaps(const Entries& entries, const std::string& where) {
  std::vector<std::pair<const std::string*, const Entry*>> all;
  for (const auto& [name, e] : entries)
    if (e.length) all.emplace_back(&name, &e);
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.second->offset < b.second->offset; });
  for (size_t i = 1; i < all.size(); i++)
    if (all[i - 1].second->offset + all[i - 1].second->length > all[i].second->offset)
      throw Invalid(where + "tensors '" + *all[i - 1].first + "' and '" + *all[i].first +
                    "' overlap");
}

Entries read_header(const o2fx_weight_file& file) {
  constexpr uint64_t kLongest = 100'000'000;  // the format's own limit
  const std::string where = in_file(file);
  uint64_t length = 0;
  if (file.size >= sizeof length) std::memcpy(&length, file.data, sizeof length);
  if (file.size < sizeof length || length > kLongest || length > file.size - sizeof length)
    throw Invalid(where + "expected a safetensors header, got none");
  const Json header = parse({static_cast<const char*>(file.data) + sizeof length, length}, where);
  if (!header.is_object()) throw Invalid(where + "expected an object in the header");
  Entries entries;
  for (const auto& [name, json] : header.items())
    if (name != "__metadata__")
      entries.emplace(
          name, entry_of(json, sizeof length + length, file, where + "tensor '" + name + "': "));
  refuse_overlaps(entries, where);
  return entries;
}

Found found(const Entry& e, uint32_t file, const o2fx_weight& want) {
  if (!e.dtype)
    throw Unsupported("tensor '" + std::string(view(want.name)) + "': dtype '" + e.dtype_name +
                      "' is not known");
  return Found::range(file, e.offset, e.length).typed(onnx_of(*e.dtype), e.dims);
}

class Single final : public WeightSource {
 public:
  explicit Single(const o2fx_weight_file& file) : file_(file), entries_(read_header(file)) {
    for (const auto& [name, unused] : entries_) names_.push_back(name);
  }

  Found find(WeightsHost&, const o2fx_weight& want) override {
    const auto at = entries_.find(view(want.name));
    return at == entries_.end() ? Found::absent() : found(at->second, file_.index, want);
  }
  std::optional<std::string_view> name(uint64_t index) override {
    return index < names_.size() ? std::optional<std::string_view>(names_[index]) : std::nullopt;
  }

 private:
  const o2fx_weight_file file_;
  const Entries entries_;
  std::vector<std::string_view> names_;
};

class Sharded final : public WeightSource {
 public:
  explicit Sharded(const o2fx_weight_file& index) : where_(in_file(index)) {
    const Json json = parse({static_cast<const char*>(index.data), index.size}, where_);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
      throw Invalid(where_ + "expected an object 'weight_map', got none");
    for (const auto& [name, shard] : json["weight_map"].items()) {
      if (!shard.is_string())
        throw Invalid(where_ + "tensor '" + name + "': expected the name of a file, got " +
                      shard.dump());
      shard_of_[name] = shard.get<std::string>();
    }
    for (const auto& [name, unused] : shard_of_) names_.push_back(name);
  }

  Found find(WeightsHost& host, const o2fx_weight& want) override {
    const auto at = shard_of_.find(view(want.name));
    if (at == shard_of_.end()) return Found::absent();
    const Shard& shard = open(host, at->second);
    const auto entry = shard.entries.find(view(want.name));
    if (entry == shard.entries.end())
      throw Invalid(where_ + "tensor '" + at->first + "': expected it in '" + at->second +
                    "', got a file without it");
    return found(entry->second, shard.file, want);
  }
  std::optional<std::string_view> name(uint64_t index) override {
    return index < names_.size() ? std::optional<std::string_view>(names_[index]) : std::nullopt;
  }

 private:
  struct Shard {
    uint32_t file;
    Entries entries;
  };

  const Shard& open(WeightsHost& host, const std::string& location) {
    const auto at = shards_.find(location);
    if (at != shards_.end()) return at->second;
    const std::optional<o2fx_weight_file> file = host.open(location);
    if (!file) throw Invalid(where_ + "its shard '" + location + "' is missing");
    return shards_.emplace(location, Shard{file->index, read_header(*file)}).first->second;
  }

  const std::string where_;
  std::map<std::string, std::string, std::less<>> shard_of_;
  std::vector<std::string_view> names_;
  std::map<std::string, Shard> shards_;
};

}  // namespace

std::unique_ptr<WeightSource> open_safetensors(WeightsHost&, const o2fx_weight_source& asked) {
  require_no_options(asked);
  if (!asked.file) throw Invalid("location: expected a file, got none");
  if (view(asked.file->location).ends_with(".json")) return std::make_unique<Sharded>(*asked.file);
  return std::make_unique<Single>(*asked.file);
}

}  // namespace onnx2fx::sources
