// Walks graphs, subgraphs and functions with their scopes: sorts the nodes, and finds what is wrong
// with names, nodes and tensors.
#ifndef ONNX2FX_CORE_PREPARE_STRUCTURE_HPP_
#define ONNX2FX_CORE_PREPARE_STRUCTURE_HPP_

#include "core/prepare/node_check.hpp"
#include "core/prepare/opsets.hpp"
#include "core/read/model_file.hpp"

namespace onnx2fx::prepare {

/// The model is normalised. `opsets` are those of its graph.
void check_structure(read::ModelFile& file, Opsets& opsets, Findings& findings);

}  // namespace onnx2fx::prepare

#endif
