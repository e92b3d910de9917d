// Lowerings of the ONNX ops that hold graphs. Each chooses among forms and says which and why under
// the key "form" of the report; the leaf forms run everywhere and train, but torch.export refuses
// them.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_CONTROL_FLOW_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_CONTROL_FLOW_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx::control_flow {

void if_else(Node& n);
void loop(Node& n);
void scan_8(Node& n);
void scan_9(Node& n);

}  // namespace onnx2fx::control_flow

#endif
