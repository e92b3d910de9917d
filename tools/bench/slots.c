/* A pack that measures, inside its lowering, what a call of a slot takes: nanoseconds
 * (tools/bench/packs). */
#include <onnx2fx/plugin.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#define N 2000
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}
#define TIME(what, call)                                \
  do {                                                  \
    double start = now();                               \
    for (int i = 0; i < N; i++) {                       \
      call;                                             \
    }                                                   \
    printf("%-32s %8.0f\n", what, (now() - start) / N); \
  } while (0)
static o2fx_status lower(const o2fx_host_api *h, o2fx_ctx c, const void *u) {
  o2fx_node_info node = {sizeof node};
  o2fx_attr_info a = {sizeof a};
  o2fx_value_info info = {sizeof info};
  o2fx_bytes bytes;
  o2fx_value x = h->input(c, 0), s = h->input(c, 1), w = h->input(c, 2), y;
  o2fx_arg arg, one = {O2FX_T_VALUE},
                conv[7] = {{O2FX_T_VALUE},   {O2FX_T_VALUE},   {O2FX_T_NONE}, {O2FX_T_LIST, 2},
                           {O2FX_T_LIST, 2}, {O2FX_T_LIST, 2}, {O2FX_T_INT}};
  o2fx_arg ones[2] = {{O2FX_T_INT, 0, {1}}, {O2FX_T_INT, 0, {1}}};
  o2fx_emit relu = {sizeof relu, O2FX_STR("aten::relu"), {0}, &one, 0, 1},
            conv2d = {sizeof conv2d, O2FX_STR("aten::conv2d"), {0}, conv, 0, 7};
  (void)u;
  one.u.v = conv[0].u.v = x;
  conv[1].u.v = w;
  conv[3].u.list = conv[4].u.list = conv[5].u.list = ones;
  conv[6].u.i = 1;
  TIME("node_info", h->node_info(c, &node));
  TIME("input", h->input(c, 0));
  TIME("output_wanted", h->output_wanted(c, 0));
  TIME("attr", h->attr(c, (o2fx_str)O2FX_STR("alpha"), &a));
  TIME("attr_arg", h->attr_arg(c, a.id, &arg));
  TIME("value_info", h->value_info(c, x, &info));
  TIME("dim", h->dim(c, x, 0, &arg));
  TIME("int_list", h->int_list(c, s, 0, &arg));
  TIME("const_data", h->const_data(c, w, &bytes));
  TIME("set_role", h->set_role(c, w, O2FX_ROLE_PARAMETER));
  TIME("scratch", h->scratch(c, 64, 8));
  TIME("emit of aten::relu", if (h->emit(c, &relu, &y)) return O2FX_E_INTERNAL);
  TIME("emit of aten::conv2d", if (h->emit(c, &conv2d, &y)) return O2FX_E_INTERNAL);
  return h->set_output(c, 0, y);
}
static const o2fx_op kOps[] = {{O2FX_STR("bench"), O2FX_STR("Slots"), 1, 0, 0, 0, lower, NULL}};
static const o2fx_plugin kPlugin = {
    sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("com.bench.slots"), O2FX_STR("1.0.0"), kOps, 1,
    sizeof(o2fx_op)};
const o2fx_plugin *onnx2fx_plugin_entry_1(void) { return &kPlugin; }
