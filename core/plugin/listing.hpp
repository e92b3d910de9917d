// What a registry knows, as data: the command's --json and Python's listings.
#ifndef ONNX2FX_CORE_PLUGIN_LISTING_HPP_
#define ONNX2FX_CORE_PLUGIN_LISTING_HPP_

#include <onnx2fx/export.hpp>
#include <vector>

#include "core/plugin/json_document.hpp"
#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

/// All plugins found: id, version, number of ops, schemes of weights, status, library, descriptor.
ONNX2FX_API Json plugins_json(const Registry& registry);

/// All rows that usable plugins offer; with a manifest or an op set what that leaves of them,
/// conflicts among it.
ONNX2FX_API std::vector<EffectiveOp> rows_of(const Registry& registry, const Options& options);
/// The same: domain, op, since, until, provider; null where there is no end, or a conflict.
ONNX2FX_API Json ops_json(const std::vector<EffectiveOp>& rows);

/// The manifest's op sets: name, and whether it is in force.
ONNX2FX_API Json op_sets_json(const Registry& registry);

}  // namespace onnx2fx::plugin

#endif
