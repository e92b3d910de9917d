// What the dims of a program are at the sizes that a user gives: of "floordiv(time - 9, 4) + 1",
// --size time=400 makes 98.
#ifndef ONNX2FX_TOOLS_ONNX2FX_SYMBOLIC_SIZES_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_SYMBOLIC_SIZES_HPP_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::cli {

class SymbolicSizes {
 public:
  /// given: "NAME=N,NAME=N". Throws ConversionError with every fault: what is no such list, and
  /// names that no dim of the module has.
  SymbolicSizes(const fx::Module& module, const std::vector<std::string>& given);
  /// Sizes that were checked already, of the same model converted otherwise.
  SymbolicSizes(const fx::Module& module, const SymbolicSizes& checked);

  /// nullopt: nobody knows it, or it depends on a size that is not given. Throws ConversionError
  /// where the given sizes make it negative.
  std::optional<int64_t> of(const std::string& dim);
  std::optional<std::vector<int64_t>> of(const fx::TypeText& type);

  /// The names in the module's dims.
  const std::set<std::string>& names() const { return names_; }
  /// Those that of() was asked for in vain.
  const std::set<std::string>& needed() const { return needed_; }
  /// How often it was.
  size_t waits() const { return waits_; }
  const std::map<std::string, int64_t>& given() const { return given_; }

 private:
  void find_names(const fx::Module& module);
  void give(std::string_view list, std::vector<Diagnostic>& faults);

  std::set<std::string> input_names_, names_, needed_;
  std::map<std::string, int64_t> given_;
  std::map<std::string, std::optional<int64_t>> known_;  ///< by dim
  size_t waits_ = 0;
};

}  // namespace onnx2fx::cli

#endif
