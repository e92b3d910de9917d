// Optionals. What is known at conversion time to be there is the value itself, and what is known to
// be missing is None; an optional that enters the model is either at run time.
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"

using namespace onnx2fx;

static void optional(Node& n) {
  n.ignore("type");
  const Value v = n.maybe_input(0);
  n.output(v ? v : n.none());
}

static void optional_get_element(Node& n) {
  const Value v = n.input(0);
  const Info i = n.info(v);
  if (i.raw.kind == O2FX_KIND_TENSOR || i.raw.kind == O2FX_KIND_SEQUENCE) return n.output(v);
  const Value element = n.call("onnx2fx::optional_get_element", {v});
  if (i.raw.kind == O2FX_KIND_OPTIONAL && i.raw.elem && i.raw.elem->kind != O2FX_KIND_UNKNOWN) {
    Info of_element;
    of_element.raw = *i.raw.elem;
    n.state(element, of_element);
  }
  n.output(element);
}

static void optional_has_element(Node& n) {
  const Value v = n.maybe_input(0);
  const uint32_t kind = v ? n.info(v).raw.kind : static_cast<uint32_t>(O2FX_KIND_NONE);
  if (kind == O2FX_KIND_OPTIONAL || kind == O2FX_KIND_UNKNOWN)
    return n.output(n.call("onnx2fx::optional_has_element", {v}));
  n.output(n.constant<char>("has_element", kBool, {static_cast<char>(kind != O2FX_KIND_NONE)}, {}));
}

static constexpr o2fx_op kOps[] = {
    op("Optional", 15, lower<optional>),
    op("OptionalGetElement", 15, lower<optional_get_element>),
    op("OptionalHasElement", 15, lower<optional_has_element>),
};
const Family kOptional = family(kOps);
