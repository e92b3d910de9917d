// Operators that are lowered in Python: the functions of a pack behind the same C table as a
// library's.
#ifndef ONNX2FX_TOOLS_PYTHON_PACK_HPP_
#define ONNX2FX_TOOLS_PYTHON_PACK_HPP_

#include <nanobind/nanobind.h>

#include <deque>
#include <string>
#include <vector>

#include "core/plugin/registry.hpp"
#include "onnx2fx/plugin.h"

namespace onnx2fx {

/// Made and destroyed with the interpreter lock held; its table lives as long as it does.
class Pack {
 public:
  /// (id, version, [(domain, op_type, since, until, function)], [torch target])
  explicit Pack(const nanobind::tuple& described);
  Pack(const Pack&) = delete;
  Pack& operator=(const Pack&) = delete;
  plugin::InProcess plugin() const { return {&table_, targets_}; }
  /// What a lowering raised last that is neither Invalid, Unsupported, Decline nor the host's own
  /// refusal; None.
  nanobind::object raised() const { return raised_; }

 private:
  struct Row {
    std::string domain, op_type;
    nanobind::object function;
    Pack* pack;
  };
  static o2fx_status O2FX_CALL lower(const o2fx_host_api* h, o2fx_ctx c, const void* row);
  o2fx_status status_of(const o2fx_host_api* h, o2fx_ctx c, const nanobind::python_error& e);

  std::string id_, version_;
  std::deque<Row> rows_;
  std::vector<o2fx_op> ops_;
  std::vector<std::string> targets_;
  o2fx_plugin table_{};
  nanobind::object raised_ = nanobind::none();
};

/// The classes that a lowering in Python works with: those of plugin.hpp, name for name.
void bind_node(nanobind::module_& m);

}  // namespace onnx2fx

#endif
