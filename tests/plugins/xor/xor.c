/* A source of weights in plain C11: a store whose tensors are scrambled by XOR with one byte.
 *
 *     "XORSTORE"  int64 key  int64 n
 *     n entries:  char name[64]  int64 dtype, rank, dims[4], offset, length
 *     bytes, each XORed with the key
 *
 * Used by name (a rule of a manifest), and by offset (external data at "xor:w.bin"). */
#include <onnx2fx/plugin.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char name[64];
  int64_t dtype, rank, dims[4], offset, length;
} entry;
typedef struct {
  o2fx_weight_file file;
  const entry* entries;
  int64_t n;
  unsigned char key;
} store;

static o2fx_status fail(const o2fx_weights_host* host, o2fx_ctx ctx, const char* text) {
  const o2fx_str s = {text, strlen(text)};
  return host->set_error(ctx, O2FX_E_MODEL, __FILE__, __LINE__, s);
}

static int is(o2fx_str s, const char* text) {
  return s.len == strlen(text) && !memcmp(s.data, text, s.len);
}

static o2fx_status open_store(const o2fx_weights_host* host, o2fx_ctx ctx,
                              const o2fx_weight_source* asked, void** source) {
  int64_t head[2], i;
  store* s;
  if (!is(asked->options, "{}")) return fail(host, ctx, "options: expected none");
  if (!asked->file) return fail(host, ctx, "location: expected a file, got none");
  if (asked->file->size < 24 || memcmp(asked->file->data, "XORSTORE", 8))
    return fail(host, ctx, "expected a store that begins with XORSTORE, got another file");
  memcpy(head, (const char*)asked->file->data + 8, sizeof head);
  if (head[1] < 0 || (uint64_t)head[1] > (asked->file->size - 24) / sizeof(entry))
    return fail(host, ctx, "expected as many entries as the file has room for, got more");
  if (!(s = malloc(sizeof *s)))
    return host->set_error(ctx, O2FX_E_NOMEM, __FILE__, __LINE__, (o2fx_str)O2FX_STR("no memory"));
  s->file = *asked->file;
  s->key = (unsigned char)head[0];
  s->n = head[1];
  s->entries = (const entry*)((const char*)asked->file->data + 24);
  for (i = 0; i < s->n; i++) {
    const entry* e = s->entries + i;
    if (!memchr(e->name, 0, sizeof e->name) || e->rank < 0 || e->rank > 4 || e->offset < 0 ||
        e->length < 0 || (uint64_t)e->offset > s->file.size ||
        (uint64_t)e->length > s->file.size - (uint64_t)e->offset) {
      free(s);
      return fail(host, ctx, "expected entries that lie in the file, got another");
    }
  }
  *source = s;
  return O2FX_OK;
}

static void close_store(void* source) { free(source); }

static o2fx_status list(const o2fx_weights_host* host, o2fx_ctx ctx, void* source, uint64_t index,
                        o2fx_weight* out) {
  const store* s = source;
  (void)host;
  (void)ctx;
  if (index >= (uint64_t)s->n) return O2FX_ABSENT;
  out->name.data = s->entries[index].name;
  out->name.len = strlen(out->name.data);
  return O2FX_OK;
}

static const entry* entry_of(const store* s, const o2fx_weight* want) {
  int64_t i;
  for (i = 0; i < s->n; i++)
    if (is(want->name, s->entries[i].name)) return s->entries + i;
  return NULL;
}

static o2fx_status find(const o2fx_weights_host* host, o2fx_ctx ctx, void* source,
                        const o2fx_weight* want, o2fx_weight_answer* out) {
  const store* s = source;
  const entry* e;
  if (want->stated & O2FX_STATED_OFFSET) {
    if (want->offset > s->file.size || want->size > s->file.size - want->offset)
      return fail(host, ctx, "expected a tensor inside the file, got one outside");
  } else {
    if (!(e = entry_of(s, want))) return O2FX_ABSENT;
    out->dtype = (int32_t)e->dtype;
    out->rank = (int32_t)e->rank;
    out->dims = e->dims;
  }
  out->kind = O2FX_WEIGHT_READ;
  return O2FX_OK;
}

static o2fx_status read_tensor(const o2fx_weights_host* host, o2fx_ctx ctx, void* source,
                               const o2fx_weight* want, void* to) {
  const store* s = source;
  const unsigned char* from = s->file.data;
  uint64_t i;
  if (want->stated & O2FX_STATED_OFFSET) {
    from += want->offset;
  } else {
    const entry* e = entry_of(s, want);
    if ((uint64_t)e->length != want->size)
      return fail(host, ctx, "expected a length that fits the dims, got another");
    from += e->offset;
  }
  for (i = 0; i < want->size; i++) ((unsigned char*)to)[i] = from[i] ^ s->key;
  return O2FX_OK;
}

static const o2fx_str kSuffixes[] = {O2FX_STR(".xorstore")};
static const o2fx_weight_scheme kSchemes[] = {{O2FX_STR("xor"), kSuffixes, 1, 0}};
static const o2fx_weights_ext kWeights = {sizeof kWeights, kSchemes, 1,    open_store,
                                          close_store,     list,     find, read_tensor};

static const void* get_extension(const char* id) {
  return strcmp(id, O2FX_EXT_WEIGHTS) ? NULL : &kWeights;
}

static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    0,
                                    O2FX_STR("com.acme.xor"),
                                    O2FX_STR("1.0.0"),
                                    NULL,
                                    0,
                                    0,
                                    NULL,
                                    NULL,
                                    get_extension};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
