/* Plugins whose table is wrong in the one way that the build chooses (ABI_MAJOR, MIN_MINOR, ENTRY).
 */
#include <onnx2fx/plugin.h>

#ifndef MAJOR
#define MAJOR O2FX_ABI_MAJOR
#endif
#ifndef MIN_MINOR
#define MIN_MINOR 0u
#endif
#ifndef ENTRY
#define ENTRY onnx2fx_plugin_entry_1
#endif

static o2fx_status decline(const o2fx_host_api* host, o2fx_ctx ctx, const void* user) {
  (void)host, (void)ctx, (void)user;
  return O2FX_DECLINE;
}
static const o2fx_op kOps[] = {
    {O2FX_STR("com.acme"), O2FX_STR("Thing"), 1, 0, 0, 0, decline, NULL}};
static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    MAJOR,
                                    MIN_MINOR,
                                    MIN_MINOR,
                                    0,
                                    O2FX_STR("com.acme.table"),
                                    O2FX_STR("1.0.0"),
                                    kOps,
                                    1,
                                    sizeof(o2fx_op),
                                    NULL,
                                    NULL,
                                    NULL};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL ENTRY(void);
O2FX_EXPORT const o2fx_plugin* O2FX_CALL ENTRY(void) { return &kPlugin; }
