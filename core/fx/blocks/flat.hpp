// The root program on its way into blocks: which modules of the author's each node was computed in.
#ifndef ONNX2FX_CORE_FX_BLOCKS_FLAT_HPP_
#define ONNX2FX_CORE_FX_BLOCKS_FLAT_HPP_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/fx/scopes.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx::blocks {

/// The author's modules that get no block: path, and why.
using Open = std::map<std::string, std::string>;

/// Indices into Flat::frames, the outermost first.
using Scope = std::vector<uint32_t>;

/// A node of it is named by its index, in whatever block it ends.
struct Flat {
  std::vector<Node> nodes;    ///< the root's, in order; copies that blocks take are appended
  std::vector<Scope> scopes;  ///< of each node
  std::vector<Frame> frames;
};

/// A number of the graph: a size, or what is computed of sizes.
bool is_number(const Node& node);
/// x.size(d), of one axis.
bool is_size_of_tensor(const Node& node);

/// Whether a block may hold it under a path of its own: no name of the author's is lost.
bool can_be_moved(const Tensor& tensor);

/// Every node of the root with its scope, as the exporter told it; what it told nothing of (sizes,
/// weights, nodes that an optimizer made) is where its users are. Frames in `open` are left out;
/// those that turn out to be none are added to it. No frames: the model tells nothing.
Flat flat_program(const Module& module, Open& open);

}  // namespace onnx2fx::fx::blocks

#endif
