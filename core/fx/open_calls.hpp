// Calls on weights that stay calls, though a class of torch.nn computes the same: the author's own
// module holds the weights, under other names or for more than that.
#ifndef ONNX2FX_CORE_FX_OPEN_CALLS_HPP_
#define ONNX2FX_CORE_FX_OPEN_CALLS_HPP_

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/fx/module_raiser.hpp"
#include "core/fx/name_set.hpp"
#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {

class OpenCalls {
 public:
  OpenCalls(Module& module, const ModuleRaiser& calls);
  /// Whether the call stays one; it is remembered then.
  bool take(const Raised& raised);
  /// Writes those that were taken as calls on the tensors as the author has them.
  void write();

 private:
  std::string own_name(const Raised& raised) const;
  bool is_turned(const Raised& raised) const;
  bool renames(const Raised& raised) const;
  bool is_part(const Raised& raised);
  const std::optional<Frame>& innermost(uint32_t node);
  NodeRef reader_of(uint32_t tensor) const;
  void write_linear(const Raised& raised, NameSet& names);

  Module& module_;
  Program& root_;
  const ModuleRaiser& calls_;
  std::vector<Raised> taken_;
  std::unordered_map<uint32_t, std::optional<Frame>> innermost_;  ///< of the nodes asked for
};

}  // namespace onnx2fx::fx

#endif
