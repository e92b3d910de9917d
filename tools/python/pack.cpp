#include "tools/python/pack.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "tools/python/node.hpp"

namespace nb = nanobind;

namespace onnx2fx {
namespace {

o2fx_status tell(const o2fx_host_api* h, o2fx_ctx c, o2fx_status status, const std::string& text,
                 const nb::python_error& e) {
  std::string file;
  int32_t line = 0;
  for (nb::object at = e.traceback(); at.is_valid() && !at.is_none(); at = at.attr("tb_next")) {
    file = nb::cast<std::string>(at.attr("tb_frame").attr("f_code").attr("co_filename"));
    line = nb::cast<int32_t>(at.attr("tb_lineno"));
  }
  return h->set_error(c, status, file.c_str(), line, str(text));
}

}  // namespace

// What the host refused it holds itself; else the exception's class says whose fault it is.
o2fx_status Pack::status_of(const o2fx_host_api* h, o2fx_ctx c, const nb::python_error& e) {
  const std::string text = nb::cast<std::string>(nb::str(e.value()));
  const nb::module_ native = nb::module_::import_("onnx_to_fx._native");
  const auto is = [&](const char* name) { return e.matches(native.attr(name)); };
  if (is("Failed")) return nb::cast<o2fx_status>(e.value().attr("args")[0]);
  if (is("Invalid")) return tell(h, c, O2FX_E_MODEL, text, e);
  if (is("Unsupported")) return tell(h, c, O2FX_E_UNSUPPORTED, text, e);
  if (is("Decline")) return tell(h, c, O2FX_DECLINE, text, e);
  raised_ = nb::borrow(e.value());
  const auto name = nb::cast<std::string>(e.type().attr("__name__"));
  return tell(h, c, O2FX_E_INTERNAL, name + ": " + text, e);
}

o2fx_status O2FX_CALL Pack::lower(const o2fx_host_api* h, o2fx_ctx c, const void* user) {
  const nb::gil_scoped_acquire lock;
  return trampoline(h, c, [&] {
    const Row& row = *static_cast<const Row*>(user);
    const Lowering lowering(h, c);
    try {
      row.function(lowering.node());
    } catch (const nb::python_error& e) {
      throw Failed{row.pack->status_of(h, c, e)};
    }
  });
}

Pack::Pack(const nb::tuple& described)
    : id_(nb::cast<std::string>(described[0])),
      version_(nb::cast<std::string>(described[1])),
      targets_(nb::cast<std::vector<std::string>>(described[3])) {
  for (const nb::handle row : described[2]) {
    rows_.push_back({nb::cast<std::string>(row[0]), nb::cast<std::string>(row[1]), row[4], this});
    const Row& r = rows_.back();
    ops_.push_back({str(r.domain), str(r.op_type), nb::cast<int32_t>(row[2]),
                    nb::cast<int32_t>(row[3]), 0, 0, lower, &r});
  }
  table_ = plugin_table(id_, version_, ops_.data(), ops_.size());
  table_.flags |= O2FX_PLUGIN_CONCURRENT;  // the interpreter's own lock orders them
}

}  // namespace onnx2fx
