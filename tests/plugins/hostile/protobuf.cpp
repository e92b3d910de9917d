// A pack that carries ONNX's protobuf messages and links a libprotobuf: in a process that shares
// the library with it, the second registration of onnx-ml.proto is the end. protobuf_name.c says
// which pack of several it is.
#include <onnx-ml.pb.h>

#include <onnx2fx/plugin.hpp>

static o2fx_status relu(const o2fx_host_api* host, o2fx_ctx ctx, const void*) {
  onnx::ModelProto model;
  model.set_producer_name("pack");
  onnx::ModelProto copy;
  if (!copy.ParseFromString(model.SerializeAsString()) || copy.producer_name() != "pack")
    return O2FX_E_INTERNAL;
  o2fx_arg a{O2FX_T_VALUE, 0, {}};
  a.u.v = host->input(ctx, 0);
  o2fx_emit e{sizeof e, O2FX_STR("aten::relu"), {}, &a, nullptr, 1, 0, 0, 0};
  o2fx_value y = 0;
  if (const o2fx_status s = host->emit(ctx, &e, &y)) return s;
  return host->set_output(ctx, 0, y);
}

extern "C" const char kPackId[];
extern "C" const char kPackOp[];

const o2fx_plugin* onnx2fx_plugin_entry_1(void) {
  static const o2fx_op ops[] = {
      {O2FX_STR("com.acme"), onnx2fx::str(kPackOp), 1, 0, 0, 0, relu, nullptr}};
  static const o2fx_plugin plugin = onnx2fx::plugin_table(kPackId, "1.0.0", ops, 1);
  return &plugin;
}
