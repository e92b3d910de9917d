// The C functions behind o2fx_host_api: nothing is thrown out of them.
#ifndef ONNX2FX_CORE_BORDER_HOST_HPP_
#define ONNX2FX_CORE_BORDER_HOST_HPP_

#include <onnx/onnx_pb.h>

#include "core/border/arguments.hpp"
#include "core/border/lowering.hpp"

namespace onnx2fx::conversion::host {

/// Runs f on the active lowering; see guarded<>.
template <class F>
o2fx_status in_lowering(o2fx_ctx ctx, F f) noexcept {
  return guarded<Lowering>(ctx, "this callback has no node", f);
}

// ---- arguments ----

template <class L, class F>
o2fx_arg list(Lowering& l, const L& all, F make) {
  o2fx_arg a{};
  a.tag = O2FX_T_LIST;
  a.len = static_cast<uint32_t>(all.size());
  o2fx_arg* items = l.arena.array<o2fx_arg>(a.len + 1);
  uint32_t i = 0;
  for (const auto& x : all) items[i++] = make(x);
  a.u.list = items;
  return a;
}

/// Strings and lists in an argument are no longer than they may be, and there.
void check_argument(const o2fx_arg& a, const char* what);

// ---- types across the border ----

/// Lives as long as the callback.
o2fx_value_info raw_info(Lowering& l, const Type& t, uint32_t is_const);
Type type_from(Lowering& l, const o2fx_value_info& raw, int depth = 0);

// The slots of o2fx_host_api, in its order, save those of call.hpp; plugin.h documents them.
const void* get_extension(o2fx_ctx ctx, const char* id);
o2fx_status node_info(o2fx_ctx ctx, o2fx_node_info* out);
o2fx_value input(o2fx_ctx ctx, uint32_t index);
uint32_t output_wanted(o2fx_ctx ctx, uint32_t index);
o2fx_status attr(o2fx_ctx ctx, o2fx_str name, o2fx_attr_info* out);
o2fx_status attr_at(o2fx_ctx ctx, uint32_t index, o2fx_attr_info* out);
o2fx_status ignore_attr(o2fx_ctx ctx, o2fx_str name);
o2fx_status attr_arg(o2fx_ctx ctx, o2fx_attr id, o2fx_arg* out);
o2fx_status attr_tensor(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value* out);
o2fx_status attr_graph(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_graph* out);
o2fx_status attr_type(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value_info* out);
o2fx_status value_info(o2fx_ctx ctx, o2fx_value id, o2fx_value_info* out);
o2fx_status set_value_info(o2fx_ctx ctx, o2fx_value id, const o2fx_value_info* info);
o2fx_status const_data(o2fx_ctx ctx, o2fx_value id, o2fx_bytes* out);
o2fx_status const_strings(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out);
o2fx_status int_list(o2fx_ctx ctx, o2fx_value id, uint32_t flags, o2fx_arg* out);
o2fx_status dim(o2fx_ctx ctx, o2fx_value id, int32_t axis, o2fx_arg* out);
o2fx_status list_items(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out);
o2fx_status emit(o2fx_ctx ctx, const o2fx_emit* call, o2fx_value* results);
o2fx_status constant(o2fx_ctx ctx, o2fx_str name, const o2fx_bytes* bytes, int32_t role,
                     o2fx_value* out);
o2fx_status in_place(o2fx_ctx ctx, const o2fx_arg* a, o2fx_value* out);
o2fx_status int_tensor(o2fx_ctx ctx, const o2fx_arg* a, int32_t dtype, o2fx_value* out);
o2fx_status set_role(o2fx_ctx ctx, o2fx_value id, int32_t role);
o2fx_status set_meta(o2fx_ctx ctx, o2fx_value id, o2fx_str key, const o2fx_arg* a);
o2fx_status annotate(o2fx_ctx ctx, o2fx_str key, o2fx_str text);
o2fx_status set_output(o2fx_ctx ctx, uint32_t index, o2fx_value id);
o2fx_status graph_info(o2fx_ctx ctx, o2fx_graph id, o2fx_graph_info* out);
o2fx_status graph_value_info(o2fx_ctx ctx, o2fx_graph id, uint32_t is_output, uint32_t index,
                             o2fx_value_info* out);
o2fx_status lower_between(o2fx_ctx ctx, const o2fx_str* from, const o2fx_value* values, uint32_t n,
                          o2fx_str to, o2fx_value* out);
o2fx_status lower_subgraph(o2fx_ctx ctx, o2fx_graph id, const o2fx_value* inputs, uint32_t n_inputs,
                           o2fx_value* outputs, uint32_t n_outputs);
o2fx_status program_begin(o2fx_ctx ctx, o2fx_str name);
o2fx_status placeholder(o2fx_ctx ctx, o2fx_str name, const o2fx_value_info* info, o2fx_value* out);
o2fx_status program_end(o2fx_ctx ctx, const o2fx_arg* result, o2fx_program* out);
o2fx_status program_close(o2fx_ctx ctx, const o2fx_program* programs, uint32_t n,
                          o2fx_arg* captures);

}  // namespace onnx2fx::conversion::host

#endif
