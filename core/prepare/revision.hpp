// By which revision of its operator a node is read.
#ifndef ONNX2FX_CORE_PREPARE_REVISION_HPP_
#define ONNX2FX_CORE_PREPARE_REVISION_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>

namespace onnx2fx::prepare {

/// The opset that the model imports. An operator that was removed by then is read as it last was.
/// So is a node that its own revision refuses and the nearest later one takes: an input that became
/// optional is left out, one that was added is there. And one that an earlier revision takes: what
/// is an input by now is still an attribute.
int64_t opset_of(const onnx::NodeProto& node, int64_t imported);

}  // namespace onnx2fx::prepare

#endif
