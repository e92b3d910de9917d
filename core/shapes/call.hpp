// A call of a torch operator as a type rule sees it: its arguments, as far as they are known before
// the module runs, by the names of the schema.
#ifndef ONNX2FX_CORE_SHAPES_CALL_HPP_
#define ONNX2FX_CORE_SHAPES_CALL_HPP_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/fx/schema.hpp"
#include "core/shapes/sizes.hpp"
#include "core/shapes/type.hpp"

namespace onnx2fx::conversion {

struct Operand {
  enum class Kind : uint8_t {
    kAbsent,  ///< the schema's default counts
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kDtype,
    kValue,  ///< a tensor, or a sequence, map... of the running module
    kList,
    kOther
  };
  Kind kind = Kind::kAbsent;
  std::optional<bool> flag;    ///< kBool; nullopt: known only when the module runs
  MaybeSym integer;            ///< kInt, likewise
  std::optional<double> real;  ///< kFloat, likewise
  std::string text;            ///< kText
  int32_t dtype = 0;           ///< kDtype: ONNX
  const Type* type = nullptr;  ///< kValue
  std::vector<Operand> items;  ///< kList

  static Operand of(Kind kind);
  static Operand none() { return of(Kind::kNone); }
  static Operand boolean(std::optional<bool> b);
  static Operand number(MaybeSym s);
  static Operand number(std::optional<double> d);
  static Operand words(std::string s);
  static Operand of_dtype(int32_t onnx);
  static Operand value(const Type& type);
  static Operand list(std::vector<Operand> items);
};

using Types = std::vector<Type>;

class TorchCall {
 public:
  /// Operands in the schema's order. `words`: of the rule's line in the table.
  TorchCall(const fx::Schema& schema, std::span<const Operand> operands,
            std::span<const std::string> words, SymTable& table)
      : schema(schema), sizes(table), operands_(operands), words_(words) {}

  const fx::Schema& schema;
  Sizes sizes;

  bool says(std::string_view word) const;
  /// kNone where the schema has none of that name.
  const Operand& operand(std::string_view name) const;
  bool given(std::string_view name) const { return operand(name).kind != Operand::Kind::kNone; }
  /// UNKNOWN where it is no tensor.
  const Type& tensor(std::string_view name) const;
  /// The first argument, a tensor.
  const Type& self() const { return tensor(schema.arguments[0].name); }
  MaybeSym integer(std::string_view name) const;
  std::optional<int64_t> literal(std::string_view name) const;
  std::optional<bool> flag(std::string_view name) const;
  /// A list of ints; a single int, or a list of one, stands for all n of a window.
  std::optional<Dims> integers(std::string_view name, size_t n = 0) const;
  std::optional<std::vector<int64_t>> literals(std::string_view name) const;
  /// The tensors of a list, or the value itself if it is a sequence: then `open` is set and only
  /// what is true of each element is known.
  struct Tensors {
    std::vector<Type> types;
    bool open = false;
  };
  Tensors tensors(std::string_view name) const;
  /// Of the argument `dtype`, else `or_else`.
  int32_t dtype(int32_t or_else) const;

  std::span<const Operand> operands() const { return operands_; }

 private:
  std::span<const Operand> operands_;
  std::span<const std::string> words_;
};

/// Counted from the front; nullopt: there is no such axis. A tensor of rank 0 has axes 0 and -1.
std::optional<size_t> axis_of(std::optional<int64_t> axis, size_t rank);

/// A tensor; dims nullopt: its rank is unknown.
Type tensor_of(int32_t dtype, std::optional<Dims> dims);
/// What is true of both: an extent only where both have it.
Type common(const Type& a, const Type& b);

}  // namespace onnx2fx::conversion

#endif
