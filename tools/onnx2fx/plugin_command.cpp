#include "tools/onnx2fx/plugin_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/plugin/descriptor.hpp"
#include "core/plugin/listing.hpp"

namespace onnx2fx::cli {

static void print_warnings(const plugin::Registry& registry) {
  for (const Diagnostic& d : registry.warnings()) fmt::print(stderr, "{}\n", format(d));
}

int list_plugins(const plugin::Options& options, bool json, bool quiet) {
  const plugin::Registry registry(options, plugin::Registry::Faults::kKept);
  for (const Diagnostic& d : registry.faults()) fmt::print(stderr, "{}\n", format(d));
  if (!quiet) print_warnings(registry);
  if (json) {
    fmt::print("{}\n", plugin::Json{{"plugins", plugin::plugins_json(registry)}}.dump(2));
    return registry.faults().empty() ? 0 : 3;
  }
  for (const plugin::ListedPlugin& p : registry.plugins()) {
    if (p.version.empty())
      fmt::print("{}: {}\n  {}\n", p.id.empty() ? "?" : p.id, printable(p.status), p.descriptor);
    else
      fmt::print("{} {} ({} ops{}): {}\n  {}\n", p.id, p.version, p.n_ops,
                 p.schemes.empty() ? "" : fmt::format("; weights: {}", fmt::join(p.schemes, ", ")),
                 p.status, p.descriptor);
  }
  return registry.faults().empty() ? 0 : 3;
}

int list_ops(const plugin::Options& options, bool json, bool quiet) {
  const plugin::Registry registry(options);
  if (!quiet) print_warnings(registry);
  const std::vector<plugin::EffectiveOp> rows = plugin::rows_of(registry, options);
  for (const plugin::EffectiveOp& op : rows) {
    if (op.conflict) fmt::print(stderr, "{}\n", format(*op.conflict));
    if (!json)
      fmt::print("{:<40} {:>3}..{:<3} {}\n", plugin::shown(op.domain, op.op_type), op.since,
                 op.until ? std::to_string(op.until) : "", op.conflict ? "conflict" : op.provider);
  }
  if (json) fmt::print("{}\n", plugin::Json{{"ops", plugin::ops_json(rows)}}.dump(2));
  return 0;
}

}  // namespace onnx2fx::cli
