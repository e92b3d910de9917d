#include "core/write/safetensors.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "onnx2fx/diagnostic.hpp"

namespace onnx2fx::write {
namespace {

using Json = nlohmann::ordered_json;

/// What the kernel moves at a time from file to file: a third slower where blocks straddle it.
constexpr uint64_t kBlock = uint64_t{64} << 10;

struct Format {
  std::string_view torch;
  const char* name;
  uint64_t size;       // of an element
  int64_t components;  // last dimension added when > 1: the format has no such element
};
constexpr Format kFormats[] = {
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) \
  {#torch, #safetensors, bytes, components},
#include <onnx2fx/dtypes.def>
};

const Format& format_of(const fx::Tensor& tensor) {
  const Format* f = std::ranges::find(kFormats, tensor.dtype, &Format::torch);
  if (f == std::end(kFormats)) {
    throw ConversionError(
        "weight '" + tensor.name + "'",
        "expected a data type that safetensors can hold, got '" + tensor.dtype + "'");
  }
  return *f;
}

uint64_t size_of(const fx::Tensor& tensor) {
  uint64_t n = format_of(tensor).size;
  for (int64_t d : tensor.dims) {
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(d), &n)) {
      throw ConversionError("weight '" + tensor.name + "'",
                            "expected a size below 2^64 bytes, got more");
    }
  }
  return n;
}

bool is_whole_blocks(const fx::Tensor& tensor) {
  const uint64_t size = size_of(tensor);
  return size != 0 && size % kBlock == 0;
}

/// Whole blocks first, then the largest elements: each tensor lies aligned, and most of what is
/// large at the start of a block.
std::vector<const fx::Tensor*> in_file_order(const fx::Module& module, Weights weights) {
  std::vector<const fx::Tensor*> tensors;
  for (const fx::Tensor& t : module.tensors) {
    if (is_copied(t, weights)) tensors.push_back(&t);
  }
  std::sort(tensors.begin(), tensors.end(), [](const fx::Tensor* a, const fx::Tensor* b) {
    const bool blocks = is_whole_blocks(*a);
    if (blocks != is_whole_blocks(*b)) return blocks;
    const uint64_t x = format_of(*a).size, y = format_of(*b).size;
    return x != y && !blocks ? x > y : a->path < b->path;
  });
  return tensors;
}

/// What a reader of the file alone cannot know: other names of shared parameters, and transposed
/// ones.
Json metadata(const fx::Module& module, Weights weights) {
  Json tied = Json::object(), transposed = Json::array();
  for (const fx::Submodule& m : module.modules) {
    for (const fx::Submodule::TensorUse& u : m.tensors) {
      const fx::Tensor& tensor = module.tensors[u.tensor];
      if (!is_copied(tensor, weights)) continue;
      std::string path = m.path + "." + u.attribute;
      if (path != tensor.path) tied[path] = tensor.path;
      if (path == tensor.path && u.transposed) transposed.push_back(path);
    }
  }
  for (const fx::Tensor& t : module.tensors)
    if (t.transposed && is_copied(t, weights)) transposed.push_back(t.path);
  return {{"format", "pt"}, {"tied", tied.dump()}, {"transposed", transposed.dump()}};
}

/// All that stands before the first tensor.
std::string header(const fx::Module& module, Weights weights,
                   const std::vector<const fx::Tensor*>& tensors) {
  // Not through operator[], which searches: there may be many keys.
  Json::object_t all;
  all.reserve(tensors.size() + 1);
  static_cast<std::vector<Json::object_t::value_type>&>(all).emplace_back(
      "__metadata__", metadata(module, weights));
  uint64_t offset = 0;
  for (const fx::Tensor* t : tensors) {
    const Format& format = format_of(*t);
    std::vector<int64_t> shape = t->dims;
    if (format.components > 1) shape.push_back(format.components);
    uint64_t end = offset + size_of(*t);
    static_cast<std::vector<Json::object_t::value_type>&>(all).emplace_back(
        t->path, Json{{"dtype", format.name}, {"shape", shape}, {"data_offsets", {offset, end}}});
    offset = end;
  }
  std::string text = std::string(8, '\0') + Json(std::move(all)).dump();
  const uint64_t start = is_whole_blocks(*tensors.front()) ? kBlock : 64;
  text.resize((text.size() + start - 1) / start * start, ' ');
  const uint64_t length = text.size() - 8;
  for (size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(length >> (8 * i));
  return text;
}

uint64_t length_of(const Stored& stored) {
  const auto* range = std::get_if<FileBytes>(&stored);
  return range ? range->length : std::get<std::span<const uint8_t>>(stored).size();
}

}  // namespace

void write_safetensors(const fx::Module& module, Weights weights, const Bytes& bytes,
                       const std::filesystem::path& file, const std::string& where) {
  const std::vector<const fx::Tensor*> tensors = in_file_order(module, weights);
  if (tensors.empty()) return;
  const std::string head = header(module, weights, tensors);
  uint64_t size = head.size();
  for (const fx::Tensor* t : tensors) size += size_of(*t);
  NewFile out(file, where, size);
  out.append(head);
  for (const fx::Tensor* t : tensors) {
    const Stored stored = bytes(t->data);
    if (length_of(stored) != size_of(*t)) {
      throw ConversionError("weight '" + t->name + "'", "expected " + std::to_string(size_of(*t)) +
                                                            " bytes, got " +
                                                            std::to_string(length_of(stored)));
    }
    std::visit([&](const auto& from) { out.append(from); }, stored);
  }
  out.close();
}

}  // namespace onnx2fx::write
