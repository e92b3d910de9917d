// Who reads the nodes of a program.
#ifndef ONNX2FX_CORE_FX_USERS_HPP_
#define ONNX2FX_CORE_FX_USERS_HPP_

#include <cstdint>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// By node: those that mention it, in order, one entry per mention.
inline std::vector<std::vector<uint32_t>> users_of(const Program& program) {
  std::vector<std::vector<uint32_t>> users(program.nodes.size());
  for (uint32_t i = 0; i < program.nodes.size(); i++)
    for_each_ref(program.nodes[i], [&](NodeRef r) { users[r.index].push_back(i); });
  return users;
}

}  // namespace onnx2fx::fx

#endif
