// The host's side of the border: the table that every callback gets, guard slots behind it.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/border/host.hpp"
#include "core/include/onnx2fx/version.hpp"

namespace onnx2fx::conversion::host {

const void* get_extension(o2fx_ctx, const char*) { return nullptr; }

}  // namespace onnx2fx::conversion::host

namespace onnx2fx::conversion {
namespace {

using namespace host;  // NOLINT(google-build-using-namespace): the names of the table's own slots

template <size_t N>
[[noreturn]] void trap() {
  const Call* call = Call::innermost();
  std::fprintf(
      stderr,
      "onnx2fx: plugin '%s' called host slot %zu, which is newer than this host's minor %u\n",
      call ? call->plugin.id.c_str() : "?", sizeof(o2fx_host_api) / 8 + N, O2FX_ABI_MINOR);
  std::abort();
}
template <size_t... N>
constexpr std::array<void (*)(), sizeof...(N)> traps(std::index_sequence<N...>) {
  return {trap<N>...};
}

struct Table {
  o2fx_host_api api;
  std::array<void (*)(), 64> guard;
};

}  // namespace

const o2fx_host_api* host_api() {
  static const Table table = {{sizeof(o2fx_host_api),
                               O2FX_ABI_MAJOR,
                               O2FX_ABI_MINOR,
                               O2FX_STR("onnx2fx"),
                               {kVersion, std::strlen(kVersion)},
                               get_extension,
                               log,
                               set_error,
                               scratch,
                               node_info,
                               input,
                               output_wanted,
                               attr,
                               attr_at,
                               ignore_attr,
                               attr_arg,
                               attr_tensor,
                               attr_graph,
                               attr_type,
                               value_info,
                               set_value_info,
                               const_data,
                               const_strings,
                               int_list,
                               dim,
                               list_items,
                               emit,
                               constant,
                               in_place,
                               int_tensor,
                               set_role,
                               set_meta,
                               annotate,
                               set_output,
                               graph_info,
                               graph_value_info,
                               lower_subgraph,
                               lower_between,
                               program_begin,
                               placeholder,
                               program_end,
                               program_close,
                               config},
                              traps(std::make_index_sequence<64>())};
  return &table.api;
}

}  // namespace onnx2fx::conversion
