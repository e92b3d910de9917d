// Signatures of what a program may call: the ATen overloads of the pinned LibTorch and the leaves
// of the loader's runtime. The table is text inside the library, in torch's own syntax; a line is
// parsed when it is asked for, so that it costs nothing at start.
#ifndef ONNX2FX_CORE_FX_SCHEMA_HPP_
#define ONNX2FX_CORE_FX_SCHEMA_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// "SymInt[2]?" is {kInt, optional, list, list_size 2}; "Tensor?[]" {kTensor, list,
/// element_optional}.
struct SchemaType {
  enum class Kind : uint8_t {
    kTensor,
    kInt,  ///< also SymInt
    kFloat,
    kNumber,  ///< Scalar: int, float or bool
    kBool,    ///< also SymBool
    kStr,
    kScalarType,
    kDevice,
    kLayout,
    kMemoryFormat,
    kGenerator,
    kAny,      ///< leaves: any value of the program
    kProgram,  ///< leaves: a sub-program
    kStrings,  ///< leaves: a tensor of strings, which lives on the host
    kOther     ///< of no use to a conversion: Storage, Stream, QScheme, Dict, script objects
  };
  Kind kind = Kind::kOther;
  bool optional = false;
  bool list = false;
  bool element_optional = false;
  int64_t list_size = 0;  ///< of "int[2]", where torch takes one int for all; 0: any

  bool operator==(const SchemaType&) const = default;
};

/// The way torch writes it, aliases and Sym left out: "int[2]?".
std::string to_string(const SchemaType& type);

struct SchemaArgument {
  std::string name;
  SchemaType type;
  bool kw_only = false;
  bool has_default = false;
  bool mutated = false;                   ///< "(a!)": the call writes to it
  std::optional<Argument> default_value;  ///< of a literal default
};

struct Schema {
  std::string name;  ///< "aten::add.Tensor"
  std::vector<SchemaArgument> arguments;
  std::vector<SchemaType> returns;
  bool views = false;  ///< "-> Tensor(a)": what it returns is a view of an argument, or may be one

  bool mutates() const;
  /// Index of the argument of that name.
  std::optional<size_t> find(std::string_view argument) const;
};

/// The schema of "aten::add.Tensor", "aten::relu" (the overload without a name) or "onnx2fx::loop";
/// null when there is none. Lives as long as the process; safe to call from several threads.
const Schema* find_schema(std::string_view target);

/// "aten::softmax" of "aten::softmax.int"; names without an overload as they are.
std::string_view without_overload(std::string_view target);

/// All overloads of "aten::add" in the table, by byte order. They live as long as the process.
std::vector<const Schema*> find_overloads(std::string_view name);

/// The names of the table without their overloads, "aten::add", by byte order.
std::vector<std::string> operator_names();

/// One line of the table. Throws std::invalid_argument with the place of the fault.
Schema parse_schema(std::string_view line);

/// The call's arguments in the schema's order, defaults filled in; nullopt where neither is there.
/// A call that does not fit (too many, unknown or twice the same name) gives nullopt as a whole.
std::optional<std::vector<std::optional<Argument>>> bind_arguments(const Schema& schema,
                                                                   const Node& call);

}  // namespace onnx2fx::fx

#endif
