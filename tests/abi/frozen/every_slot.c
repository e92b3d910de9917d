/* A pack of minor 0 in plain C11 that calls every slot of the host's table. */
#include <onnx2fx/plugin.h>
#include <string.h>

typedef const o2fx_host_api* api;

#define TRY(call)                                   \
  do {                                              \
    const o2fx_status s_ = (call);                  \
    if (s_) return s_ > 0 ? (O2FX_E_INTERNAL) : s_; \
  } while (0)
#define S(literal) ((o2fx_str)O2FX_STR(literal))

static o2fx_arg value(o2fx_value v) {
  o2fx_arg a = {O2FX_T_VALUE, 0, {0}};
  a.u.v = v;
  return a;
}
static o2fx_arg integer(int64_t i) {
  o2fx_arg a = {O2FX_T_INT, 0, {0}};
  a.u.i = i;
  return a;
}
static o2fx_arg list(const o2fx_arg* items, uint32_t n) {
  o2fx_arg a = {O2FX_T_LIST, 0, {0}};
  a.len = n;
  a.u.list = items;
  return a;
}
static o2fx_arg program(o2fx_program p) {
  o2fx_arg a = {O2FX_T_PROGRAM, 0, {0}};
  a.u.v = p;
  return a;
}
static o2fx_status call(api h, o2fx_ctx c, o2fx_str target, const o2fx_arg* args, uint32_t n,
                        uint32_t n_unpack, o2fx_value* out) {
  o2fx_emit e = {0};
  e.struct_size = sizeof e;
  e.target = target;
  e.args = args;
  e.n_args = n;
  e.n_unpack = n_unpack;
  return h->emit(c, &e, out);
}
static o2fx_status model_error(api h, o2fx_ctx c, o2fx_str what) {
  return h->set_error(c, O2FX_E_MODEL, "every_slot.c", 1, what);
}
static o2fx_status attribute(api h, o2fx_ctx c, o2fx_str name, o2fx_attr_info* out) {
  o2fx_status status;
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  status = h->attr(c, name, out);
  return status == O2FX_ABSENT ? model_error(h, c, S("an attribute: expected it, got none"))
                               : status;
}
static o2fx_status operand(api h, o2fx_ctx c, uint32_t index, o2fx_value* out) {
  *out = h->input(c, index);
  return *out ? O2FX_OK : model_error(h, c, S("an input: expected it, got none"));
}
static o2fx_value_info no_info(void) {
  o2fx_value_info i = {0};
  i.struct_size = sizeof i;
  i.rank = -1;
  return i;
}

/* y = x * scale; z, where it is wanted, is y + 1. */
static o2fx_status scaled(api h, o2fx_ctx c, const void* user) {
  o2fx_node_info node = {0};
  o2fx_attr_info a;
  o2fx_arg args[2], kind = {O2FX_T_STR, 0, {0}};
  o2fx_value y, z;
  uint32_t i;
  node.struct_size = sizeof node;
  TRY(h->node_info(c, &node));
  for (i = 0; i < node.n_attrs; i++) {
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    TRY(h->attr_at(c, i, &a));
    TRY(h->annotate(c, a.name, S("present")));
  }
  TRY(operand(h, c, 0, &y));
  args[0] = value(y);
  TRY(attribute(h, c, S("scale"), &a));
  TRY(h->attr_arg(c, a.id, &args[1]));
  TRY(h->ignore_attr(c, S("comment")));
  TRY(call(h, c, S("aten::mul.Scalar"), args, 2, 0, &y));
  kind.u.s = user;
  kind.len = (uint32_t)strlen(user);
  TRY(h->set_meta(c, y, S("kind"), &kind));
  TRY(h->set_output(c, 0, y));
  if (!h->output_wanted(c, 1)) return O2FX_OK;
  args[0] = value(y);
  args[1] = integer(1);
  TRY(call(h, c, S("aten::add.Scalar"), args, 2, 0, &z));
  return h->set_output(c, 1, z);
}

/* x + table + 2 * table, the last as a tensor of its own. */
static o2fx_status table(api h, o2fx_ctx c, const void* user) {
  o2fx_attr_info a;
  o2fx_bytes bytes;
  o2fx_arg args[2];
  o2fx_value stored, doubled, y;
  float* twice;
  uint64_t i;
  (void)user;
  TRY(operand(h, c, 0, &y));
  TRY(attribute(h, c, S("table"), &a));
  TRY(h->attr_tensor(c, a.id, 0, &stored));
  TRY(h->set_role(c, stored, O2FX_ROLE_BUFFER));
  TRY(h->const_data(c, stored, &bytes));
  if (!(twice = h->scratch(c, bytes.size, 16))) return O2FX_E_NOMEM;
  memcpy(twice, bytes.data, bytes.size);
  for (i = 0; i < bytes.size / sizeof *twice; i++) twice[i] *= 2;
  bytes.data = twice;
  TRY(h->constant(c, S("doubled"), &bytes, O2FX_ROLE_CONSTANT, &doubled));
  args[0] = value(y);
  args[1] = value(stored);
  TRY(call(h, c, S("aten::add.Tensor"), args, 2, 0, &y));
  args[0] = value(y);
  args[1] = value(doubled);
  TRY(call(h, c, S("aten::add.Tensor"), args, 2, 0, &y));
  return h->set_output(c, 0, y);
}

/* x as it is; the words are told, and a warning. */
static o2fx_status words(api h, o2fx_ctx c, const void* user) {
  o2fx_arg all;
  uint32_t i;
  o2fx_value x, w;
  (void)user;
  TRY(operand(h, c, 0, &x));
  TRY(operand(h, c, 1, &w));
  if (h->const_strings(c, w, &all) != O2FX_OK)
    return model_error(h, c, S("words: expected constant strings, got something else"));
  for (i = 0; i < all.len; i++) {
    const o2fx_str word = {all.u.list[i].u.s, all.u.list[i].len};
    TRY(h->annotate(c, S("word"), word));
  }
  h->log(c, 1,
         h->get_extension(c, "com.frozen.none/1") ? S("an extension that nobody has")
                                                  : S("no such extension"));
  return h->set_output(c, 0, x);
}

/* x in another shape; its first extent as a tensor; x twice. */
static o2fx_status sizes(api h, o2fx_ctx c, const void* user) {
  o2fx_arg args[2], extent, items[2], held, seen;
  o2fx_value x, s, y, first, sequence, twice;
  (void)user;
  TRY(operand(h, c, 0, &x));
  TRY(operand(h, c, 1, &s));
  args[0] = value(x);
  if (h->int_list(c, s, 0, &args[1]) != O2FX_OK)
    return model_error(h, c, S("sizes: expected integers, got something else"));
  TRY(call(h, c, S("aten::reshape"), args, 2, 0, &y));
  TRY(h->set_output(c, 0, y));
  TRY(h->dim(c, x, 0, &extent));
  held = list(&extent, 1);
  TRY(h->int_tensor(c, &held, 7, &first));
  TRY(h->set_output(c, 1, first));
  items[0] = items[1] = value(x);
  held = list(items, 2);
  TRY(h->in_place(c, &held, &sequence));
  TRY(h->list_items(c, sequence, &seen));
  args[0] = seen;
  args[1] = integer(0);
  TRY(call(h, c, S("aten::cat"), args, 2, 0, &twice));
  return h->set_output(c, 2, twice);
}

static o2fx_status branch(api h, o2fx_ctx c, o2fx_str name, o2fx_program* out) {
  o2fx_attr_info a;
  o2fx_graph graph;
  o2fx_graph_info info = {0};
  o2fx_value_info declared = no_info();
  o2fx_value result;
  o2fx_arg item, results;
  TRY(attribute(h, c, name, &a));
  TRY(h->attr_graph(c, a.id, 0, &graph));
  info.struct_size = sizeof info;
  TRY(h->graph_info(c, graph, &info));
  TRY(h->graph_value_info(c, graph, 1, 0, &declared));
  if (info.n_outputs != 1 || declared.kind != O2FX_KIND_TENSOR)
    return h->set_error(c, O2FX_E_UNSUPPORTED, "every_slot.c", 1,
                        S("expected branches with one tensor each"));
  TRY(h->program_begin(c, name));
  TRY(h->lower_subgraph(c, graph, NULL, 0, &result, 1));
  item = value(result);
  results = list(&item, 1);
  return h->program_end(c, &results, out);
}
/* One of two graphs. */
static o2fx_status either(api h, o2fx_ctx c, const void* user) {
  o2fx_program both[2];
  o2fx_arg args[4];
  o2fx_value chosen, y;
  (void)user;
  TRY(operand(h, c, 0, &chosen));
  TRY(branch(h, c, S("yes"), &both[0]));
  TRY(branch(h, c, S("no"), &both[1]));
  TRY(h->program_close(c, both, 2, &args[3]));
  args[0] = value(chosen);
  args[1] = program(both[0]);
  args[2] = program(both[1]);
  TRY(call(h, c, S("higher_order::cond"), args, 4, 1, &y));
  return h->set_output(c, 0, y);
}

/* Sums along the first axis of the second input, from the first input on. */
static o2fx_status running(api h, o2fx_ctx c, const void* user) {
  o2fx_value_info info = no_info();
  o2fx_value start, rows, sum[2], results[2];
  o2fx_arg args[4], pair[2], of_start, of_rows;
  o2fx_program step;
  (void)user;
  TRY(operand(h, c, 0, &start));
  TRY(operand(h, c, 1, &rows));
  TRY(h->value_info(c, start, &info));
  TRY(h->program_begin(c, S("step")));
  TRY(h->placeholder(c, S("sum"), &info, &sum[0]));
  TRY(h->placeholder(c, S("row"), &info, &sum[1]));
  pair[0] = value(sum[0]);
  pair[1] = value(sum[1]);
  TRY(call(h, c, S("aten::add.Tensor"), pair, 2, 0, &sum[0]));
  pair[0] = pair[1] = value(sum[0]);
  args[0] = list(pair, 2);
  TRY(h->program_end(c, &args[0], &step));
  TRY(h->program_close(c, &step, 1, &args[3]));
  of_start = value(start);
  of_rows = value(rows);
  args[0] = program(step);
  args[1] = list(&of_start, 1);
  args[2] = list(&of_rows, 1);
  TRY(call(h, c, S("higher_order::scan"), args, 4, 2, results));
  return h->set_output(c, 0, results[1]);
}

/* A torch operator of the pack's own, whose type stands in the node. */
static o2fx_status typed(api h, o2fx_ctx c, const void* user) {
  o2fx_attr_info a;
  o2fx_value_info info = no_info();
  o2fx_arg x;
  o2fx_value y;
  (void)user;
  TRY(operand(h, c, 0, &y));
  x = value(y);
  TRY(attribute(h, c, S("type"), &a));
  TRY(h->attr_type(c, a.id, 0, &info));
  TRY(call(h, c, S("frozen::typed"), &x, 1, 0, &y));
  TRY(h->set_value_info(c, y, &info));
  return h->set_output(c, 0, y);
}

/* The nodes from one value to another, once more, for the input. */
static o2fx_status again(api h, o2fx_ctx c, const void* user) {
  o2fx_attr_info a;
  o2fx_arg from, to;
  o2fx_str names[2];
  o2fx_value x, y;
  (void)user;
  TRY(operand(h, c, 0, &x));
  TRY(attribute(h, c, S("from"), &a));
  TRY(h->attr_arg(c, a.id, &from));
  TRY(attribute(h, c, S("to"), &a));
  TRY(h->attr_arg(c, a.id, &to));
  names[0].data = from.u.s;
  names[0].len = from.len;
  names[1].data = to.u.s;
  names[1].len = to.len;
  TRY(h->lower_between(c, names, &x, 1, names[1], &y));
  return h->set_output(c, 0, y);
}

static o2fx_status fails(api h, o2fx_ctx c, const void* user) {
  (void)user;
  return model_error(h, c, S("expected another operator, got this one"));
}

static o2fx_status start(api h, o2fx_ctx c) {
  o2fx_str config;
  TRY(h->config(c, &config));
  if (config.len == 2 && !memcmp(config.data, "{}", 2)) return O2FX_OK;
  return model_error(h, c, S("config: expected none"));
}
static void stop(void) {}
static const void* extension(const char* id) {
  (void)id;
  return NULL;
}

#define ROW(name, f, user) \
  { O2FX_STR("frozen"), O2FX_STR(name), 1, 0, 0, 0, f, user }
static const o2fx_op kOps[] = {
    ROW("Again", again, NULL),     ROW("Either", either, NULL),     ROW("Fails", fails, NULL),
    ROW("Running", running, NULL), ROW("Scaled", scaled, "scaled"), ROW("Sizes", sizes, NULL),
    ROW("Table", table, NULL),     ROW("Typed", typed, NULL),       ROW("Words", words, NULL),
};
static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    O2FX_PLUGIN_CONCURRENT,
                                    O2FX_STR("com.frozen.every-slot"),
                                    O2FX_STR("1.0.0"),
                                    kOps,
                                    sizeof kOps / sizeof kOps[0],
                                    sizeof(o2fx_op),
                                    start,
                                    stop,
                                    extension};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
