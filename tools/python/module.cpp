// The native part of onnx_to_fx: one conversion, and its result as data for the loader.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/include/onnx2fx/glob.hpp"
#include "core/include/onnx2fx/version.hpp"
#include "core/plugin/breadcrumb.hpp"
#include "core/plugin/listing.hpp"
#include "core/weights/weights.hpp"
#include "core/write/graph_json.hpp"
#include "core/write/report_json.hpp"
#include "tools/python/pack.hpp"

namespace nb = nanobind;

namespace onnx2fx {
namespace {

using Bytes = nb::ndarray<nb::pytorch, uint8_t, nb::ndim<1>, nb::device::cpu>;

// What Python gets of a conversion. Tensors made from it keep alive what they view.
class Result {
 public:
  explicit Result(Conversion conversion)
      : conversion_(std::make_shared<Conversion>(std::move(conversion))),
        buffers_(write::memory_buffers(conversion_->module)) {}

  nb::bytes graph_json() const {
    std::string text =
        write::graph_json(conversion_->module, {.weights = std::nullopt, .folder = {}});
    return nb::bytes(text.data(), text.size());
  }

  nb::bytes report_json() const {
    std::string text = write::report_json(*conversion_);
    return nb::bytes(text.data(), text.size());
  }

  const Conversion& conversion() const { return *conversion_; }

  nb::list warnings() const;

  /// Whether a manifest has rules, so that weights="meta" is not about every tensor.
  bool has_weight_rules() const { return conversion_->has_weight_rules; }

  Bytes buffer(size_t index) const {
    if (index >= buffers_.size()) throw nb::index_error("buffer");
    const std::string& bytes = *buffers_[index];
    return view(bytes.data(), bytes.size(), buffers_[index]);
  }

  Bytes source_bytes(uint32_t source, uint64_t offset, uint64_t length) const {
    if (source >= conversion_->module.sources.size()) throw nb::index_error("source");
    std::span<const uint8_t> bytes = conversion_->bytes({fx::FileRange{source, offset, length}});
    return view(bytes.data(), bytes.size(), conversion_);
  }

 private:
  // Writable: after the conversion nothing but the tensor reads these bytes.
  template <class Owner>
  static Bytes view(const void* data, size_t size, std::shared_ptr<Owner> owner) {
    nb::capsule keep(new std::shared_ptr<Owner>(std::move(owner)),
                     [](void* p) noexcept { delete static_cast<std::shared_ptr<Owner>*>(p); });
    return Bytes(const_cast<void*>(data), {size}, keep);
  }

  std::shared_ptr<Conversion> conversion_;
  std::vector<std::shared_ptr<const std::string>> buffers_;
};

/// An option's value from Python, or a word's place among the words of its option.
template <class T>
T value_of(const Spelling& spelling, const nb::handle& given) {
  if constexpr (std::is_enum_v<T>) {
    const auto word = nb::cast<std::string>(given), what = std::string(spelling.keyword);
    const std::span<const std::string_view> words = words_of(T{});
    const auto found = std::ranges::find(words, word);
    if (found == words.end())
      throw nb::value_error((what + ": unknown value '" + word + "'").c_str());
    return static_cast<T>(found - words.begin());
  } else {
    return nb::cast<T>(given);
  }
}

Options options_of(const nb::kwargs& kwargs) {
  Options options;
  for_each_option(options, [&]<class T>(T& member, const Spelling& s) {
    if (*s.keyword && kwargs.contains(s.keyword)) member = value_of<T>(s, kwargs[s.keyword]);
  });
  return options;
}

// Names in ONNX files are bytes; what is no UTF-8 becomes U+FFFD.
nb::str text_of(const std::string& text) {
  return nb::steal<nb::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

nb::object tuple_of(const std::vector<std::string>& texts) {
  nb::list list;
  for (const std::string& t : texts) list.append(text_of(t));
  return nb::tuple(list);
}

nb::list list_of(const std::vector<Diagnostic>& all) {
  static constexpr const char* kSeverity[] = {"error", "warning", "note"};
  nb::list list;
  for (const Diagnostic& d : all) {
    list.append(nb::make_tuple(kSeverity[static_cast<size_t>(d.severity)], text_of(d.where),
                               text_of(d.what), tuple_of(d.notes)));
  }
  return list;
}

nb::list list_of(const std::vector<UnsupportedOperator>& all) {
  nb::list list;
  for (const UnsupportedOperator& o : all) {
    list.append(nb::make_tuple(text_of(o.domain), text_of(o.op_type), o.opset, tuple_of(o.nodes),
                               tuple_of(o.reasons)));
  }
  return list;
}

// Without "warning: ".
nb::str text_of(const Diagnostic& d) {
  const std::string text = format(d);
  return text_of(text.substr(text.find(": ") + 2));
}

nb::list Result::warnings() const {
  nb::list all;
  for (const Diagnostic& d : conversion_->report.warnings) all.append(text_of(d));
  return all;
}

// Where onnx_to_fx.convert_onnx_to_fx was called.
void warn(const nb::str& text) {
  const nb::object category = nb::module_::import_("onnx_to_fx").attr("ConversionWarning");
  nb::module_::import_("warnings").attr("warn")(text, category, nb::arg("stacklevel") = 3);
}

template <class... Arguments>
[[noreturn]] void raise(const char* name, const Arguments&... arguments) {
  nb::object type = nb::module_::import_("onnx_to_fx").attr(name);
  nb::object error = type(arguments...);
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nb::python_error();
}

// Has the user asked Python to say where it crashes?
bool faulthandler_is_on() {
  nb::dict modules = nb::cast<nb::dict>(nb::module_::import_("sys").attr("modules"));
  return modules.contains("faulthandler") &&
         nb::cast<bool>(modules["faulthandler"].attr("is_enabled")());
}

// Converts without the interpreter lock; failures become the exceptions of onnx_to_fx.
template <class Convert>
Result run(Convert&& convert) {
  std::optional<plugin::CrashReports> reports;
  if (faulthandler_is_on()) reports.emplace();
  try {
    nb::gil_scoped_release released;
    return Result(convert());
  } catch (const UnsupportedOperatorError& e) {
    raise("UnsupportedOperatorError", text_of(e.what()), list_of(e.operators),
          list_of(e.diagnostics));
  } catch (const PluginError& e) {
    raise("PluginError", text_of(e.what()), list_of(e.diagnostics));
  } catch (const ConversionError& e) {
    raise("ConversionError", text_of(e.what()), list_of(e.diagnostics));
  }
}

// Of the mapped files themselves, whatever lies at their paths by now; -1: bytes in memory. They
// are open as long as the result is there.
std::vector<int> descriptors(const Result& result) {
  const Conversion& c = result.conversion();
  std::vector<int> all;
  try {
    for (uint32_t i = 0; i < c.module.sources.size(); ++i) all.push_back(c.store->source(i).fd);
  } catch (const ConversionError& e) {
    raise("ConversionError", text_of(e.what()), list_of(e.diagnostics));
  }
  return all;
}

// Packs in Python, which come to the registry of this conversion alone.
std::deque<Pack> packs_of(const nb::kwargs& kwargs) {
  std::deque<Pack> packs;
  if (kwargs.contains("packs"))
    for (const nb::handle described : kwargs["packs"])
      packs.emplace_back(nb::cast<nb::tuple>(described));
  return packs;
}

// What a lowering raised is the cause of the error of the conversion; Ctrl-C and the like are no
// errors of its, and go on as they are.
[[noreturn]] void raise_with_cause(nb::python_error& error, const std::deque<Pack>& packs) {
  for (const Pack& pack : packs) {
    const nb::object raised = pack.raised();
    if (raised.is_none()) continue;
    if (!PyObject_IsInstance(raised.ptr(), PyExc_Exception)) {
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.ptr())), raised.ptr());
      throw nb::python_error();
    }
    PyException_SetCause(error.value().ptr(), nb::object(raised).release().ptr());
  }
  throw std::move(error);
}

template <class Convert>
Result run_with(const nb::kwargs& kwargs, Convert&& convert) {
  const Options options = options_of(kwargs);
  const std::deque<Pack> packs = packs_of(kwargs);
  std::vector<Diagnostic> warnings;  // of discovery, where the conversion fails: they may be why
  try {
    return run([&] {
      std::vector<plugin::InProcess> here;
      here.reserve(packs.size());
      for (const Pack& pack : packs) here.push_back(pack.plugin());
      plugin::Registry registry(options.plugins, plugin::Registry::Faults::kThrown, here);
      try {
        return convert(options, &registry);
      } catch (const ConversionError&) {
        warnings = registry.warnings();
        throw;
      }
    });
  } catch (nb::python_error& error) {
    for (const Diagnostic& d : warnings) warn(text_of(d));
    raise_with_cause(error, packs);
  }
}

// "plugins", "operators" or "op_sets" as JSON, with the texts of faults and warnings met.
nb::bytes listing(const std::string& what, const nb::kwargs& kwargs) {
  const plugin::Options options = options_of(kwargs).plugins;
  const std::deque<Pack> packs = packs_of(kwargs);
  std::vector<plugin::InProcess> here;
  here.reserve(packs.size());
  for (const Pack& pack : packs) here.push_back(pack.plugin());
  try {
    const auto faults =
        what == "plugins" ? plugin::Registry::Faults::kKept : plugin::Registry::Faults::kThrown;
    const plugin::Registry registry(options, faults, here);
    plugin::Json all = what == "plugins"     ? plugin::plugins_json(registry)
                       : what == "operators" ? plugin::ops_json(plugin::rows_of(registry, options))
                                             : plugin::op_sets_json(registry);
    plugin::Json said = plugin::Json::array();
    for (const auto* diagnostics : {&registry.faults(), &registry.warnings()})
      for (const Diagnostic& d : *diagnostics) said.push_back(format(d));
    const std::string text = plugin::Json{{what, std::move(all)}, {"said", std::move(said)}}.dump(
        -1, ' ', false, plugin::Json::error_handler_t::replace);
    return nb::bytes(text.data(), text.size());
  } catch (const PluginError& e) {
    raise("PluginError", text_of(e.what()), list_of(e.diagnostics));
  }
}

Result convert_file(const std::string& path, const nb::kwargs& kwargs) {
  return run_with(kwargs, [&](const Options& options, plugin::Registry* registry) {
    return convert(path, options, registry);
  });
}

Result convert_bytes(const nb::bytes& model, const std::string& directory,
                     const nb::kwargs& kwargs) {
  auto bytes = std::make_shared<const std::string>(model.c_str(), model.size());
  return run_with(kwargs, [&](const Options& options, plugin::Registry* registry) {
    return convert(std::move(bytes), "<memory>", directory, options, registry);
  });
}

}  // namespace
}  // namespace onnx2fx

NB_MODULE(_native, m) {
  using onnx2fx::Result;
  m.attr("version") = onnx2fx::kVersion;
  onnx2fx::plugin::report_exits();
  nb::class_<Result>(m, "Result")
      .def("graph_json", &Result::graph_json)
      .def("report_json", &Result::report_json)
      .def("warnings", &Result::warnings)
      .def("descriptors", &onnx2fx::descriptors)
      .def("has_weight_rules", &Result::has_weight_rules)
      .def("buffer", &Result::buffer)
      .def("source_bytes", &Result::source_bytes);
  onnx2fx::bind_node(m);
  m.def("glob_matches", [](const std::string& pattern, const std::string& name) {
    return onnx2fx::glob_matches(pattern, name);
  });
  m.def("listing", &onnx2fx::listing);
  m.def("convert_file", &onnx2fx::convert_file);
  m.def("convert_bytes", &onnx2fx::convert_bytes);
}
