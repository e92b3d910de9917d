// The type of a value during conversion, free of protobuf, and its exchange with ONNX's TypeProto
// and the border's o2fx_value_info.
#ifndef ONNX2FX_CORE_SHAPES_TYPE_HPP_
#define ONNX2FX_CORE_SHAPES_TYPE_HPP_

#include <onnx2fx/plugin.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/program.hpp"
#include "core/shapes/sym.hpp"

namespace onnx {
class TypeProto;
}

namespace onnx2fx::conversion {

struct Type {
  uint32_t kind = O2FX_KIND_UNKNOWN;
  int32_t dtype = 0;                               ///< onnx.TensorProto.DataType; 0: unknown
  std::optional<std::vector<MaybeSym>> dims;       ///< nullopt: rank unknown
  std::shared_ptr<const Type> elem;                ///< SEQUENCE, OPTIONAL, MAP
  std::shared_ptr<const std::vector<Type>> items;  ///< TUPLE

  static Type tensor(int32_t dtype, const std::vector<int64_t>& dims);
  bool is_tensor() const { return kind == O2FX_KIND_TENSOR; }
  int rank() const { return dims ? static_cast<int>(dims->size()) : -1; }
  /// Number of elements, if every extent is a literal.
  std::optional<int64_t> count() const;
};

/// dim_params that the table does not know are unknown extents.
Type from_proto(const onnx::TypeProto& proto, const SymTable& table);
/// False if nothing can be said (unknown kind or dtype).
bool to_proto(const Type& type, SymTable& table, onnx::TypeProto* proto);

/// Fills the gaps of `into`. A contradiction leaves `into` as it is and is returned as text; empty:
/// none. A literal extent replaces a symbolic one.
std::string merge(Type& into, const Type& from);

/// For readers of graph.json; empty for what is no tensor.
fx::TypeText type_text(const Type& type, SymTable& table);
/// "float32[batch, 3]" for messages, reports.
std::string text(const Type& type, SymTable& table);

}  // namespace onnx2fx::conversion

#endif
