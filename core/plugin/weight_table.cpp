#include "core/plugin/weight_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace onnx2fx::plugin {
namespace {

constexpr uint64_t kMost = O2FX_MAX_SCHEMES;

std::string_view view(o2fx_str s) {
  return s.data ? std::string_view(s.data, s.len) : std::string_view();
}

bool is_scheme(std::string_view name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 32 && lower(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return lower(c) || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '-';
         });
}
bool is_suffix(std::string_view text) {
  return text.size() > 1 && text.size() <= 64 && text[0] == '.' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != '/'; });
}

class Judge {
 public:
  explicit Judge(std::string where) : where_(std::move(where)) {}

  o2fx_weights_ext run(const o2fx_weights_ext& raw) {
    constexpr uint64_t kFirst = offsetof(o2fx_weights_ext, read) + sizeof(raw.read);
    o2fx_weights_ext weights{};
    if (raw.struct_size < kFirst || raw.struct_size > O2FX_MAX_STRUCT || raw.struct_size % 8) {
      fault("struct_size: expected a multiple of 8 from " + std::to_string(kFirst) + " to " +
            std::to_string(O2FX_MAX_STRUCT) + ", got " + std::to_string(raw.struct_size));
    } else {
      std::memcpy(&weights, &raw, std::min<uint64_t>(raw.struct_size, sizeof weights));
      functions(weights);
      rows(weights);
    }
    if (!faults_.empty()) throw PluginError(std::move(faults_));
    return weights;
  }

 private:
  void fault(const std::string& what) {
    faults_.push_back({Severity::kError, where_, std::string(O2FX_EXT_WEIGHTS) + ": " + what, {}});
  }
  void functions(const o2fx_weights_ext& w) {
    if (!w.open || !w.close || !w.find)
      fault("expected the functions open, close and find, got NULL");
  }
  void rows(const o2fx_weights_ext& w) {
    if (!w.schemes || w.n_schemes == 0 || w.n_schemes > kMost)
      return fault("schemes: expected 1 to " + std::to_string(kMost) + " rows, got " +
                   (w.schemes ? std::to_string(w.n_schemes) : "NULL"));
    std::set<std::string_view> seen;
    for (uint64_t i = 0; i < w.n_schemes; i++) {
      const o2fx_weight_scheme& row = w.schemes[i];
      const std::string at = "scheme row " + std::to_string(i);
      if (!is_scheme(view(row.name)))
        fault(at + ": expected a scheme such as safetensors, got '" +
              std::string(view(row.name).substr(0, 64)) + "'");
      else if (!seen.insert(view(row.name)).second)
        fault(at + ": scheme '" + std::string(view(row.name)) + "' stands there twice");
      if (row.n_suffixes > kMost || (row.n_suffixes && !row.suffixes))
        return fault(at + ": suffixes: expected at most " + std::to_string(kMost) + ", got " +
                     (row.suffixes ? std::to_string(row.n_suffixes) : "NULL"));
      if (row.flags & ~O2FX_SCHEME_WITHOUT_FILE)
        fault(at + ": flags: expected known ones, got " + std::to_string(row.flags));
      for (uint64_t k = 0; k < row.n_suffixes; k++)
        if (!is_suffix(view(row.suffixes[k])))
          fault(at + ": expected a suffix such as .safetensors, got '" +
                std::string(view(row.suffixes[k]).substr(0, 64)) + "'");
    }
  }

  std::string where_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

o2fx_weights_ext accepted_weights(const o2fx_plugin& table, const std::string& where) {
  const void* answer = table.get_extension ? table.get_extension(O2FX_EXT_WEIGHTS) : nullptr;
  if (!answer) return {};
  return Judge(where).run(*static_cast<const o2fx_weights_ext*>(answer));
}

std::vector<DescribedScheme> schemes(const o2fx_weights_ext& weights) {
  std::vector<DescribedScheme> all;
  if (weights.struct_size == 0) return all;
  for (uint64_t i = 0; i < weights.n_schemes; i++) {
    const o2fx_weight_scheme& row = weights.schemes[i];
    DescribedScheme scheme{
        std::string(view(row.name)), {}, !(row.flags & O2FX_SCHEME_WITHOUT_FILE)};
    for (uint64_t k = 0; k < row.n_suffixes; k++)
      scheme.suffixes.emplace_back(view(row.suffixes[k]));
    all.push_back(std::move(scheme));
  }
  return all;
}

}  // namespace onnx2fx::plugin
