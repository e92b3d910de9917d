/* A source of weights of minor 0 that calls every slot of its host's table. The store is an index,
 * a line "NAME FILE" for each tensor, and those files with the bytes: mapped, or where the file is
 * called *.read, read. */
#include <onnx2fx/plugin.h>
#include <stdlib.h>
#include <string.h>

typedef const o2fx_weights_host* api;
#define S(literal) ((o2fx_str)O2FX_STR(literal))

typedef struct {
  const char* text;
  uint64_t size;
} store;

/* The line that begins at *at; 0 at the end. */
static int line(const store* s, uint64_t* at, o2fx_str* name, o2fx_str* file) {
  const char *begin = s->text + *at, *end = memchr(begin, '\n', s->size - *at), *space;
  if (!end || !(space = memchr(begin, ' ', (size_t)(end - begin)))) return 0;
  name->data = begin;
  name->len = (uint64_t)(space - begin);
  file->data = space + 1;
  file->len = (uint64_t)(end - space - 1);
  *at += (uint64_t)(end - begin) + 1;
  return 1;
}
static int find_line(const store* s, o2fx_str wanted, o2fx_str* file) {
  o2fx_str name;
  uint64_t at = 0;
  while (line(s, &at, &name, file))
    if (name.len == wanted.len && !memcmp(name.data, wanted.data, name.len)) return 1;
  return 0;
}

static o2fx_status open_store(api h, o2fx_ctx c, const o2fx_weight_source* asked, void** source) {
  store* s;
  if (!asked->file)
    return h->set_error(c, O2FX_E_MODEL, "store.c", 1, S("location: expected an index, got none"));
  if (!(s = malloc(sizeof *s))) return h->set_error(c, O2FX_E_NOMEM, "store.c", 2, S("no memory"));
  s->text = asked->file->data;
  s->size = asked->file->size;
  *source = s;
  h->log(c, 2, S("opened"));
  return O2FX_OK;
}
static void close_store(void* source) { free(source); }

static o2fx_status list(api h, o2fx_ctx c, void* source, uint64_t index, o2fx_weight* out) {
  o2fx_str file;
  uint64_t at = 0;
  (void)h, (void)c;
  do {
    if (!line(source, &at, &out->name, &file)) return O2FX_ABSENT;
  } while (index--);
  return O2FX_OK;
}

static o2fx_status file_of(api h, o2fx_ctx c, void* source, o2fx_str name, o2fx_weight_file* out) {
  o2fx_str file;
  char* copy;
  if (!find_line(source, name, &file)) return O2FX_ABSENT;
  if (!(copy = h->scratch(c, file.len, 1))) return O2FX_E_NOMEM;
  memcpy(copy, file.data, file.len);
  file.data = copy;
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  return h->open_file(c, file, out);
}

static o2fx_status find(api h, o2fx_ctx c, void* source, const o2fx_weight* want,
                        o2fx_weight_answer* out) {
  o2fx_weight_file file;
  const o2fx_status status = file_of(h, c, source, want->name, &file);
  if (status) return status;
  out->kind = O2FX_WEIGHT_RANGE;
  out->file = file.index;
  out->length = file.size;
  if (file.location.len > 5 && !memcmp(file.location.data + file.location.len - 5, ".read", 5))
    out->kind = O2FX_WEIGHT_READ;
  return O2FX_OK;
}

static o2fx_status read_tensor(api h, o2fx_ctx c, void* source, const o2fx_weight* want, void* to) {
  o2fx_weight_file file;
  const o2fx_status status = file_of(h, c, source, want->name, &file);
  if (status) return status;
  if (file.size != want->size)
    return h->set_error(c, O2FX_E_MODEL, "store.c", 3, S("expected a file of the tensor's size"));
  memcpy(to, file.data, file.size);
  return O2FX_OK;
}

static const o2fx_str kSuffixes[] = {O2FX_STR(".frozen")};
static const o2fx_weight_scheme kSchemes[] = {{O2FX_STR("frozen"), kSuffixes, 1, 0}};
static const o2fx_weights_ext kWeights = {sizeof kWeights, kSchemes, 1,    open_store,
                                          close_store,     list,     find, read_tensor};
static const void* extension(const char* id) {
  return strcmp(id, O2FX_EXT_WEIGHTS) ? NULL : &kWeights;
}

static const o2fx_plugin kPlugin = {sizeof kPlugin,
                                    O2FX_ABI_MAJOR,
                                    O2FX_ABI_MINOR,
                                    O2FX_TARGET_MINOR,
                                    0,
                                    O2FX_STR("com.frozen.store"),
                                    O2FX_STR("1.0.0"),
                                    NULL,
                                    0,
                                    0,
                                    NULL,
                                    NULL,
                                    extension};

O2FX_EXPORT const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { return &kPlugin; }
