#include "core/plugin/reference_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::plugin {
namespace {

bool is_word(std::string_view s) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !s.empty() && letter(s[0]) && std::all_of(s.begin(), s.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}
/// NAMESPACE::NAME
bool is_name(std::string_view s) {
  const size_t colons = s.find("::");
  return s.size() <= O2FX_MAX_NAME && colons != std::string_view::npos &&
         is_word(s.substr(0, colons)) && is_word(s.substr(colons + 2));
}

class Judge {
 public:
  explicit Judge(std::string where) : where_(std::move(where)) {}

  std::vector<ReferenceFunction> run(const o2fx_reference_ext& raw) {
    if (head(raw)) rows(raw);
    if (!faults_.empty()) throw PluginError(std::move(faults_));
    return std::move(functions_);
  }

 private:
  void fault(const std::string& what) {
    faults_.push_back(
        {Severity::kError, where_, std::string(O2FX_EXT_REFERENCE) + ": " + what, {}});
  }
  bool fits(const char* what, uint64_t size, uint64_t least) {
    if (size >= least && size <= O2FX_MAX_STRUCT && size % 8 == 0) return true;
    fault(std::string(what) + ": expected a multiple of 8 from " + std::to_string(least) + " to " +
          std::to_string(O2FX_MAX_STRUCT) + ", got " + std::to_string(size));
    return false;
  }
  bool head(const o2fx_reference_ext& e) {
    if (!fits("struct_size", e.struct_size, sizeof e)) return false;
    if (e.functions && e.n_functions > 0 && e.n_functions <= O2FX_MAX_OPS)
      return fits("function_size", e.function_size, sizeof(o2fx_reference));
    fault("functions: expected 1 to " + std::to_string(O2FX_MAX_OPS) + " rows, got " +
          (e.functions ? std::to_string(e.n_functions) : "NULL"));
    return false;
  }
  void rows(const o2fx_reference_ext& e) {
    std::set<std::string> seen;
    for (uint32_t i = 0; i < e.n_functions; i++) {
      o2fx_reference row;
      std::memcpy(&row, reinterpret_cast<const char*>(e.functions) + uint64_t{i} * e.function_size,
                  sizeof row);
      const std::string at = "function row " + std::to_string(i);
      if (!row.name.data || !is_name({row.name.data, row.name.len})) {
        fault(at + ": expected a name such as acme::rope, got '" +
              (row.name.data ? std::string(row.name.data, std::min<uint64_t>(row.name.len, 64))
                             : "") +
              "'");
        continue;
      }
      const std::string name(row.name.data, row.name.len);
      if (!seen.insert(name).second) fault(at + ": '" + name + "' stands there twice");
      if (!row.compute) fault(at + ": compute: expected a function, got NULL");
      if (row.flags || row.reserved)
        fault(at + ": flags, reserved: expected 0, got " + std::to_string(row.flags) + ", " +
              std::to_string(row.reserved));
      functions_.push_back({name, row.compute, row.user});
    }
  }

  std::string where_;
  std::vector<Diagnostic> faults_;
  std::vector<ReferenceFunction> functions_;
};

}  // namespace

std::vector<ReferenceFunction> reference_functions(const o2fx_plugin& table,
                                                   const std::string& where) {
  const void* answer = table.get_extension ? table.get_extension(O2FX_EXT_REFERENCE) : nullptr;
  if (!answer) return {};
  return Judge(where).run(*static_cast<const o2fx_reference_ext*>(answer));
}

}  // namespace onnx2fx::plugin
