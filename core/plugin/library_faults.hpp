// A library of torch operators, judged from its bytes before anybody loads it: by a conversion that
// records it, and by whoever runs the module.
#ifndef ONNX2FX_CORE_PLUGIN_LIBRARY_FAULTS_HPP_
#define ONNX2FX_CORE_PLUGIN_LIBRARY_FAULTS_HPP_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::plugin {

/// It is no library for this machine, or would take code from wherever the process stands; empty if
/// it may be loaded. Nothing of it runs.
std::vector<Diagnostic> library_faults(std::span<const uint8_t> bytes, const std::string& path);

}  // namespace onnx2fx::plugin

#endif
