// A plugin in the test's own process, each of whose operators misuses the border in one way.
#ifndef ONNX2FX_TESTS_PLUGINS_HOSTILE_PACK_HPP_
#define ONNX2FX_TESTS_PLUGINS_HOSTILE_PACK_HPP_

#include <onnx2fx/plugin.h>

namespace onnx2fx {

/// Operators of domain "x": Throws, Silent, ... Id "x.hostile".
const o2fx_plugin* hostile_pack();
/// A well-behaved second provider ("x.second") of what x.hostile declines, x::Contested and
/// x::KeepsAValue.
const o2fx_plugin* second_pack();
/// Its calls of init less those of deinit.
extern int second_pack_balance;
/// What the host answers to the ctx that x::KeepsTheCtx kept.
o2fx_status use_the_kept_ctx();

}  // namespace onnx2fx

#endif
