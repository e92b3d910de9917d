/* A pack in plain C11: com.acme::Rope becomes acme::rope, whose kernel is somebody else's. A
 * decomposition, com.acme::Halve, shows arguments without the C++ wrapper. */
#include <onnx2fx/plugin.h>

static o2fx_status rope(const o2fx_host_api* host, o2fx_ctx ctx, const void* user) {
  o2fx_attr_info base = {sizeof base};
  o2fx_value_info type = {sizeof type};
  o2fx_arg args[2] = {{O2FX_T_VALUE}, {O2FX_T_VALUE}};
  o2fx_named_arg kwargs[1] = {{O2FX_STR("base"), {O2FX_T_FLOAT}}};
  o2fx_emit emit = {sizeof emit, O2FX_STR("acme::rope")};
  o2fx_value result;
  o2fx_status status;
  (void)user;

  args[0].u.v = host->input(ctx, 0);
  args[1].u.v = host->input(ctx, 1);
  kwargs[0].arg.u.f = 10000.0;
  status = host->attr(ctx, kwargs[0].name, &base);
  if (status < 0) return status;
  if (status == O2FX_OK) {
    static const o2fx_str kWrongType =
        O2FX_STR("attribute 'base': expected a float, got another type");
    if (base.type != 1) return host->set_error(ctx, O2FX_E_MODEL, __FILE__, __LINE__, kWrongType);
    if ((status = host->attr_arg(ctx, base.id, &kwargs[0].arg))) return status;
  }

  emit.args = args;
  emit.n_args = 2;
  emit.kwargs = kwargs;
  emit.n_kwargs = 1;
  if ((status = host->emit(ctx, &emit, &result))) return status;
  /* ONNX knows no type for our op: the output is like the input. */
  if ((status = host->value_info(ctx, args[0].u.v, &type))) return status;
  if ((status = host->set_value_info(ctx, result, &type))) return status;
  return host->set_output(ctx, 0, result);
}

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
  if ((status = host->value_info(ctx, args[0].u.v, &type))) return status;
  if ((status = host->set_value_info(ctx, result, &type))) return status;
  return host->set_output(ctx, 0, result);
}

static const o2fx_op kOps[] = {
    {O2FX_STR("com.acme"), O2FX_STR("Halve"), 1, 0, 0, 0, halve, NULL},
    {O2FX_STR("com.acme"), O2FX_STR("Rope"), 1, 0, 0, 0, rope, NULL},
};
static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    0,
                                    O2FX_STR("com.acme.rope-pack"),
                                    O2FX_STR("1.4.0"),
                                    kOps,
                                    sizeof kOps / sizeof kOps[0],
                                    sizeof(o2fx_op),
                                    NULL,
                                    NULL,
                                    NULL};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
