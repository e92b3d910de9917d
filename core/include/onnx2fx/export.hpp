// Marks what libonnx2fx_core.so and libonnx2fx_runtime.so export; all else in them is hidden.
#ifndef ONNX2FX_EXPORT_HPP_
#define ONNX2FX_EXPORT_HPP_

#define ONNX2FX_API __attribute__((visibility("default")))

#endif
