// onnx2fx plugin SDK: a host for tests of a pack, which needs no installation. Header-only.
//
//     const mock::Library pack("build/rope.so");
//     mock::Node node("com.acme", "Rope", 1);
//     node.input("x", onnx2fx::kFloat, {2, 4});
//     node.attribute("base", 10000.0);
//     std::puts(mock::lower(pack, node).c_str());
//
// It loads the library as onnx2fx does, hands one node to the row that fits, and gives the program
// that the row writes as text, or "error -8: ..." in the plugin's words. As in onnx2fx, an input or
// attribute that is never read and an output that is not set are errors. It knows no torch schema
// and no weights of a file, and has no graphs in attributes: their slots refuse. What the real host
// makes of the pack is for a test with onnx2fx itself.
#ifndef ONNX2FX_MOCK_HOST_HPP_
#define ONNX2FX_MOCK_HOST_HPP_

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <onnx2fx/plugin.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace onnx2fx::mock {

/// A plugin library, loaded for good. Throws std::runtime_error.
class Library {
 public:
  explicit Library(const std::string& path) {
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) throw std::runtime_error(dlerror());
    using Entry = const o2fx_plugin* (*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(library, "onnx2fx_plugin_entry_1"));
    if (!entry) throw std::runtime_error(path + ": exports no onnx2fx_plugin_entry_1");
    table_ = entry();
    if (!table_ || table_->abi_major != O2FX_ABI_MAJOR || table_->abi_min_minor > O2FX_ABI_MINOR)
      throw std::runtime_error(path + ": expected a table for this header's ABI");
  }
  const o2fx_plugin& table() const { return *table_; }

  /// The row of the highest since_opset at or below `opset`; throws where there is none.
  const o2fx_op& row(std::string_view domain, std::string_view op_type, int64_t opset) const {
    const o2fx_op* best = nullptr;
    for (uint32_t i = 0; i < table_->n_ops; i++) {
      const auto* op = reinterpret_cast<const o2fx_op*>(reinterpret_cast<const char*>(table_->ops) +
                                                        size_t{i} * table_->op_size);
      if (view(op->domain) == domain && view(op->op_type) == op_type && op->since_opset <= opset &&
          (!best || op->since_opset > best->since_opset))
        best = op;
    }
    if (!best || (best->until_opset && best->until_opset < opset))
      throw std::runtime_error("the pack has no row for " + std::string(domain) +
                               "::" + std::string(op_type) + " at opset " + std::to_string(opset));
    return *best;
  }

 private:
  const o2fx_plugin* table_ = nullptr;
};

/// The ONNX node that is lowered.
class Node {
 public:
  using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>,
                                 std::vector<double>, std::vector<std::string>>;
  struct Input {
    std::string name;  ///< empty: omitted
    int32_t dtype = 0;
    int32_t rank = -1;  ///< -1: unknown
    std::vector<int64_t> dims;
    std::string bytes;  ///< of a constant
    bool is_const = false;
  };

  Node(std::string domain, std::string op_type, int64_t opset)
      : domain_(std::move(domain)), op_type_(std::move(op_type)), opset_(opset) {}

  /// dims: -1 for one that is not a number.
  Node& input(std::string name, int32_t dtype, std::vector<int64_t> dims) {
    const auto rank = static_cast<int32_t>(dims.size());
    inputs_.push_back({std::move(name), dtype, rank, std::move(dims), {}, false});
    return *this;
  }
  /// An initializer.
  template <class T>
  Node& constant(std::string name, int32_t dtype, std::vector<int64_t> dims,
                 const std::vector<T>& data) {
    input(std::move(name), dtype, std::move(dims));
    inputs_.back().bytes.assign(reinterpret_cast<const char*>(data.data()),
                                data.size() * sizeof(T));
    inputs_.back().is_const = true;
    return *this;
  }
  Node& no_input() {
    inputs_.emplace_back();
    return *this;
  }
  Node& attribute(std::string name, int64_t i) { return set(std::move(name), i); }
  Node& attribute(std::string name, int i) { return set(std::move(name), int64_t{i}); }
  Node& attribute(std::string name, double f) { return set(std::move(name), f); }
  Node& attribute(std::string name, const char* s) { return set(std::move(name), std::string(s)); }
  Node& attribute(std::string name, Attribute a) { return set(std::move(name), std::move(a)); }
  Node& outputs(uint32_t n) {
    n_outputs_ = n;
    return *this;
  }
  /// What the manifest says of the plugin: a JSON object.
  Node& config(std::string json) {
    config_ = std::move(json);
    return *this;
  }

 private:
  friend class Host;
  Node& set(std::string name, Attribute a) {
    attributes_.emplace_back(std::move(name), std::move(a));
    return *this;
  }

  std::string domain_, op_type_;
  int64_t opset_;
  std::vector<Input> inputs_;
  std::vector<std::pair<std::string, Attribute>> attributes_;
  uint32_t n_outputs_ = 1;
  std::string config_ = "{}";
};

/// One run of one lowering. The ctx that the plugin gets is its address.
class Host {
 public:
  explicit Host(const Node& node) : node_(node), outputs_(node.n_outputs_) {
    for (const Node::Input& i : node.inputs_) {
      if (i.name.empty()) {
        input_ids_.push_back(0);
        continue;
      }
      Known known;
      known.text = "%" + i.name;
      known.info.kind = O2FX_KIND_TENSOR;
      known.info.dtype = i.dtype;
      known.info.rank = i.rank;
      known.info.is_const = i.is_const ? O2FX_CONST_STORED : 0;
      known.dims = i.dims;
      known.bytes = i.bytes;
      input_ids_.push_back(add(std::move(known)));
    }
  }

  /// init of the plugin, its row, deinit; the program or the error as text.
  std::string run(const Library& library) {
    const o2fx_plugin& plugin = library.table();
    const o2fx_op& row = library.row(node_.domain_, node_.op_type_, node_.opset_);
    if (plugin.init)
      if (const o2fx_status s = plugin.init(api(), ctx())) return failure("init: ", s);
    const o2fx_status status = row.lower(api(), ctx(), row.op_user);
    if (plugin.deinit) plugin.deinit();
    if (status == O2FX_DECLINE) return "declined" + (error_.empty() ? "" : ": " + error_) + "\n";
    if (status != O2FX_OK) return failure("", status);
    if (const std::string fault = unread(); !fault.empty()) return "error: " + fault + "\n";
    std::string results;
    for (const o2fx_value id : outputs_)
      results += (results.empty() ? "" : ", ") + (id ? values_[id - 1].text : "None");
    return program_ + "return " + results + "\n";
  }

 private:
  struct Known {
    std::string text;
    o2fx_value_info info{
        sizeof(o2fx_value_info), O2FX_KIND_UNKNOWN, 0, -1, 0, nullptr, nullptr, nullptr};
    std::vector<int64_t> dims;
    std::string bytes;
    std::vector<o2fx_arg> ints;  ///< of a tensor of sizes
  };

  // ---- what the plugin sees

  static Host& of(o2fx_ctx c) { return *reinterpret_cast<Host*>(c); }
  o2fx_ctx ctx() { return reinterpret_cast<o2fx_ctx>(this); }

  static const o2fx_host_api* api() {
    static const o2fx_host_api table = [] {
      o2fx_host_api t{};
      t.struct_size = sizeof t;
      t.abi_major = O2FX_ABI_MAJOR;
      t.abi_minor = O2FX_ABI_MINOR;
      t.host_name = str("mock");
      t.host_version = str("1.0.0");
      add_common(t);
      add_reading(t);
      add_knowledge(t);
      add_writing(t);
      add_refused(t);
      return t;
    }();
    return &table;
  }

  static void add_common(o2fx_host_api& t) {
    t.get_extension = [](o2fx_ctx, const char*) -> const void* { return nullptr; };
    t.log = [](o2fx_ctx, int32_t, o2fx_str) {};
    t.set_error = [](o2fx_ctx c, o2fx_status status, const char*, int32_t, o2fx_str text) {
      of(c).error_ = view(text);
      return status;
    };
    t.scratch = [](o2fx_ctx c, uint64_t size, uint64_t align) -> void* {
      const size_t unit = align < sizeof(void*) ? sizeof(void*) : align;
      void* p = std::aligned_alloc(unit, (size / unit + 1) * unit);
      of(c).memory_.emplace_back(p, std::free);
      return p;
    };
    t.config = [](o2fx_ctx c, o2fx_str* out) {
      *out = str(of(c).node_.config_);
      return O2FX_OK;
    };
  }

  static void add_reading(o2fx_host_api& t) {
    t.node_info = [](o2fx_ctx c, o2fx_node_info* out) {
      const Node& n = of(c).node_;
      const o2fx_node_info info = {sizeof info,
                                   str(n.domain_),
                                   str(n.op_type_),
                                   str("node"),
                                   n.opset_,
                                   static_cast<uint32_t>(n.inputs_.size()),
                                   n.n_outputs_,
                                   static_cast<uint32_t>(n.attributes_.size()),
                                   0};
      return give(info, out);
    };
    t.input = [](o2fx_ctx c, uint32_t i) {
      of(c).read_inputs_.insert(i);
      return i < of(c).input_ids_.size() ? of(c).input_ids_[i] : o2fx_value{0};
    };
    t.output_wanted = [](o2fx_ctx c, uint32_t i) { return uint32_t{i < of(c).outputs_.size()}; };
    t.attr = [](o2fx_ctx c, o2fx_str name, o2fx_attr_info* out) -> o2fx_status {
      const auto& all = of(c).node_.attributes_;
      for (size_t i = 0; i < all.size(); i++)
        if (all[i].first == view(name)) {
          of(c).read_attributes_.insert(all[i].first);
          return of(c).attr_at(i, out);
        }
      return O2FX_ABSENT;
    };
    t.attr_at = [](o2fx_ctx c, uint32_t i, o2fx_attr_info* out) -> o2fx_status {
      return i < of(c).node_.attributes_.size() ? of(c).attr_at(i, out) : O2FX_ABSENT;
    };
    t.ignore_attr = [](o2fx_ctx c, o2fx_str name) {
      of(c).read_attributes_.insert(std::string(view(name)));
      return O2FX_OK;
    };
    t.attr_arg = [](o2fx_ctx c, o2fx_attr id, o2fx_arg* out) -> o2fx_status {
      if (id == 0 || id > of(c).node_.attributes_.size()) return of(c).refuse("attr_arg: bad id");
      *out = of(c).argument(of(c).node_.attributes_[id - 1].second);
      return O2FX_OK;
    };
  }

  static void add_knowledge(o2fx_host_api& t) {
    t.value_info = [](o2fx_ctx c, o2fx_value id, o2fx_value_info* out) -> o2fx_status {
      Known* v = of(c).find(id);
      if (!v) return of(c).refuse("value_info: bad id");
      v->info.dims = v->info.rank > 0 ? v->dims.data() : nullptr;
      return give(v->info, out);
    };
    t.set_value_info = [](o2fx_ctx c, o2fx_value id, const o2fx_value_info* in) -> o2fx_status {
      Known* v = of(c).find(id);
      if (!v) return of(c).refuse("set_value_info: bad id");
      v->info.kind = in->kind;
      v->info.dtype = in->dtype;
      v->info.rank = in->rank;
      v->dims.assign(in->rank > 0 ? static_cast<size_t>(in->rank) : 0, -1);
      if (in->dims) std::copy_n(in->dims, v->dims.size(), v->dims.begin());
      return O2FX_OK;
    };
    t.const_data = [](o2fx_ctx c, o2fx_value id, o2fx_bytes* out) -> o2fx_status {
      const Known* v = of(c).find(id);
      if (!v) return of(c).refuse("const_data: bad id");
      if (!v->info.is_const) return O2FX_ABSENT;
      *out = {v->bytes.data(), v->bytes.size(), v->info.dtype, v->info.rank, v->dims.data()};
      return O2FX_OK;
    };
    t.const_strings = [](o2fx_ctx, o2fx_value, o2fx_arg*) -> o2fx_status { return O2FX_ABSENT; };
    t.int_list = [](o2fx_ctx c, o2fx_value id, uint32_t, o2fx_arg* out) -> o2fx_status {
      Known* v = of(c).find(id);
      if (!v) return of(c).refuse("int_list: bad id");
      if (v->ints.empty()) v->ints = integers_of(*v);
      if (v->ints.empty()) return O2FX_ABSENT;
      *out = list_of(v->ints);
      return O2FX_OK;
    };
    t.dim = [](o2fx_ctx c, o2fx_value id, int32_t axis, o2fx_arg* out) -> o2fx_status {
      const Known* v = of(c).find(id);
      const int32_t rank = v ? v->info.rank : -1;
      if (rank < 0 || axis < -rank || axis >= rank) return of(c).refuse("dim: bad id or axis");
      const int64_t extent = v->dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
      if (extent >= 0) {
        *out = Int(extent).arg;
        return O2FX_OK;
      }
      out->tag = O2FX_T_VALUE;
      out->u.v = of(c).call("aten::sym_size.int",
                            v->text + ", " + std::to_string(axis < 0 ? axis + rank : axis));
      of(c).values_.back().info.kind = O2FX_KIND_INT;
      return O2FX_OK;
    };
    t.list_items = [](o2fx_ctx, o2fx_value, o2fx_arg*) -> o2fx_status { return O2FX_ABSENT; };
  }

  static void add_writing(o2fx_host_api& t) {
    t.emit = [](o2fx_ctx c, const o2fx_emit* e, o2fx_value* results) -> o2fx_status {
      Host& h = of(c);
      std::string arguments;
      const auto add = [&](const std::string& a) {
        arguments += (arguments.empty() ? "" : ", ") + a;
      };
      for (uint32_t i = 0; i < e->n_args; i++) add(h.text(e->args[i]));
      for (uint32_t i = 0; i < e->n_kwargs; i++)
        add(std::string(view(e->kwargs[i].name)) + "=" + h.text(e->kwargs[i].arg));
      if (h.has_bad_id_) return h.refuse("emit: bad id");
      results[0] = h.call(std::string(view(e->target)), arguments);
      const std::string tuple = h.values_.back().text;
      for (uint32_t i = 0; i < e->n_unpack; i++)
        results[i] = h.call("operator::getitem", tuple + ", " + std::to_string(i));
      return O2FX_OK;
    };
    t.constant = [](o2fx_ctx c, o2fx_str name, const o2fx_bytes* b, int32_t, o2fx_value* out) {
      Known v;
      v.text = "%" + std::string(view(name));
      v.info.kind = O2FX_KIND_TENSOR;
      v.info.dtype = b->dtype;
      v.info.rank = b->rank;
      v.info.is_const = O2FX_CONST_COMPUTED;
      v.dims.assign(b->dims, b->dims + b->rank);
      v.bytes.assign(static_cast<const char*>(b->data), b->size);
      of(c).program_ += v.text + " = constant(" + std::to_string(b->size) + " bytes)\n";
      *out = of(c).add(std::move(v));
      return O2FX_OK;
    };
    t.in_place = [](o2fx_ctx c, const o2fx_arg* a, o2fx_value* out) {
      Known v;
      v.text = of(c).text(*a);
      *out = of(c).add(std::move(v));
      return O2FX_OK;
    };
    t.int_tensor = [](o2fx_ctx c, const o2fx_arg* a, int32_t dtype, o2fx_value* out) {
      Known v;
      v.text = "tensor(" + of(c).text(*a) + ")";
      v.info.kind = O2FX_KIND_TENSOR;
      v.info.dtype = dtype;
      if (a->tag == O2FX_T_LIST) v.dims = {a->len};
      v.info.rank = static_cast<int32_t>(v.dims.size());
      v.ints.assign(a->tag == O2FX_T_LIST ? a->u.list : a,
                    a->tag == O2FX_T_LIST ? a->u.list + a->len : a + 1);
      *out = of(c).add(std::move(v));
      return O2FX_OK;
    };
    t.set_role = [](o2fx_ctx, o2fx_value, int32_t) { return O2FX_OK; };
    t.set_meta = [](o2fx_ctx, o2fx_value, o2fx_str, const o2fx_arg*) { return O2FX_OK; };
    t.annotate = [](o2fx_ctx, o2fx_str, o2fx_str) { return O2FX_OK; };
    t.set_output = [](o2fx_ctx c, uint32_t i, o2fx_value id) -> o2fx_status {
      if (!of(c).find(id)) return of(c).refuse("set_output: bad id");
      if (i >= of(c).outputs_.size()) return O2FX_OK;
      if (of(c).outputs_[i]) return of(c).refuse("set_output: it is set already");
      of(c).outputs_[i] = id;
      return O2FX_OK;
    };
  }

  /// What this host lacks.
  template <class... A>
  static o2fx_status lacks(o2fx_ctx c, A...) {
    of(c).error_ = "the mock host has no graphs, tensors or types in attributes, no sub-programs";
    return O2FX_E_UNSUPPORTED;
  }
  static void add_refused(o2fx_host_api& t) {
    t.attr_tensor = lacks;
    t.attr_graph = lacks;
    t.attr_type = lacks;
    t.graph_info = lacks;
    t.graph_value_info = lacks;
    t.lower_subgraph = lacks;
    t.lower_between = lacks;
    t.program_begin = lacks;
    t.placeholder = lacks;
    t.program_end = lacks;
    t.program_close = lacks;
  }

  // ---- values and texts

  o2fx_value add(Known v) {
    values_.push_back(std::move(v));
    return values_.size();
  }
  Known* find(o2fx_value id) { return id && id <= values_.size() ? &values_[id - 1] : nullptr; }
  o2fx_value call(const std::string& target, const std::string& arguments) {
    Known v;
    v.text = "%" + std::to_string(n_calls_++);
    v.info.kind = O2FX_KIND_TENSOR;
    program_ += v.text + " = " + target + "(" + arguments + ")\n";
    return add(std::move(v));
  }
  o2fx_status refuse(const char* what) {
    error_ = what;
    return O2FX_E_INVALID;
  }
  std::string failure(const char* where, o2fx_status status) const {
    return "error " + std::to_string(status) + ": " + where +
           (error_.empty() ? "no text was set" : error_) + "\n";
  }

  std::string unread() const {
    for (size_t i = 0; i < input_ids_.size(); i++)
      if (input_ids_[i] && !read_inputs_.count(static_cast<uint32_t>(i)))
        return "input " + std::to_string(i) + ": it is present, but was never read";
    for (const auto& [name, value] : node_.attributes_)
      if (!read_attributes_.count(name))
        return "attribute '" + name + "': it is present, but was never read";
    for (size_t i = 0; i < outputs_.size(); i++)
      if (!outputs_[i]) return "output " + std::to_string(i) + ": it was not set";
    return {};
  }

  std::string text(const o2fx_arg& a) {
    switch (a.tag) {
      case O2FX_T_BOOL:
        return a.u.i ? "True" : "False";
      case O2FX_T_INT:
        return std::to_string(a.u.i);
      case O2FX_T_FLOAT:
        return shortest(a.u.f);
      case O2FX_T_VALUE:
        if (const Known* v = find(a.u.v)) return v->text;
        has_bad_id_ = true;
        return "?";
      case O2FX_T_DTYPE:
        return "dtype(" + std::to_string(a.u.i) + ")";
      case O2FX_T_TRAINING:
        return "training";
      case O2FX_T_DEVICE_OF:
        return find(a.u.v) ? find(a.u.v)->text + ".device" : "?";
      case O2FX_T_LIST: {
        std::string all;
        for (uint32_t i = 0; i < a.len; i++) all += (i ? ", " : "") + text(a.u.list[i]);
        return "[" + all + "]";
      }
      case O2FX_T_NONE:
        return "None";
      default:
        return "'" + std::string(a.u.s, a.len) + "'";
    }
  }
  static std::string shortest(double f) {
    char digits[40];
    return {digits, std::to_chars(digits, digits + sizeof digits, f).ptr};
  }

  o2fx_status attr_at(size_t i, o2fx_attr_info* out) const {
    static constexpr int32_t kType[] = {2, 1, 3, 7, 6, 8};  // of AttributeProto
    const auto& [name, value] = node_.attributes_[i];
    const uint64_t count = std::visit([](const auto& x) { return count_of(x); }, value);
    const o2fx_attr_info info = {sizeof info, i + 1, str(name), kType[value.index()], 0, count};
    return give(info, out);
  }
  template <class T>
  static uint64_t count_of(const std::vector<T>& all) {
    return all.size();
  }
  template <class T>
  static uint64_t count_of(const T&) {
    return 1;
  }
  o2fx_arg argument(const Node::Attribute& value) {
    return std::visit([this](const auto& x) { return argument_of(x); }, value);
  }
  o2fx_arg argument_of(int64_t i) { return Int(i).arg; }
  o2fx_arg argument_of(double f) { return Arg(f).raw(); }
  o2fx_arg argument_of(const std::string& s) { return Arg(std::string_view(s)).raw(); }
  template <class T>
  o2fx_arg argument_of(const std::vector<T>& all) {
    std::vector<o2fx_arg>& items = lists_.emplace_back();
    for (const T& x : all) items.push_back(argument_of(x));
    return list_of(items);
  }
  static o2fx_arg list_of(const std::vector<o2fx_arg>& items) {
    o2fx_arg a{};
    a.tag = O2FX_T_LIST;
    a.len = static_cast<uint32_t>(items.size());
    a.u.list = items.data();
    return a;
  }
  static std::vector<o2fx_arg> integers_of(const Known& v) {
    std::vector<o2fx_arg> all;
    if (!v.info.is_const || v.info.dtype != kInt64) return all;
    for (size_t at = 0; at + 8 <= v.bytes.size(); at += 8) {
      int64_t i = 0;
      std::memcpy(&i, v.bytes.data() + at, sizeof i);
      all.push_back(Int(i).arg);
    }
    return all;
  }

  /// Copies as much as the caller has room for, and says in struct_size how much that is.
  template <class T>
  static o2fx_status give(const T& from, T* to) {
    const uint64_t filled = std::min<uint64_t>(to->struct_size, sizeof from);
    std::memcpy(to, &from, filled);
    to->struct_size = filled;
    return O2FX_OK;
  }

  const Node& node_;
  std::deque<Known> values_;  ///< ids: index + 1
  std::vector<o2fx_value> input_ids_, outputs_;
  std::set<uint32_t> read_inputs_;
  std::set<std::string> read_attributes_;
  std::deque<std::vector<o2fx_arg>> lists_;
  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
  std::string program_, error_;
  size_t n_calls_ = 0;
  bool has_bad_id_ = false;
};

inline std::string lower(const Library& library, const Node& node) {
  return Host(node).run(library);
}

/// For a test's main: 0 if both are the same, else 1 and a word on what was expected.
inline int expect(const std::string& got, const std::string& expected) {
  if (got == expected) return 0;
  std::fprintf(stderr, "expected:\n%s\ngot:\n%s\n", expected.c_str(), got.c_str());
  return 1;
}

}  // namespace onnx2fx::mock

#endif
