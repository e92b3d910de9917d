/* A plugin that wants a function which nobody has. */
#include <onnx2fx/plugin.h>

extern int a_function_that_nobody_has(void);
O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) {
  return a_function_that_nobody_has() ? NULL : NULL;
}
