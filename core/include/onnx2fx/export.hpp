// Marks what libonnx2fx_core.so and libonnx2fx_runtime.so may export, and in a wheel do: what the
// Python extension takes of the core is marked, too. All else in them is hidden.
#ifndef ONNX2FX_EXPORT_HPP_
#define ONNX2FX_EXPORT_HPP_

#define ONNX2FX_API __attribute__((visibility("default")))

#endif
