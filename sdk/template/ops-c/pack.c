/* One operator of the domain com.example, in plain C11: y = x / 2. */
#include <onnx2fx/plugin.h>

static o2fx_status halve(const o2fx_host_api* host, o2fx_ctx ctx, const void* user) {
  o2fx_arg args[2] = {{O2FX_T_VALUE}, {O2FX_T_FLOAT}};
  o2fx_value_info type = {sizeof type};
  o2fx_emit emit = {sizeof emit, O2FX_STR("aten::mul.Scalar")};
  o2fx_value result;
  o2fx_status status;
  (void)user;

  args[0].u.v = host->input(ctx, 0);
  args[1].u.f = 0.5;
  emit.args = args;
  emit.n_args = 2;
  if ((status = host->emit(ctx, &emit, &result))) return status;
  /* ONNX knows no types for our op: the output is like the input. */
  if ((status = host->value_info(ctx, args[0].u.v, &type))) return status;
  if ((status = host->set_value_info(ctx, result, &type))) return status;
  return host->set_output(ctx, 0, result);
}

static const o2fx_op kOps[] = {
    {O2FX_STR("com.example"), O2FX_STR("Halve"), 1, 0, 0, 0, halve, NULL},
};
static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    0,
                                    O2FX_STR("com.example.pack"),
                                    O2FX_STR("1.0.0"),
                                    kOps,
                                    sizeof kOps / sizeof kOps[0],
                                    sizeof(o2fx_op),
                                    NULL,
                                    NULL,
                                    NULL};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
