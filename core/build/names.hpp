// How nodes and programs are named.
#ifndef ONNX2FX_CORE_BUILD_NAMES_HPP_
#define ONNX2FX_CORE_BUILD_NAMES_HPP_

#include "core/fx/identifier.hpp"
#include "core/fx/name_set.hpp"

namespace onnx2fx::conversion {

using fx::identifier;
using fx::NameSet;

}  // namespace onnx2fx::conversion

#endif
