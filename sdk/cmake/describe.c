/* onnx2fx_describe LIBRARY OUT.onnx2fx.json [PROVIDES.json]
 *
 * Writes a plugin's descriptor from the tables in the library itself, so that the two cannot
 * drift. What a table does not say is taken from PROVIDES.json: objects one after the other, or an
 * array of them.
 *
 *     {"domain": "com.acme", "op": "Rope", "torch_targets": ["acme::rope"]}
 *     {"op": "Gelu", "override": true, "priority": 10}
 *     {"plugin": {"license": "MIT"}}
 *
 * An object with "op" is about the rows of one (domain, op); its keys besides these are copied. One
 * with "plugin" adds to the plugin's own keys. A key that a descriptor does not have there, or a
 * value of another kind, is an error. Runs at build time, on libc and libdl alone. */
#include <dlfcn.h>
#include <onnx2fx/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXTRAS 4096

typedef struct {
  char *domain, *op; /* op NULL: about the plugin */
  const char *rest;  /* further members, without braces */
  size_t rest_len;
  int used;
} extra;

static extra extras[MAX_EXTRAS];
static int n_extras;

static void fail(const char *where, const char *what) {
  fprintf(stderr, "error: %s: %s\n", where, what);
  exit(1);
}

static void put_string(FILE *out, o2fx_str s) {
  uint64_t i;
  fputc('"', out);
  for (i = 0; i < s.len; i++) {
    const unsigned char c = (unsigned char)s.data[i];
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20)
      fprintf(out, "\\u%04x", c);
    else
      fputc(c, out);
  }
  fputc('"', out);
}

/* The PROVIDES file. */
static char provides[1 << 20];
static const char *provides_file;

static void fail_at(const char *at, const char *what) {
  const char *c;
  int line = 1;
  for (c = provides; c < at; c++) line += *c == '\n';
  fprintf(stderr, "error: %s:%d: %s\n", provides_file, line, what);
  exit(1);
}

static char *skip(char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',') at++;
  return at;
}

/* The end of the JSON value that begins at `at`; NULL if there is none. */
static char *value_end(char *at) {
  int depth = 0, quoted = 0;
  for (; *at; at++) {
    if (quoted) {
      if (*at == '\\' && at[1])
        at++;
      else if (*at == '"')
        quoted = 0;
    } else if (*at == '"') {
      quoted = 1;
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      if (depth-- == 0) return at;
    } else if (*at == ',' && depth == 0) {
      return at;
    }
  }
  return NULL;
}

/* What may be added to a descriptor, as schema/plugin.schema.json has it. first: how a value
 * begins. */
typedef struct {
  const char *name, *first, *what;
} member;
#define STRING "\"", "a string in quotes"
static const member kOfRow[] = {{"override", "tf", "true or false"},
                                {"priority", "-0123456789", "an integer"},
                                {"torch_targets", "[", "an array of names such as \"acme::rope\""},
                                {NULL, NULL, NULL}};
static const member kOfPlugin[] = {
    {"description", STRING},
    {"homepage", STRING},
    {"license", STRING},
    {"min_torch", STRING},
    {"requires", "[", "an array of objects"},
    {"sha256", STRING},
    {"torch_library", "\"{", "a file name, or an object of one for each platform"},
    {NULL, NULL, NULL}};

static void check_member(const member *known, char *key, const char *value) {
  char text[512];
  size_t n, k;
  for (k = 0; known[k].name; k++) {
    n = strlen(known[k].name);
    if (strncmp(key + 1, known[k].name, n) || key[n + 1] != '"') continue;
    if (strchr(known[k].first, *value)) return;
    snprintf(text, sizeof text, "expected \"%s\" to be %s", known[k].name, known[k].what);
    fail_at(value, text);
  }
  n = (size_t)snprintf(text, sizeof text, "unknown key %.*s: expected ",
                       (int)(strcspn(key + 1, "\"\n") + 2), key);
  for (k = 0; known[k].name; k++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%s\"",
                          k == 0              ? ""
                          : known[k + 1].name ? ", "
                                              : " or ",
                          known[k].name);
  fail_at(key, text);
}

/* Memory until the end of the program. */
static char *take(size_t n) {
  static char pool[4 << 20];
  static size_t used;
  if (n > sizeof pool - used) fail("onnx2fx_describe", "the PROVIDES file is too large");
  used += n;
  return pool + used - n;
}

static char *copy(const char *data, size_t n) {
  char *s = take(n + 1);
  memcpy(s, data, n);
  s[n] = 0;
  return s;
}

/* "text" -> text, for names without escapes. */
static char *unquoted(const char *begin, const char *end) {
  while (end > begin && strchr(" \t\r\n", end[-1])) end--;
  if (end - begin < 2 || *begin != '"' || end[-1] != '"')
    fail_at(begin, "expected domain and op to be strings");
  return copy(begin + 1, (size_t)(end - begin - 2));
}

/* At most the bytes of the object that begins at `at`. */
static size_t object_size(const char *at) {
  const char *c;
  int depth = 0, quoted = 0;
  for (c = at; *c; c++) {
    if (quoted && *c == '\\' && c[1])
      c++;
    else if (*c == '"')
      quoted = !quoted;
    else if (!quoted && (*c == '{' || *c == '['))
      depth++;
    else if (!quoted && (*c == '}' || *c == ']') && --depth == 0)
      break;
  }
  return (size_t)(c - at);
}

/* Those of the object "plugin" that begins at `at`. */
static void check_members(char *at) {
  char *key, *colon, *value, *end;
  for (key = skip(at + 1); *key == '"'; key = skip(end)) {
    if (!(colon = strchr(key + 1, '"')) || !(colon = strchr(colon, ':')) ||
        !(end = value_end(value = skip(colon + 1))))
      fail_at(key, "expected a key, a colon and a value");
    check_member(kOfPlugin, key, value);
  }
  if (*key != '}') fail_at(key, "expected a key in quotes, or }");
}

/* Reads the object that begins at `at`; returns what is behind it. */
static char *read_object(char *at) {
  static const char kObject[] = "expected an object with keys in quotes, and its end";
  char *const begin = at, *rest;
  extra *e = &extras[n_extras];
  size_t n = 0;
  if (n_extras + 1 == MAX_EXTRAS) fail_at(at, "expected fewer objects");
  rest = take(object_size(at) + 2);
  e->domain = copy("", 0);
  at = skip(at + 1);
  while (*at == '"') {
    char *key = at, *colon = strchr(at + 1, '"'), *value, *end;
    if (!colon || !(colon = strchr(colon, ':')) || !(end = value_end(value = skip(colon + 1))))
      fail_at(begin, kObject);
    if (!strncmp(key, "\"domain\"", 8)) {
      e->domain = unquoted(value, end);
    } else if (!strncmp(key, "\"op\"", 4)) {
      e->op = unquoted(value, end);
    } else if (!strncmp(key, "\"plugin\"", 8)) {
      char *last = end;
      while (last > value && strchr(" \t\r\n", last[-1])) last--;
      if (*value != '{' || last[-1] != '}') fail_at(value, "expected \"plugin\" to be an object");
      check_members(value);
      e->rest = value + 1;
      e->rest_len = (size_t)(last - value - 2);
    } else {
      check_member(kOfRow, key, value);
      if (n) memcpy(rest + n, ", ", 2);
      n += n ? 2 : 0;
      memcpy(rest + n, key, (size_t)(end - key));
      n += (size_t)(end - key);
    }
    at = skip(end);
  }
  if (*at != '}') fail_at(begin, kObject);
  if (!e->op == !e->rest) fail_at(begin, "expected one of the keys \"op\" and \"plugin\"");
  if (!e->rest) {
    e->rest = rest;
    e->rest_len = n;
  }
  n_extras++;
  return at + 1;
}

static void read_extras(const char *file) {
  FILE *in = fopen(file, "rb");
  size_t n;
  char *at;
  int array;
  provides_file = file;
  if (!in) fail(file, "cannot be read");
  n = fread(provides, 1, sizeof provides - 1, in);
  if (fgetc(in) != EOF) fail(file, "expected less than 1 MiB");
  fclose(in);
  provides[n] = 0;
  at = skip(provides);
  array = *at == '[';
  if (array) at = skip(at + 1);
  while (*at == '{') at = skip(read_object(at));
  if (array && *at == ']')
    at = skip(at + 1);
  else if (array)
    fail_at(at, "expected objects, then ]");
  if (*at) fail_at(at, "expected objects one after the other, or one array of them");
}

static int same(o2fx_str s, const char *text) {
  return s.len == strlen(text) && !memcmp(s.data, text, s.len);
}

static void put_row(FILE *out, const o2fx_op *op) {
  int i;
  fprintf(out, "{\"domain\": ");
  put_string(out, op->domain);
  fprintf(out, ", \"op\": ");
  put_string(out, op->op_type);
  fprintf(out, ", \"since\": %d", op->since_opset);
  if (op->until_opset) fprintf(out, ", \"until\": %d", op->until_opset);
  for (i = 0; i < n_extras; i++)
    if (extras[i].op && same(op->domain, extras[i].domain) && same(op->op_type, extras[i].op)) {
      fprintf(out, ", %.*s", (int)extras[i].rest_len, extras[i].rest);
      extras[i].used = 1;
    }
  fprintf(out, "}");
}

static void put_weights(FILE *out, const o2fx_plugin *p) {
  const o2fx_weights_ext *w = p->get_extension ? p->get_extension(O2FX_EXT_WEIGHTS) : NULL;
  uint64_t i;
  uint32_t k;
  if (!w) return;
  fprintf(out, ",\n    \"weights\": [");
  for (i = 0; i < w->n_schemes; i++) {
    fprintf(out, "%s\n      {\"scheme\": ", i ? "," : "");
    put_string(out, w->schemes[i].name);
    for (k = 0; k < w->schemes[i].n_suffixes; k++) {
      fprintf(out, k ? ", " : ", \"suffixes\": [");
      put_string(out, w->schemes[i].suffixes[k]);
    }
    fprintf(out, k ? "]" : "");
    if (w->schemes[i].flags & O2FX_SCHEME_WITHOUT_FILE) fprintf(out, ", \"file\": false");
    fprintf(out, "}");
  }
  fprintf(out, "\n    ]");
}

static void put_plugin(FILE *out, const o2fx_plugin *p, const char *library) {
  int i;
  fprintf(out, "{\n  \"manifest_version\": \"1.0\",\n  \"plugin\": {\n    \"id\": ");
  put_string(out, p->id);
  fprintf(out, ",\n    \"version\": ");
  put_string(out, p->version);
  fprintf(out,
          ",\n    \"library\": \"%s\",\n    \"abi\": {\"major\": %u, \"min_minor\": %u, "
          "\"built_minor\": %u}",
          library, (unsigned)p->abi_major, (unsigned)p->abi_min_minor, (unsigned)p->abi_minor);
  for (i = 0; i < n_extras; i++)
    if (!extras[i].op) {
      fprintf(out, ",\n    %.*s", (int)extras[i].rest_len, extras[i].rest);
      extras[i].used = 1;
    }
  fprintf(out, "\n  },\n  \"provides\": {\n    \"ops\": [");
}

int main(int argc, char **argv) {
  typedef const o2fx_plugin *(O2FX_CALL * entry_fn)(void);
  void *library, *symbol;
  entry_fn entry;
  const o2fx_plugin *p;
  const char *name;
  FILE *out;
  uint32_t i;
  int k;
  if (argc < 3) fail("usage", "onnx2fx_describe LIBRARY OUT.onnx2fx.json [PROVIDES.json]");
  if (argc > 3) read_extras(argv[3]);
  if (!(library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL))) fail(argv[1], dlerror());
  if (!(symbol = dlsym(library, "onnx2fx_plugin_entry_1")))
    fail(argv[1], "exports no onnx2fx_plugin_entry_1");
  memcpy(&entry, &symbol, sizeof entry);
  if (!(p = entry())) fail(argv[1], "onnx2fx_plugin_entry_1: expected a table, got NULL");
  if (!(out = fopen(argv[2], "wb"))) fail(argv[2], "cannot be written");
  name = strrchr(argv[1], '/');
  put_plugin(out, p, name ? name + 1 : argv[1]);
  for (i = 0; i < p->n_ops; i++) {
    fprintf(out, "%s\n      ", i ? "," : "");
    put_row(out, (const o2fx_op *)((const char *)p->ops + (size_t)i * p->op_size));
  }
  fprintf(out, "%s]", p->n_ops ? "\n    " : "");
  put_weights(out, p);
  fprintf(out, "\n  }\n}\n");
  if (fclose(out)) fail(argv[2], "cannot be written");
  for (k = 0; k < n_extras; k++)
    if (!extras[k].used) {
      fprintf(stderr, "error: %s: expected ops of the plugin, got %s::%s\n", argv[3],
              extras[k].domain, extras[k].op);
      remove(argv[2]);
      return 1;
    }
  return 0;
}
