#include "core/fx/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

#include "core/fx/module_raiser.hpp"

namespace onnx2fx::fx {
namespace {

constexpr size_t kShown = 16;

/// Names come from files: no byte of theirs may move the terminal's cursor or end the quotation.
std::string quoted(std::string_view text) {
  std::string s = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      s += "\\n";
    else if (byte < 0x20 || byte == 0x7f)
      s += fmt::format("\\x{:02x}", byte);
    else if (c == '\'' || c == '\\')
      s += {'\\', c};
    else
      s += c;
  }
  return s + "'";
}

/// The shortest text that reads back as this float, never like an integer.
template <class Float>
std::string real(Float f) {
  std::string s = fmt::format("{}", f);
  if (std::isfinite(f) && s.find_first_of(".e") == std::string::npos) s += ".0";
  return s;
}

/// The value of IEEE half bits.
float half(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float f = std::ldexp(static_cast<float>(exponent ? fraction + 1024 : fraction),
                       std::max(exponent, 1) - 25);
  if (exponent == 31) f = fraction ? NAN : INFINITY;
  return bits >> 15 ? -f : f;
}

template <class Items, class F>
std::string joined(const Items& items, F&& text) {
  std::string s;
  for (const auto& item : items) s += (s.empty() ? "" : ", ") + text(item);
  return s;
}

class Printer {
 public:
  explicit Printer(const Module& module) : module_(module) {}

  std::string print() {
    for (const Program& p : module_.programs) program(p);
    section("modules", module_.modules, [&](const Submodule& m) { return submodule(m); });
    section("tensors", module_.tensors, [&](const Tensor& t) { return tensor(t); });
    ports("inputs", module_.inputs);
    ports("outputs", module_.outputs);
    return std::move(text_);
  }

 private:
  template <class Items, class F>
  void section(const char* title, const Items& items, F&& line) {
    if (items.empty()) return;
    text_ += fmt::format("{}:\n", title);
    for (const auto& item : items) text_ += "  " + line(item) + "\n";
  }

  void ports(const char* title, const std::vector<Port>& all) {
    std::vector<Port> renamed;
    for (const Port& p : all)
      if (p.name != p.onnx_name) renamed.push_back(p);
    section(title, renamed, [](const Port& p) { return p.name + " = " + quoted(p.onnx_name); });
  }

  void program(const Program& p) {
    program_ = &p;
    text_ += p.name + ":\n";
    for (const Node& n : p.nodes) text_ += "  " + node(n) + "\n";
  }

  std::string node(const Node& n) const {
    if (n.op == Op::kOutput) return "return " + argument(n.args[0]);
    std::string s = "%" + n.name + type(n.type) + " = " + call(n);
    if (!n.meta.empty()) s += " {" + named(n.meta) + "}";
    return s;
  }

  std::string call(const Node& n) const {
    if (n.op == Op::kPlaceholder) return "placeholder";
    if (n.op == Op::kGetAttr) return "get_attr[" + module_.tensors.at(*n.tensor).path + "]";
    const std::string callee = n.op == Op::kCallModule
                                   ? "call_module[" + module_.modules.at(*n.module).path
                                   : "call_function[" + n.target;
    std::string arguments = joined(n.args, [&](const Argument& a) { return argument(a); });
    if (!n.args.empty() && !n.kwargs.empty()) arguments += ", ";
    return callee + "](" + arguments + named(n.kwargs) + ")";
  }

  std::string named(const std::vector<NamedArgument>& all) const {
    return joined(all, [&](const NamedArgument& a) { return a.first + "=" + argument(a.second); });
  }

  std::string argument(const Argument& a) const {
    return std::visit([this](const auto& value) { return text(value); }, a.value);
  }
  std::string text(std::monostate) const { return "None"; }
  std::string text(bool b) const { return b ? "True" : "False"; }
  std::string text(int64_t i) const { return std::to_string(i); }
  std::string text(double f) const { return real(f); }
  std::string text(const std::string& s) const { return quoted(s); }
  std::string text(NodeRef r) const { return "%" + program_->nodes.at(r.index).name; }
  std::string text(ProgramRef r) const { return "@" + module_.programs.at(r.index).name; }
  std::string text(const Dtype& d) const { return "torch." + d.name; }
  std::string text(const Device& d) const { return "device(" + quoted(d.name) + ")"; }
  std::string text(const Layout& l) const { return "torch." + l.name; }
  std::string text(const MemoryFormat& f) const { return "torch." + f.name; }
  std::string text(Training) const { return "training"; }
  std::string text(DeviceOf d) const { return text(d.tensor) + ".device"; }
  std::string text(const List& l) const {
    return "[" + joined(l, [&](const Argument& x) { return argument(x); }) + "]";
  }
  std::string text(const Slice& s) const {
    const auto bound = [&](size_t i) {
      return s.bounds[i].is_none() ? std::string() : argument(s.bounds[i]);
    };
    return bound(0) + ":" + bound(1) + (s.bounds[2].is_none() ? "" : ":" + bound(2));
  }

  static std::string type(const TypeText& t) {
    if (t.dtype.empty() && !t.shape) return "";
    std::string dtype = " : " + (t.dtype.empty() ? "?" : t.dtype);
    if (!t.shape) return dtype;
    return dtype + "[" + joined(*t.shape, [](const std::string& d) { return d; }) + "]";
  }

  std::string submodule(const Submodule& m) const {
    if (m.program)
      return m.path + " = " + m.type + ": @" + module_.programs.at(m.program->index).name;
    const std::string uses = joined(m.tensors, [&](const Submodule::TensorUse& u) {
      return u.attribute + "=" + module_.tensors.at(u.tensor).path + (u.transposed ? "^T" : "");
    });
    return m.path + " = " + qualified(m.type) + "(" + named(m.arguments) + ")" +
           (uses.empty() ? "" : ": " + uses);
  }

  static std::string tensor(const Tensor& t) {
    static constexpr const char* kRole[] = {"parameter", "buffer", "constant"};
    std::string s = t.path + " : " + t.dtype + "[" +
                    joined(t.dims, [](int64_t d) { return std::to_string(d); }) +
                    (t.transposed ? "]^T = " : "] = ") + kRole[static_cast<size_t>(t.role) - 1];
    if (t.role == Role::kParameter && !t.requires_grad) s += " frozen";
    if (t.name != t.path) s += " " + quoted(t.name);
    if (std::holds_alternative<std::monostate>(t.data.where)) s += ", no data";
    if (const auto* bytes = std::get_if<std::shared_ptr<const std::string>>(&t.data.where))
      s += " " + elements(t, **bytes);
    return s;
  }

  static std::string elements(const Tensor& t, std::string_view bytes) {
    size_t count = 1;
    for (const int64_t d : t.dims) count *= static_cast<size_t>(d);
    std::string s;
    for (size_t i = 0, size = count ? bytes.size() / count : 0; i < count && i < kShown; ++i)
      s += (i ? ", " : "") + element(t.dtype, bytes.substr(i * size, size));
    return "[" + s + (count > kShown ? ", ...]" : "]");
  }

  template <class T>
  static T as(std::string_view bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
  }

  static std::string element(const std::string& dtype, std::string_view bytes) {
    if (dtype == "bool") return as<uint8_t>(bytes) ? "True" : "False";
    if (dtype == "float32") return real(as<float>(bytes));
    if (dtype == "float64") return real(as<double>(bytes));
    if (dtype == "float16") return real(half(as<uint16_t>(bytes)));
    if (dtype == "bfloat16") return real(std::bit_cast<float>(as<uint32_t>(bytes) << 16));
    if (dtype.starts_with("uint")) return std::to_string(as<uint64_t>(bytes));
    if (dtype.starts_with("int")) return signed_integer(bytes);
    std::string bits = "0x";
    for (size_t i = bytes.size(); i-- > 0;)
      bits += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    return bits;
  }

  static std::string signed_integer(std::string_view bytes) {
    const size_t unused = 64 - 8 * bytes.size();
    return std::to_string(static_cast<int64_t>(as<uint64_t>(bytes) << unused) >> unused);
  }

  const Module& module_;
  const Program* program_ = nullptr;
  std::string text_;
};

}  // namespace

std::string print_program(const Module& module) { return Printer(module).print(); }

}  // namespace onnx2fx::fx
