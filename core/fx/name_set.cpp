#include "core/fx/name_set.hpp"

namespace onnx2fx::fx {

std::string NameSet::claim(const std::string& wanted) {
  if (next_.try_emplace(wanted, 1).second) return wanted;
  int n = next_[wanted];
  std::string name;
  do name = wanted + "_" + std::to_string(n++);
  while (next_.contains(name));
  next_[wanted] = n;
  next_[name] = 1;
  return name;
}

}  // namespace onnx2fx::fx
