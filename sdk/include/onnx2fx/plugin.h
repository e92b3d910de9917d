/* onnx2fx plugin ABI, major 1, minor 0 (not frozen before the first release: see sdk/ABI.md).
 *
 * A plugin is a shared library that lowers ONNX operators to an ATen-only torch.fx program, or that
 * serves weights. It exports one function, onnx2fx_plugin_entry_1(), which returns a constant
 * table. The host hands its own table to every callback. Nothing else crosses: no LibTorch,
 * protobuf, ONNX, STL, enum-typed, bool-typed or size_t field, and no exception, longjmp or exit().
 *
 *     static o2fx_status relu(const o2fx_host_api *host, o2fx_ctx ctx, const void *op_user);
 *     static const o2fx_op kOps[] = {{O2FX_STR(""), O2FX_STR("Relu"), 1, 0, 0, 0, relu, NULL}};
 *     static const o2fx_plugin kPlugin = {
 *         sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("com.acme.relu"), O2FX_STR("1.0.0"),
 *         kOps, 1, sizeof(o2fx_op), NULL, NULL, NULL};
 *     const o2fx_plugin *O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
 *
 * Conventions, stated once:
 *  1. Platform: 64-bit, little-endian. C11, C++17 and later.
 *  2. Growth: tables and structs with `struct_size` grow at their end only. The side that
 *     allocates a struct sets struct_size; the other side touches no byte beyond it (O2FX_HAS). A
 *     host that fills a struct lowers struct_size to what it filled: a field behind that is not
 *     there, whatever its bytes are. Of what a plugin hands over a host reads what it knows, and
 *     refuses less than minor 0 has. Rows of arrays grow by the stride beside them. Structs without
 *     struct_size are frozen in major 1. `reserved` fields are zero; a host refuses other values,
 *     so that they can get a meaning.
 *  3. Status: 0 done; > 0 an answer that is no error; < 0 an error. Out-parameters are written
 *     only on 0.
 *  4. Error text: the side that returns < 0 has called set_error, or the host has stored a text
 *     itself. A plugin that passes on a status it got from the host adds no text. One error per
 *     ctx, the latest; a lower() that returns O2FX_OK after all (it tried something else) erases
 *     it; < 0 without a text is reported as a fault of the plugin.
 *  5. Lifetime, host to plugin: whatever is read through a ctx (strings, dims, constant bytes,
 *     lists, scratch) lives until the callback that got this ctx returns. Nothing needs copying
 *     before that, and nothing may be kept after. The host's tables are constant and outlive every
 *     plugin; what they answer from get_extension too.
 *  6. Lifetime, plugin to host: the plugin table, its extensions and all that they point to are
 *     constant and live as long as the library is mapped: to the end of the process, and after
 *     deinit. Arguments, and all that they point to, are copied during the call.
 *  7. Threads: every host function is [ctx]: callable only inside the callback that got the ctx,
 *     on its thread. While a nested lowering runs (see lower_subgraph) only the innermost ctx may
 *     be used. Violations return O2FX_E_INVALID; NULL or 0 where the function returns no status.
 *     deinit, close and get_extension of a plugin have no ctx, and call nothing of the host.
 *  8. Ids (o2fx_value, o2fx_attr, o2fx_graph, o2fx_program) are checked by the host: a stale or
 *     foreign id is O2FX_E_INVALID, never undefined behaviour. 0 is "absent". They live as long as
 *     the transaction that made them; those of inputs as long as the ctx.
 *  9. A lowering is a transaction: unless lower() returns O2FX_OK, all that it did to the program
 *     is undone: nodes, constants, roles, value infos, programs, and what lowerings nested in it
 *     did.
 * 10. dtype numbers are onnx.TensorProto.DataType, attribute types
 *     onnx.AttributeProto.AttributeType (stable wire numbers).
 * 11. Bounds: what a plugin hands over is at most as long as O2FX_MAX_* says; beyond that, and for
 *     NULL with a length, a host function answers O2FX_E_INVALID and reads nothing, and a table is
 *     refused. What the host hands over is below 2^31 elements or bytes each, as all of ONNX is;
 *     bytes of tensors and files are bounded by their size alone. C strings (`file`, `id`) end
 *     with a zero byte; of `file` at most O2FX_MAX_NAME bytes are read.
 * 12. Unknown numbers: a flag, kind, tag, role or dtype that a host does not know is
 * O2FX_E_INVALID, in a table a refusal, with a text that names the field and the value; never
 * ignored. A newer host may answer with kinds, attribute types and statuses that this header lacks:
 * they mean "unknown" to the plugin, a status below 0 an error, one above 0 none.
 */
#ifndef ONNX2FX_PLUGIN_H_
#define ONNX2FX_PLUGIN_H_
#include <stddef.h>
#include <stdint.h>

#define O2FX_ABI_MAJOR 1u
#define O2FX_ABI_MINOR 0u /* newest minor that this header describes */
/* Oldest host minor that the plugin wants to run on; hides newer slots (as Py_LIMITED_API does). */
#ifndef O2FX_TARGET_MINOR
#define O2FX_TARGET_MINOR 0u
#endif
#if O2FX_TARGET_MINOR > O2FX_ABI_MINOR
#error "O2FX_TARGET_MINOR is newer than this SDK"
#endif

#if defined(_WIN32)
#define O2FX_CALL __cdecl
#define O2FX_EXPORT __declspec(dllexport)
#else
#define O2FX_CALL
#define O2FX_EXPORT __attribute__((visibility("default")))
#endif

/* Does the struct *p, whose owner told us its size, have field f? */
#define O2FX_HAS(p, T, f) ((p)->struct_size >= offsetof(T, f) + sizeof((p)->f))
/* Initialiser of an o2fx_str from a string literal. */
#define O2FX_STR(literal) \
  { literal, sizeof(literal) - 1 }

#ifdef __cplusplus
extern "C" {
#endif

/* Bounds of what a plugin hands over (convention 11). */
enum {
  O2FX_MAX_TEXT = 1 << 20, /* bytes of a string: a target, hint, key, message, string argument */
  O2FX_MAX_NAME = 4096, /* bytes of a name in a plugin's tables, of a tensor's name in list(), and
                           of a location */
  O2FX_MAX_LIST = 1 << 24, /* elements of a LIST */
  O2FX_MAX_DEPTH = 8,      /* of LISTs in each other */
  O2FX_MAX_ARGS = 4096,    /* n_args, n_kwargs and n_unpack of an emit; programs that are closed
                              together; names of a lower_between */
  O2FX_MAX_RANK = 1024,    /* dims of a tensor */
  O2FX_MAX_OPS = 65536,    /* rows of a plugin */
  O2FX_MAX_SCHEMES = 256,  /* of a plugin; suffixes of a scheme */
  O2FX_MAX_STRUCT = 65536  /* a struct_size or op_size */
};

/* ---- status, strings, ids ---- */

typedef int32_t o2fx_status;
#define O2FX_OK 0
/* From lower(), before or after emitting: "not mine". Undone, and the next provider of this op is
 * asked. A DECLINE of a nested node is settled by the host and never seen outside. */
#define O2FX_DECLINE 1
#define O2FX_ABSENT 2           /* from a getter: none, or not known at conversion time */
#define O2FX_E_INVALID (-1)     /* a bad argument, a bad or stale id, a call out of order */
#define O2FX_E_UNSUPPORTED (-2) /* the model uses what this lowering cannot express */
#define O2FX_E_ABI (-3)         /* cannot agree on a version */
#define O2FX_E_IO (-4)          /* a file or a weight's bytes are missing or unreadable */
#define O2FX_E_NOMEM (-5)
#define O2FX_E_INTERNAL (-6) /* incl. an exception caught at the border */
#define O2FX_E_SCHEMA (-7)   /* emitted target or arguments do not match the torch schema */
#define O2FX_E_MODEL (-8)    /* the model is wrong: an attribute's type, an input missing */

typedef struct o2fx_str {
  const char* data; /* not terminated; NULL only with len 0; UTF-8, save string attributes: bytes as
                       in the model */
  uint64_t len;
} o2fx_str;

/* One per callback. Opaque: perhaps no address at all, so that a host can tell a ctx kept after its
 * callback. */
typedef struct o2fx_ctx_s* o2fx_ctx;
typedef uint64_t o2fx_value;   /* a value of a program, or one written in place (see in_place) */
typedef uint64_t o2fx_attr;    /* an attribute of the node */
typedef uint64_t o2fx_graph;   /* an ONNX graph held by an attribute: body, then_branch... */
typedef uint64_t o2fx_program; /* a finished FX sub-program, made by program_end */

/* ---- arguments ---- */

/* What may stand in the args and kwargs of an FX node. Frozen: 16 bytes. The host checks each
 * against the torch schema. There is no SYMINT tag: a symbolic int is a VALUE of kind
 * O2FX_KIND_INT. A list may mix INT, VALUE and NONE, so `int[]`, `SymInt[]`, `Tensor[]` and
 * `Tensor?[]` are all LIST. An INT passes where the schema says float, not the reverse. */
enum {
  O2FX_T_NONE = 0, /* also an optional argument left out */
  O2FX_T_BOOL,     /* u.i: 0 or 1 */
  O2FX_T_INT,      /* u.i */
  O2FX_T_FLOAT,    /* u.f; inf and nan allowed */
  O2FX_T_STR,      /* u.s, len bytes */
  O2FX_T_VALUE,    /* u.v */
  O2FX_T_PROGRAM,  /* u.v: an o2fx_program, operand of a higher-order operator */
  O2FX_T_DTYPE,    /* u.i: an ONNX number; the host says which torch dtype that is, or that there is
                      none */
  O2FX_T_DEVICE,   /* u.s: "cpu", "cuda:0"; prefer none: new_full, zeros_like follow their tensor
                      through .to() */
  O2FX_T_LAYOUT,   /* u.s: "strided" */
  O2FX_T_MEMORY_FORMAT, /* u.s: "contiguous", "preserve", "channels_last", "channels_last_3d" */
  O2FX_T_LIST,          /* u.list, len elements */
  O2FX_T_TRAINING, /* "is the module in train()": where the schema says bool. The nn view makes a
                     module of it, the aten view bakes what the user chose. For dropout, batch_norm
                   */
  O2FX_T_DEVICE_OF /* u.v: a tensor value; where the schema says Device. Written as `x.device`, so
                      that arange, full, scalar_tensor follow .to("cuda") and run on meta */
};
typedef struct o2fx_arg {
  uint32_t tag; /* O2FX_T_* */
  uint32_t len; /* STR, DEVICE, LAYOUT, MEMORY_FORMAT: bytes; LIST: elements; else 0 */
  union {
    int64_t i;
    double f;
    uint64_t v;
    const char* s;
    const struct o2fx_arg* list;
  } u;
} o2fx_arg;
typedef struct o2fx_named_arg {
  o2fx_str name;
  o2fx_arg arg;
} o2fx_named_arg;

/* ---- what a value is ---- */

enum {
  O2FX_KIND_UNKNOWN = 0,
  O2FX_KIND_TENSOR,
  O2FX_KIND_SEQUENCE, /* elem: what it holds */
  O2FX_KIND_OPTIONAL, /* elem: what it holds */
  O2FX_KIND_MAP,      /* elem: what it maps to; dtype: the key's */
  O2FX_KIND_SPARSE,
  O2FX_KIND_INT,   /* a Python int or torch.SymInt, not a tensor */
  O2FX_KIND_NONE,  /* the empty optional */
  O2FX_KIND_TUPLE, /* the raw result of an operator with several results, not unpacked */
  O2FX_KIND_FLOAT, /* a Python float, not a tensor: what aten::_local_scalar_dense gives for one */
  O2FX_KIND_BOOL   /* a Python bool, likewise */
};

enum { O2FX_CONST_STORED = 1, O2FX_CONST_COMPUTED = 2 };

/* The type of a value, as far as it is known. Results of emit are typed by the host: dtype, rank
 * and extents of what an aten:: overload returns follow from its arguments
 * (core/shapes/aten_types.txt lists the overloads); results of higher-order operators and of leaves
 * that run programs are what the programs return, an extent that differs between branches or steps
 * unknown. Only of a pack's own torch op the host knows nothing: state it (set_value_info). Inputs
 * of the node: the same, refined by ONNX's inference. Out-parameter: caller sets struct_size, host
 * fills. What a plugin states is as long as minor 0 at least, and its is_const is not read. */
typedef struct o2fx_value_info {
  uint64_t struct_size;
  uint32_t kind;
  int32_t dtype; /* 0 = unknown */
  int32_t rank;  /* -1 = unknown; then dims is NULL */
  /* Nonzero: const_data() would answer. O2FX_CONST_STORED: the value is a tensor of the model.
   * O2FX_CONST_COMPUTED: it is computed of such, and a parameter made of its bytes would be trained
   * apart from what it is computed of. */
  uint32_t is_const;
  const int64_t*
      dims; /* rank entries, -1 = not a number: see dim_params; may be NULL (= all unknown) */
  const o2fx_str*
      dim_params; /* rank entries, empty = no name; equal names mean equal extents; may be NULL */
  const struct o2fx_value_info*
      elem; /* SEQUENCE, OPTIONAL, MAP; NULL = unknown; at most 4 in each other */
} o2fx_value_info;

/* Bytes in ONNX raw_data packing (int4 two to a byte, bool one byte); strings never come this way.
 */
typedef struct o2fx_bytes {
  const void* data;
  uint64_t size;
  int32_t dtype, rank;
  const int64_t* dims;
} o2fx_bytes;

typedef struct o2fx_node_info {
  uint64_t struct_size;
  o2fx_str domain; /* "" for ai.onnx */
  o2fx_str op_type, name;
  int64_t opset; /* of the node's own domain, as imported by the model or function that holds the
                    node */
  uint32_t n_inputs, n_outputs; /* as written in the node, trailing omitted ones included */
  uint32_t n_attrs, reserved;   /* attributes present in the node */
} o2fx_node_info;

typedef struct o2fx_attr_info {
  uint64_t struct_size;
  o2fx_attr id;
  o2fx_str name;
  int32_t type; /* AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, TENSOR 4, GRAPH 5, FLOATS
                   6 ... TYPE_PROTO 13 */
  uint32_t
      is_default; /* not in the node: this is the default of the ONNX schema for the node's opset */
  uint64_t count; /* elements of a list type, else 1 */
} o2fx_attr_info;

typedef struct o2fx_graph_info {
  uint64_t struct_size;
  o2fx_str name;
  uint32_t n_inputs, n_outputs;
} o2fx_graph_info;

/* ---- writing ---- */

typedef struct o2fx_emit {
  uint64_t struct_size;
  /* One of these, which neither writes to its arguments nor returns nothing nor acts outside the
   * program:
   * - aten::NAME[.OVERLOAD], by name only, never guessed from the arguments; without OVERLOAD the
   *   one that has no name;
   * - higher_order::cond (pred, then, else, [operands]), ::scan (step, [state], [slices],
   *   [operands]), ::while_loop (condition, body, [state], [operands]);
   * - operator::{add,sub,mul,floordiv,mod,neg,lt,le,gt,ge,eq,ne,truediv} on Python numbers,
   *   operator::getitem, torch::sym_{max,min,not,ite};
   * - onnx2fx::NAME, a leaf of the loader's runtime: loops that no higher-order operator can hold,
   *   strings; the list is core/fx/leaves.def;
   * - NAMESPACE::NAME[.OVERLOAD], a pack's own torch op, declared in its descriptor
   *   (torch_targets). */
  o2fx_str target;
  o2fx_str name_hint; /* empty: from the node's name; made unique and an identifier by the host */
  const o2fx_arg* args;
  const o2fx_named_arg* kwargs;
  uint32_t n_args, n_kwargs;
  uint32_t n_unpack; /* 0: results[0] is the raw result, whatever it is. k >= 1: the result is a
                        tuple or list; the host adds k getitems (also for k = 1: cond returns a
                        tuple of one) and fills results[0..k-1] */
  uint32_t reserved;
} o2fx_emit;

/* What a tensor of the model is in the module. Only the lowering knows what a position means, so it
 * claims: weight, bias and scale are PARAMETER, running statistics MUTATED, tables BUFFER. What
 * nobody claims is the host's guess (a float tensor of one element is no weight). Two claims on one
 * tensor: MUTATED gets its own copy; else the smallest number wins. --trainable / --frozen overrule
 * all of it. */
enum {
  O2FX_ROLE_DEFAULT = 0,
  O2FX_ROLE_PARAMETER = 1, /* nn.Parameter */
  O2FX_ROLE_BUFFER = 2,    /* in state_dict, not trained */
  O2FX_ROLE_CONSTANT = 3,  /* non-persistent buffer: follows .to(), not in state_dict */
  O2FX_ROLE_MUTATED = 4    /* buffer written in training: running statistics */
};

/* Flags of int_list. */
/* Answer O2FX_ABSENT rather than emit aten::_local_scalar_dense (a sync, an unbacked int). */
#define O2FX_INTS_KNOWN_ONLY 1u

/* Host to plugin. Append only; followed in memory by guard slots that abort with the plugin's name.
 * All of it is [ctx]. */
typedef struct o2fx_host_api {
  uint64_t struct_size;
  uint32_t abi_major, abi_minor;
  o2fx_str host_name, host_version;

  /* An optional feature of the host by id, a C string; NULL if not offered: always survive that.
   * Constant, lives as long as the host. [ctx] */
  const void*(O2FX_CALL* get_extension)(o2fx_ctx, const char* id);
  /* level: 0 error, 1 warning, 2 info, 3 debug; below and above count as the nearest. The host adds
   * plugin and node. Copies msg. [ctx] */
  void(O2FX_CALL* log)(o2fx_ctx, int32_t level, o2fx_str msg);
  /* Store the text that belongs to `status` (convention 4), which is below 0, or O2FX_DECLINE: why.
   * It says what, the host adds where. file is a C string or NULL, the place in the plugin's
   * source, shown with --debug. Copies. Returns status; O2FX_E_INVALID if it refuses what it got.
   * [ctx] */
  o2fx_status(O2FX_CALL* set_error)(o2fx_ctx, o2fx_status status, const char* file, int32_t line,
                                    o2fx_str msg);
  /* Memory until the callback returns, not cleared; align is a power of two <= 64. NULL if there is
   * none left, or if size is above 2^40. [ctx] */
  void*(O2FX_CALL* scratch)(o2fx_ctx, uint64_t size, uint64_t align);

  /* ---- reading the node ---- */

  o2fx_status(O2FX_CALL* node_info)(o2fx_ctx, o2fx_node_info* out); /* [ctx] */
  /* The value of input `index`; 0 if omitted or beyond the end. Marks the input as read: one that
   * is present and never asked for is an error when lower() returns OK. [ctx] */
  o2fx_value(O2FX_CALL* input)(o2fx_ctx, uint32_t index);
  /* 1 if output `index` has a name, so that it must be set; 0 if omitted or beyond the end. [ctx]
   */
  uint32_t(O2FX_CALL* output_wanted)(o2fx_ctx, uint32_t index);
  /* The attribute of this name, else its default in the ONNX schema, else O2FX_ABSENT. Marks it as
   * read: an attribute that is present and never asked for is an error when lower() returns OK.
   * [ctx] */
  o2fx_status(O2FX_CALL* attr)(o2fx_ctx, o2fx_str name, o2fx_attr_info* out);
  /* The index-th attribute present in the node, to enumerate. Does not mark it. [ctx] */
  o2fx_status(O2FX_CALL* attr_at)(o2fx_ctx, uint32_t index, o2fx_attr_info* out);
  /* A deliberate omission: the attribute changes nothing here. Fine if absent. [ctx] */
  o2fx_status(O2FX_CALL* ignore_attr)(o2fx_ctx, o2fx_str name);
  /* INT, FLOAT, STRING and their lists as INT, FLOAT, STR or LIST; other types: O2FX_E_MODEL. [ctx]
   */
  o2fx_status(O2FX_CALL* attr_arg)(o2fx_ctx, o2fx_attr, o2fx_arg* out);
  /* Element `index` (0 for the scalar types) of TENSOR(S), GRAPH(S), TYPE_PROTO(S); else
   * O2FX_E_MODEL. A tensor comes as a value, the same as an initializer: pass it on (no byte
   * crosses, weightless works), or read it by const_data. A SPARSE_TENSOR comes dense. [ctx] */
  o2fx_status(O2FX_CALL* attr_tensor)(o2fx_ctx, o2fx_attr, uint32_t index, o2fx_value* out);
  o2fx_status(O2FX_CALL* attr_graph)(o2fx_ctx, o2fx_attr, uint32_t index, o2fx_graph* out);
  o2fx_status(O2FX_CALL* attr_type)(o2fx_ctx, o2fx_attr, uint32_t index, o2fx_value_info* out);

  /* ---- what is known about values ---- */

  o2fx_status(O2FX_CALL* value_info)(o2fx_ctx, o2fx_value, o2fx_value_info* out); /* [ctx] */
  /* State what the plugin knows of a value it made and the host cannot: of the results of its own
   * torch ops. Merged into what is known; a contradiction is O2FX_E_INVALID. What is left open
   * stays so, and the error of a node that needs it says who left it. [ctx] */
  o2fx_status(O2FX_CALL* set_value_info)(o2fx_ctx, o2fx_value, const o2fx_value_info*);
  /* The bytes, if known at conversion time (initializer, Constant, constant()). O2FX_ABSENT: not a
   * constant. O2FX_E_IO: a constant whose bytes are absent (weightless), text set. Reads the file:
   * not for big weights. [ctx] */
  o2fx_status(O2FX_CALL* const_data)(o2fx_ctx, o2fx_value, o2fx_bytes* out);
  /* The elements of a constant string tensor, in C order, as LIST of STR; O2FX_ABSENT: not a
   * constant. E_MODEL: not a string tensor. A string tensor is a host-side value of the loader's
   * runtime (onnx2fx:: targets take and give them), never a torch.Tensor. [ctx] */
  o2fx_status(O2FX_CALL* const_strings)(o2fx_ctx, o2fx_value, o2fx_arg* out);
  /* The elements of a small integer tensor as LIST of INT and of VALUE (KIND_INT); a scalar gives
   * one element. Of a bool tensor they are 0, 1 and VALUEs of KIND_BOOL; of a float tensor they are
   * given if they are sizes that passed through it and are known to be whole. The host tracks shape
   * arithmetic, so a plugin never computes on tensors to get a shape. What is really data-dependent
   * becomes aten::_local_scalar_dense, if the length is known and flags allow it, else O2FX_ABSENT.
   * O2FX_E_IO: as of const_data. [ctx] */
  o2fx_status(O2FX_CALL* int_list)(o2fx_ctx, o2fx_value, uint32_t flags, o2fx_arg* out);
  /* The extent of one axis (negative: from the end, if the rank is known): INT, or VALUE of
   * aten::sym_size.int, which the host emits once per value and axis. [ctx] */
  o2fx_status(O2FX_CALL* dim)(o2fx_ctx, o2fx_value, int32_t axis, o2fx_arg* out);
  /* The elements of a sequence known at conversion time; O2FX_ABSENT: a list that exists only at
   * run time. [ctx] */
  o2fx_status(O2FX_CALL* list_items)(o2fx_ctx, o2fx_value, o2fx_arg* out);

  /* ---- writing FX into the current program: the node's own, or the innermost begun ---- */

  /* Append one call_function node. Values of an outer program become operands of the current one by
   * themselves (see program_close). Arguments of aten:: calls are checked against the dispatcher's
   * schema, operands of higher-order calls against the formals of their programs: count, dtype,
   * rank. A node that reaches no output of the program is dropped in the end, so a lowering may
   * emit, look, and take another way: there is no partial undo and none is needed. results: room
   * for n_unpack values, for one if that is 0. [ctx] */
  o2fx_status(O2FX_CALL* emit)(o2fx_ctx, const o2fx_emit*, o2fx_value* results);
  /* A tensor made by the lowering (a table): get_attr of the root, an operand in sub-programs.
   * Equal name hint, bytes, type and role give one tensor. A MUTATED one is the node's own, the
   * same in every instance of it (an unrolled body). A PARAMETER, named below the node, is a part
   * of the tensor that const_data gave last (else the node's own): one for the same part. Copies.
   * [ctx] */
  o2fx_status(O2FX_CALL* constant)(o2fx_ctx, o2fx_str name_hint, const o2fx_bytes*, int32_t role,
                                   o2fx_value* out);
  /* A value that is no node but is written where it is used: a LIST (an ONNX sequence,
   * KIND_SEQUENCE), NONE (the empty optional), or an INT. Elements must be VALUEs, INTs or NONE.
   * [ctx] */
  o2fx_status(O2FX_CALL* in_place)(o2fx_ctx, const o2fx_arg*, o2fx_value* out);
  /* A tensor of integers given as INT/VALUE (rank 0) or a LIST of them (rank 1): int_list gives
   * them back, and the host emits a tensor only if somebody uses it as one. For shape-like outputs.
   * [ctx] */
  o2fx_status(O2FX_CALL* int_tensor)(o2fx_ctx, const o2fx_arg*, int32_t dtype, o2fx_value* out);
  /* What the tensor behind this value is in the module (O2FX_ROLE_*). No effect on values that are
   * no initializer. [ctx] */
  o2fx_status(O2FX_CALL* set_role)(o2fx_ctx, o2fx_value, int32_t role);
  /* node.meta["onnx2fx"][key] of an emitted value. Copies. [ctx] */
  o2fx_status(O2FX_CALL* set_meta)(o2fx_ctx, o2fx_value, o2fx_str key, const o2fx_arg*);
  /* One line about this ONNX node for report.json: which form a Loop took and why, what was decided
   * on the user's behalf. Copies. [ctx] */
  o2fx_status(O2FX_CALL* annotate)(o2fx_ctx, o2fx_str key, o2fx_str text);
  /* Bind output `index`; each output that is wanted exactly once, others are ignored. An input may
   * be passed through. Must be a value of the node's own program, not of a begun one. [ctx] */
  o2fx_status(O2FX_CALL* set_output)(o2fx_ctx, uint32_t index, o2fx_value);

  /* ---- ONNX graphs held by attributes ---- */

  o2fx_status(O2FX_CALL* graph_info)(o2fx_ctx, o2fx_graph, o2fx_graph_info* out); /* [ctx] */
  /* The declared type of a formal input (is_output 0) or output (1) of the graph. [ctx] */
  o2fx_status(O2FX_CALL* graph_value_info)(o2fx_ctx, o2fx_graph, uint32_t is_output, uint32_t index,
                                           o2fx_value_info* out);
  /* Lower all nodes of the graph into the current program, its inputs bound to the given values
   * (n_inputs of them), its results written to outputs (room for n_outputs). May be called any
   * number of times: none (a branch that is never taken), once in a begun program (a body), once in
   * the node's own (an If whose condition is constant), k times (a loop unrolled). Re-enters
   * plugins, perhaps this very function, each with a ctx of its own; meanwhile this ctx is closed.
   * Types flow from the given values, joined with the declared ones; const_data and int_list of the
   * body's nodes see through constants among them, so a plugin learns whether a Loop can stop by
   * itself: pass a constant true, see if one comes back. [ctx] */
  o2fx_status(O2FX_CALL* lower_subgraph)(o2fx_ctx, o2fx_graph, const o2fx_value* inputs,
                                         uint32_t n_inputs, o2fx_value* outputs,
                                         uint32_t n_outputs);
  /* Lower once more, into the current program, the nodes of the graph (or function body) that
   * holds this node which lead from the values named in `from` (n of them, bound to the given ones)
   * to the one named `to`. What `to` needs and no value of `from` changes is taken as it is in the
   * node's own program. O2FX_E_MODEL: that graph does not compute `to`. For an operator that names
   * a part of its graph: the derivative of it, a schedule of it. Re-enters as lower_subgraph does.
   * [ctx] */
  o2fx_status(O2FX_CALL* lower_between)(o2fx_ctx, const o2fx_str* from, const o2fx_value* values,
                                        uint32_t n, o2fx_str to, o2fx_value* out);

  /* ---- sub-programs: operands of cond, while_loop, scan ---- */

  /* Open a program; it becomes the current one until its program_end. They nest, and end in reverse
   * order. [ctx] */
  o2fx_status(O2FX_CALL* program_begin)(o2fx_ctx, o2fx_str name_hint);
  /* Append a formal operand to the current begun program, in the order in which the operator passes
   * them (scan: state, slices; while_loop: state); captures follow by themselves. info NULL: some
   * tensor; pass the value_info of the actual, which inference inside the body goes on from.
   * KIND_INT: a symbolic int. [ctx] */
  o2fx_status(O2FX_CALL* placeholder)(o2fx_ctx, o2fx_str name_hint, const o2fx_value_info* info,
                                      o2fx_value* out);
  /* End the current program. result: VALUE (returns it bare, as while_loop's condition must) or
   * LIST (returns a tuple). Values made in it are invalid from here on. [ctx] */
  o2fx_status(O2FX_CALL* program_end)(o2fx_ctx, const o2fx_arg* result, o2fx_program* out);
  /* Close programs that will be operands of one call (then and else; condition and body). Each
   * outer value that any of them uses becomes a trailing formal of all of them, in the same order;
   * `captures` lists the actuals, a LIST of VALUEs of the current program, to be passed as the
   * call's trailing operands. Weights are among them; nothing is captured silently. A program can
   * be used in emit only once closed, and closed only once. [ctx] */
  o2fx_status(O2FX_CALL* program_close)(o2fx_ctx, const o2fx_program* programs, uint32_t n,
                                        o2fx_arg* captures);

  /* ---- the user's settings ---- */

  /* What the manifest says of this plugin under plugins.config: a JSON object, "{}" if nothing. The
   * same in init and in every lower until deinit: a host refuses to use a plugin with two of them
   * at once. A key that the plugin does not know is an error of its init. [ctx] */
  o2fx_status(O2FX_CALL* config)(o2fx_ctx, o2fx_str* out);
  /* ---- end of minor 0: never touch anything above ---- */
} o2fx_host_api;

/* ---- plugin ---- */

/* Lower one node. Called once per node (and once per instance of a subgraph's node), serially per
 * plugin unless O2FX_PLUGIN_CONCURRENT; may be re-entered through lower_subgraph and lower_between,
 * and run on another thread while it waits in one of them, so it keeps no state in globals. host
 * and ctx are valid until it returns. */
typedef o2fx_status(O2FX_CALL* o2fx_lower_fn)(const o2fx_host_api* host, o2fx_ctx ctx,
                                              const void* op_user);

/* One row of the op table. The row of the highest since_opset <= the node's opset is taken, per
 * plugin; a newer opset is no error. Rows of one (domain, op_type) must not share a since_opset. */
typedef struct o2fx_op {
  o2fx_str domain, op_type;         /* "" for ai.onnx */
  int32_t since_opset, until_opset; /* inclusive; until 0 = open end */
  uint32_t flags, reserved;
  o2fx_lower_fn lower;
  const void* op_user; /* passed to lower; lets many rows share one function */
} o2fx_op;

#define O2FX_PLUGIN_CONCURRENT \
  1u /* lower may run on several threads at once, each with its own ctx */

typedef struct o2fx_plugin {
  uint64_t struct_size;
  uint32_t abi_major, abi_minor; /* of the header it was built with */
  uint32_t abi_min_minor, flags; /* oldest host minor it can live with; O2FX_PLUGIN_* */
  o2fx_str id, version;          /* "com.acme.rope-pack", "1.4.0"; must match the manifest */
  const o2fx_op* ops;            /* n_ops rows of op_size bytes: the stride lets o2fx_op grow */
  uint32_t n_ops, op_size;
  /* All three may be NULL; most plugins need none. init and deinit are counted pairs, one per host
   * in the process, never concurrent with anything else in the plugin, perhaps on different
   * threads. The ctx serves get_extension, log, set_error, scratch, config. init returns O2FX_OK,
   * or the plugin is refused, and deinit not called. */
  o2fx_status(O2FX_CALL* init)(const o2fx_host_api*, o2fx_ctx);
  void(O2FX_CALL* deinit)(void);
  /* What this plugin offers under an id (a C string), e.g. O2FX_EXT_WEIGHTS; NULL if nothing. The
   * answer is a constant, also before init. */
  const void*(O2FX_CALL* get_extension)(const char* id);
  /* ---- end of minor 0 ---- */
} o2fx_plugin;

/* The only exported symbol. Its name carries the ABI major, so that a host can tell from the symbol
 * table alone, running no plugin code, whether it speaks this language. Returns a constant; does
 * nothing else. */
O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void);

/* ---- extension "onnx2fx.weights/1" ---- */

/* Sources of weights. A plugin that has some answers get_extension(O2FX_EXT_WEIGHTS) with a
 * constant o2fx_weights_ext. The host opens a source for each file that a model's external data
 * names by a scheme ("xor" in "xor:w.bin"), and for each rule of a manifest that names the scheme.
 * It opens every file itself, contained in the folder of the model or manifest; a plugin opens
 * none. Bytes cross in two ways: as a range of such a file, which the host maps and nobody copies,
 * or read into memory of the host. Order: open; list, find, read; close; all of it between init and
 * deinit. Serial, unless the plugin sets O2FX_PLUGIN_CONCURRENT. */
#define O2FX_EXT_WEIGHTS "onnx2fx.weights/1"

/* A file that the host has opened and mapped. Lives until close(). */
typedef struct o2fx_weight_file {
  uint64_t struct_size;
  o2fx_str location; /* as the model or manifest says it, without the scheme: for messages */
  const void* data;  /* read-only; NULL if size is 0 */
  uint64_t size;
  int64_t fd;     /* borrowed and read-only, for pread; -1: a model given in memory */
  uint32_t index; /* for o2fx_weight_answer */
  uint32_t reserved;
} o2fx_weight_file;

/* What open() is asked to serve. Lives until open() returns. */
typedef struct o2fx_weight_source {
  uint64_t struct_size;
  o2fx_str scheme;
  o2fx_str options;             /* of the manifest's rule: a JSON object, "{}" if it has none */
  const o2fx_weight_file* file; /* index 0; NULL: none is named */
  uint64_t seed;                /* the user's, for whatever is random; else 0 */
} o2fx_weight_source;

/* Which of offset and length the model's external data states. What is not stated is 0: a store
 * that goes by names states neither. */
enum { O2FX_STATED_OFFSET = 1, O2FX_STATED_LENGTH = 2 };
/* A tensor: what the module wants, or what a source holds. */
typedef struct o2fx_weight {
  uint64_t struct_size;
  o2fx_str name; /* its key in the source: renaming by a rule is done */
  int32_t dtype, rank;
  const int64_t* dims;     /* rank entries */
  uint64_t size;           /* in bytes, ONNX raw_data packing: what a range or read() must give */
  uint64_t offset, length; /* of what is stored in file 0, as the model says; the source knows what
                              they mean: of compressed bytes, length is not size */
  uint32_t stated;         /* O2FX_STATED_*; none for a rule's source. list() leaves it and the two
                              above zero */
  uint32_t reserved;
} o2fx_weight;

enum {
  O2FX_WEIGHT_RANGE = 1, /* length bytes at offset of file: nothing is copied */
  O2FX_WEIGHT_READ = 2,  /* read() gives them */
  O2FX_WEIGHT_META = 3,  /* there are none: the tensor is on torch's meta device */
  O2FX_WEIGHT_OWN = 4    /* what the model itself says; no other rule is asked */
};
/* The host has zeroed it and set struct_size. */
typedef struct o2fx_weight_answer {
  uint64_t struct_size;
  uint32_t kind; /* O2FX_WEIGHT_* */
  uint32_t file; /* RANGE: o2fx_weight_file.index */
  uint64_t offset, length;
  int32_t dtype, rank; /* what the source holds; dtype 0: it does not know, `want` is taken on
                          trust. The host refuses what is not exactly what was wanted */
  const int64_t* dims; /* of the source, or scratch */
} o2fx_weight_answer;

/* Host to plugin, beside the ctx of the callback. Append only. All of it is [ctx]. */
typedef struct o2fx_weights_host {
  uint64_t struct_size;
  /* As in o2fx_host_api. The host adds source and tensor. [ctx] */
  void(O2FX_CALL* log)(o2fx_ctx, int32_t level, o2fx_str msg);
  o2fx_status(O2FX_CALL* set_error)(o2fx_ctx, o2fx_status status, const char* file, int32_t line,
                                    o2fx_str msg);
  void*(O2FX_CALL* scratch)(o2fx_ctx, uint64_t size, uint64_t align);
  /* Another file of this source: location is relative to the folder of file 0, and contained as
   * file 0 is. The same location gives the same file. O2FX_ABSENT: there is none. [ctx] */
  o2fx_status(O2FX_CALL* open_file)(o2fx_ctx, o2fx_str location, o2fx_weight_file* out);
} o2fx_weights_host;

/* A source that reads no file: a rule gives it no location, and a model cannot name it. */
#define O2FX_SCHEME_WITHOUT_FILE 1u
/* A scheme: lower case, digits, '+', '.', '-', a letter first, at most 32 bytes. Frozen. */
typedef struct o2fx_weight_scheme {
  o2fx_str name;
  const o2fx_str* suffixes;   /* of locations that mean this scheme where none is named: ".npz", at
                                 most 64 bytes */
  uint32_t n_suffixes, flags; /* O2FX_SCHEME_* */
} o2fx_weight_scheme;

/* Plugin to host. Append only. */
typedef struct o2fx_weights_ext {
  uint64_t struct_size;
  const o2fx_weight_scheme* schemes;
  uint64_t n_schemes;
  /* Start serving. *source is the plugin's own; NULL is as good as any. Options that are not known
   * are an error. */
  o2fx_status(O2FX_CALL* open)(const o2fx_weights_host*, o2fx_ctx, const o2fx_weight_source*,
                               void** source);
  /* Once for each open() that returned O2FX_OK, and nothing of the source is used after. */
  void(O2FX_CALL* close)(void* source);
  /* The index-th tensor of a source that knows its content, for messages; O2FX_ABSENT past the end,
   * at most 2^20 are asked for. The name lives until close(); the host reads nothing else of it.
   * NULL: no source of this plugin knows. */
  o2fx_status(O2FX_CALL* list)(const o2fx_weights_host*, o2fx_ctx, void* source, uint64_t index,
                               o2fx_weight* out);
  /* What the source holds for `want`. O2FX_ABSENT: nothing of that name. O2FX_DECLINE: nothing for
   * tensors of this kind (random numbers for an index table): the next rule is asked, in the end
   * the model. */
  o2fx_status(O2FX_CALL* find)(const o2fx_weights_host*, o2fx_ctx, void* source,
                               const o2fx_weight* want, o2fx_weight_answer* out);
  /* All want->size bytes into `to`, which is the host's until read() returns. Only after find()
   * answered READ. NULL: it never does. */
  o2fx_status(O2FX_CALL* read)(const o2fx_weights_host*, o2fx_ctx, void* source,
                               const o2fx_weight* want, void* to);
} o2fx_weights_ext;

#ifdef __cplusplus
}
#define O2FX_SA(c, m) static_assert(c, m)
#else
#define O2FX_SA(c, m) _Static_assert(c, m)
#endif
/* The frozen layout. */
O2FX_SA(sizeof(void*) == 8, "64-bit platforms only");
O2FX_SA(sizeof(o2fx_arg) == 16 && sizeof(o2fx_str) == 16 && sizeof(o2fx_named_arg) == 32,
        "value ABI changed");
O2FX_SA(sizeof(o2fx_bytes) == 32 && sizeof(o2fx_op) == 64, "frozen struct changed");
O2FX_SA(sizeof(o2fx_emit) == 72 && sizeof(o2fx_value_info) == 48, "minor 0 struct changed");
O2FX_SA(sizeof(o2fx_node_info) == 80 && sizeof(o2fx_attr_info) == 48, "minor 0 struct changed");
O2FX_SA(offsetof(o2fx_host_api, get_extension) == 48, "host table head moved");
O2FX_SA(offsetof(o2fx_host_api, emit) == 48 + 8 * 21, "minor 0 host table changed");
O2FX_SA(offsetof(o2fx_host_api, program_close) == 48 + 8 * 36, "minor 0 host table changed");
O2FX_SA(offsetof(o2fx_host_api, config) == 48 + 8 * 37, "minor 0 host table changed");
O2FX_SA(sizeof(o2fx_host_api) == 48 + 8 * 38, "minor 0 host table changed");
O2FX_SA(offsetof(o2fx_plugin, ops) == 56 && offsetof(o2fx_plugin, get_extension) == 88,
        "minor 0 plugin table changed");
O2FX_SA(sizeof(o2fx_weight_file) == 56 && sizeof(o2fx_weight_source) == 56, "weights/1 changed");
O2FX_SA(sizeof(o2fx_weight) == 72 && sizeof(o2fx_weight_answer) == 48, "weights/1 changed");
O2FX_SA(sizeof(o2fx_weights_host) == 40 && sizeof(o2fx_weight_scheme) == 32, "weights/1 changed");
O2FX_SA(sizeof(o2fx_weights_ext) == 64, "weights/1 changed");
#endif
