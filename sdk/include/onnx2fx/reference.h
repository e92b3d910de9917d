/* Extension "onnx2fx.reference/1": C functions of a pack that compute what has no kernel yet.
 *
 * A lowering writes a call of the leaf onnx2fx::reference, which names such a function and states
 * the types of its results. Who runs the module gives it the pack's library, as it gives it the
 * libraries of torch operators; tensors cross as in DLPack, with no header of torch or DLPack.
 * There is no gradient: a backward pass through the call is an error.
 *
 *     static o2fx_status twice(const o2fx_reference_host *host, o2fx_ctx ctx,
 *                              const o2fx_reference_call *call, const void *user) {
 *       const o2fx_tensor *x = call->inputs[0];
 *       o2fx_tensor y = {0};
 *       y.ndim = x->ndim; y.shape = x->shape; y.dtype = x->dtype;
 *       o2fx_status s = host->output(ctx, 0, &y);
 *       ... y.data has room for the elements
 *     }
 *     static const o2fx_reference kFunctions[] = {{O2FX_STR("acme::twice"), 0, 0, twice, NULL}};
 *     static const o2fx_reference_ext kReference = {
 *         sizeof kReference, kFunctions, 1, sizeof(o2fx_reference)};
 *
 * Conventions of plugin.h hold, and these:
 *  - Where: the process that runs a module need not hold a converter. Such a host maps the library,
 *    asks its table for this extension, and calls its functions: no init, no deinit, no
 *    o2fx_host_api. A function needs nothing but its arguments.
 *  - Threads: one call at a time of a library, on any thread; any number where the table has
 *    O2FX_PLUGIN_CONCURRENT.
 *  - Inputs: read-only, on the CPU, contiguous in C order, aligned to their elements; they live
 *    until the function returns. Two may be one memory.
 *  - Outputs: memory of the host, asked for by output(), once each and all of them; zeroed, no
 *    input's, contiguous, and the plugin's to write until the function returns. No memory of the
 *    plugin crosses, so there is nothing to release.
 *  - Errors: a status below 0, and its text by set_error. No exception, longjmp or exit().
 */
#ifndef ONNX2FX_REFERENCE_H_
#define ONNX2FX_REFERENCE_H_
#include <onnx2fx/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define O2FX_EXT_REFERENCE "onnx2fx.reference/1"

/* DLPack's DLDataType: code 0 signed, 1 unsigned, 2 float, 4 bfloat, 5 complex, 6 bool. Frozen. */
typedef struct o2fx_dtype {
  uint8_t code, bits; /* of a lane: 32 for float32, 64 for complex64, 8 for bool */
  uint16_t lanes;     /* 1 */
} o2fx_dtype;

/* DLPack's DLTensor, field by field: a pointer to one may be cast to the other. Frozen. */
typedef struct o2fx_tensor {
  void* data;
  int32_t device_type, device_id; /* kDLCPU 1, 0 */
  int32_t ndim;
  o2fx_dtype dtype;
  int64_t* shape;       /* ndim of them */
  int64_t* strides;     /* in elements; never NULL where ndim is above 0 */
  uint64_t byte_offset; /* 0 */
} o2fx_tensor;

typedef struct o2fx_reference_call {
  uint64_t struct_size;
  const o2fx_tensor* const* inputs; /* n_inputs; NULL: one that was left out */
  o2fx_str options;                 /* what the lowering said, as it said it */
  uint32_t n_inputs, n_outputs;
} o2fx_reference_call;

/* Host to plugin, beside the ctx of the call. Append only. All of it is [ctx]. */
typedef struct o2fx_reference_host {
  uint64_t struct_size;
  /* As in o2fx_host_api. The host adds the function's name. [ctx] */
  o2fx_status(O2FX_CALL* set_error)(o2fx_ctx, o2fx_status status, const char* file, int32_t line,
                                    o2fx_str msg);
  /* Memory for output `index`. The plugin has filled ndim, shape and dtype, which are copied and
   * must be what the lowering stated; the host fills the rest. [ctx] */
  o2fx_status(O2FX_CALL* output)(o2fx_ctx, uint32_t index, o2fx_tensor* tensor);
} o2fx_reference_host;

typedef o2fx_status(O2FX_CALL* o2fx_reference_fn)(const o2fx_reference_host* host, o2fx_ctx ctx,
                                                  const o2fx_reference_call* call,
                                                  const void* user);

typedef struct o2fx_reference {
  o2fx_str name; /* "acme::twice", as a torch operator is named; one of a process */
  uint32_t flags, reserved;
  o2fx_reference_fn compute;
  const void* user; /* passed to compute */
} o2fx_reference;

/* Plugin to host, the answer of get_extension. Append only. */
typedef struct o2fx_reference_ext {
  uint64_t struct_size;
  const o2fx_reference*
      functions; /* n_functions rows of function_size bytes, at most O2FX_MAX_OPS */
  uint32_t n_functions, function_size;
} o2fx_reference_ext;

#ifdef __cplusplus
}
#endif
O2FX_SA(sizeof(o2fx_dtype) == 4 && sizeof(o2fx_tensor) == 48, "DLPack's layout changed");
O2FX_SA(offsetof(o2fx_tensor, dtype) == 20 && offsetof(o2fx_tensor, byte_offset) == 40,
        "DLPack's layout changed");
O2FX_SA(sizeof(o2fx_reference_call) == 40 && sizeof(o2fx_reference_host) == 24,
        "reference/1 changed");
O2FX_SA(sizeof(o2fx_reference) == 40 && sizeof(o2fx_reference_ext) == 24, "reference/1 changed");
#endif
