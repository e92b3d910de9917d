// Operators that may have their channels last: ATen's have them at axis 1.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_CHANNELS_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_CHANNELS_HPP_

#include <onnx2fx/plugin.hpp>

namespace contrib {

inline onnx2fx::Value channels_first(onnx2fx::Node& n, onnx2fx::Value v) {
  return n.call("aten::movedim.int", {v, -1, 1});
}
inline onnx2fx::Value channels_last(onnx2fx::Node& n, onnx2fx::Value v) {
  return n.call("aten::movedim.int", {v, 1, -1});
}

}  // namespace contrib

#endif
