// What the metadata of the ONNX node behind an FX node says.
#ifndef ONNX2FX_CORE_FX_PROVENANCE_HPP_
#define ONNX2FX_CORE_FX_PROVENANCE_HPP_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// Null: there is none of that key.
inline const std::string* property(const Provenance& onnx, std::string_view key) {
  const auto at = std::ranges::find_if(onnx.metadata_props,
                                       [&](const auto& entry) { return entry.first == key; });
  return at == onnx.metadata_props.end() ? nullptr : &at->second;
}

/// The text of the FX node that PyTorch's exporter made the ONNX node of: "%linear_1 :
/// [num_users=1] = call_function[...]". Null: it does not say.
inline const std::string* exported_from(const Node& n) {
  return n.onnx ? property(*n.onnx, "pkg.torch.onnx.fx_node") : nullptr;
}

/// The items of a list as Python writes it, "['', 'encoder', \"it's\"]"; what stands between them
/// is not looked at.
inline std::vector<std::string_view> quoted_items(std::string_view text) {
  std::vector<std::string_view> items;
  while (true) {
    const size_t begin = text.find_first_of("'\"");
    if (begin == std::string_view::npos) return items;
    const size_t end = text.find(text[begin], begin + 1);
    if (end == std::string_view::npos) return items;
    items.push_back(text.substr(begin + 1, end - begin - 1));
    text.remove_prefix(end + 1);
  }
}

}  // namespace onnx2fx::fx

#endif
