/* A pack of minor 0 in plain C11 whose operator is computed by a function of the library: it calls
 * every slot of o2fx_reference_host, and reads every field of the call. */
#include <onnx2fx/reference.h>
#include <string.h>

#define S(literal) ((o2fx_str)O2FX_STR(literal))

/* y = the sum of the inputs that are there; n = how many are there, and how many are left out.
 * options "fails": an error. */
static o2fx_status sum(const o2fx_reference_host* h, o2fx_ctx c, const o2fx_reference_call* call,
                       const void* user) {
  const o2fx_tensor* x = call->inputs[0];
  int64_t two = 2, elements = 1, k;
  o2fx_tensor y = {0}, n = {0};
  o2fx_status status;
  int32_t axis;
  uint32_t i;
  if (call->options.len == 5 && !memcmp(call->options.data, "fails", 5))
    return h->set_error(c, O2FX_E_UNSUPPORTED, "reference.c", 1, S("options: expected others"));
  y.ndim = x->ndim;
  y.shape = x->shape;
  y.dtype = x->dtype;
  if ((status = h->output(c, 0, &y))) return status;
  n.ndim = 1;
  n.shape = &two;
  n.dtype = *(const o2fx_dtype*)user;
  if (call->n_outputs != 2 || (status = h->output(c, 1, &n))) return status;
  for (axis = 0; axis < x->ndim; axis++) elements *= x->shape[axis];
  for (i = 0; i < call->n_inputs; i++) {
    ((int64_t*)n.data)[call->inputs[i] ? 0 : 1]++;
    for (k = 0; call->inputs[i] && k < elements; k++)
      ((float*)y.data)[k] += ((const float*)call->inputs[i]->data)[k];
  }
  return O2FX_OK;
}

static o2fx_arg argument(uint32_t tag, int64_t i) {
  o2fx_arg a = {tag, 0, {0}};
  a.u.i = i;
  return a;
}
static o2fx_arg text(o2fx_str s) {
  o2fx_arg a = {O2FX_T_STR, (uint32_t)s.len, {0}};
  a.u.s = s.data;
  return a;
}
static o2fx_arg list(const o2fx_arg* items, uint32_t n) {
  o2fx_arg a = {O2FX_T_LIST, n, {0}};
  a.u.list = items;
  return a;
}

/* (x, [b], [c]) <options> => y, n */
static o2fx_status lower(const o2fx_host_api* h, o2fx_ctx c, const void* user) {
  const o2fx_arg dtypes[] = {argument(O2FX_T_DTYPE, 1), argument(O2FX_T_DTYPE, 7)};
  const o2fx_arg ranks[] = {argument(O2FX_T_INT, 1), argument(O2FX_T_INT, 1)};
  o2fx_arg inputs[3], sizes[2], args[6], options = text(S(""));
  o2fx_attr_info a = {0};
  o2fx_value x = h->input(c, 0), results[2];
  o2fx_emit e = {0};
  o2fx_status status;
  uint32_t i;
  (void)user;
  a.struct_size = sizeof a;
  if ((status = h->attr(c, S("options"), &a)) < 0) return status;
  if (status == O2FX_OK && (status = h->attr_arg(c, a.id, &options))) return status;
  for (i = 0; i < 3; i++) {
    const o2fx_value v = h->input(c, i);
    inputs[i] = argument(v ? O2FX_T_VALUE : O2FX_T_NONE, 0);
    inputs[i].u.v = v;
  }
  if ((status = h->dim(c, x, 0, &sizes[0]))) return status;
  sizes[1] = argument(O2FX_T_INT, 2);
  args[0] = text(S("frozen::sum"));
  args[1] = list(inputs, 3);
  args[2] = options;
  args[3] = list(dtypes, 2);
  args[4] = list(ranks, 2);
  args[5] = list(sizes, 2);
  e.struct_size = sizeof e;
  e.target = S("onnx2fx::reference");
  e.args = args;
  e.n_args = 6;
  e.n_unpack = 2;
  if ((status = h->emit(c, &e, results))) return status;
  if ((status = h->set_output(c, 0, results[0]))) return status;
  return h->set_output(c, 1, results[1]);
}

static const o2fx_dtype kInt64 = {0, 64, 1};
static const o2fx_reference kFunctions[] = {{O2FX_STR("frozen::sum"), 0, 0, sum, &kInt64}};
static const o2fx_reference_ext kReferences = {sizeof kReferences, kFunctions, 1,
                                               sizeof(o2fx_reference)};
static const void* extension(const char* id) {
  return strcmp(id, O2FX_EXT_REFERENCE) ? NULL : &kReferences;
}

static const o2fx_op kOps[] = {{O2FX_STR("frozen"), O2FX_STR("Sum"), 1, 0, 0, 0, lower, NULL}};
static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    0,
                                    O2FX_STR("com.frozen.reference"),
                                    O2FX_STR("1.0.0"),
                                    kOps,
                                    1,
                                    sizeof(o2fx_op),
                                    NULL,
                                    NULL,
                                    extension};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
