// A plugin in the test's own process, each of whose operators misuses the border in one way.
#ifndef ONNX2FX_TESTS_PLUGINS_HOSTILE_PACK_HPP_
#define ONNX2FX_TESTS_PLUGINS_HOSTILE_PACK_HPP_

#include <onnx2fx/plugin.h>

namespace onnx2fx {

/// Operators of domain "x": Throws, Silent, ... Id "x.hostile".
const o2fx_plugin* hostile_pack();
/// A well-behaved second provider of x::Contested ("x.second"), and a count of init and deinit.
const o2fx_plugin* second_pack();
extern int second_pack_balance;

}  // namespace onnx2fx

#endif
