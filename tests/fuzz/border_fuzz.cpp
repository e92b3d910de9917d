// A plugin that calls the host at random, in every way that C allows: ids of this lowering and of
// none, wrong kinds, NULL, sub-programs begun and not ended, graphs lowered from inside. The host
// answers with a status, and the conversion ends in a module or an error.
#include <onnx/onnx_pb.h>
#include <onnx2fx/plugin.h>

#include <array>
#include <memory>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "core/write/graph_json.hpp"
#include "tests/core/models.hpp"
#include "tests/fuzz/bytes.hpp"

namespace onnx2fx {
namespace {

fuzz::Bytes* input;
int depth;

constexpr const char* kNames[] = {"aten::relu",
                                  "aten::add.Tensor",
                                  "aten::reshape",
                                  "aten::stack",
                                  "aten::sym_size.int",
                                  "aten::_local_scalar_dense",
                                  "aten::slice.Tensor",
                                  "aten::arange",
                                  "aten::split.Tensor",
                                  "aten::expand",
                                  "aten::to.dtype",
                                  "aten::topk",
                                  "operator::add",
                                  "operator::floordiv",
                                  "operator::mod",
                                  "operator::getitem",
                                  "operator::lt",
                                  "torch::sym_max",
                                  "higher_order::cond",
                                  "higher_order::while_loop",
                                  "higher_order::scan",
                                  "onnx2fx::loop",
                                  "aten::no_such",
                                  "acme::op",
                                  "",
                                  "alpha",
                                  "body",
                                  "axes",
                                  "a",
                                  "i",
                                  "y",
                                  "dtype",
                                  "self",
                                  "dim"};

o2fx_str name(fuzz::Bytes& b) {
  if (b.chance(3)) return {nullptr, 0};
  const std::string_view n = b.one_of(kNames);
  return {n.data(), n.size()};
}

/// One lowering: what it has been given, and the memory that its arguments lie in.
class Caller {
 public:
  Caller(const o2fx_host_api* host, o2fx_ctx ctx, fuzz::Bytes& bytes)
      : host_(host), ctx_(ctx), b_(bytes) {}

  o2fx_status run() {
    for (int n = 0; n < 40 && !b_.empty(); n++) call();
    if (b_.chance(20)) return static_cast<o2fx_status>(b_.integer());
    if (b_.chance(70)) {
      read_all();
      host_->set_output(ctx_, 0, value());
    }
    return O2FX_OK;
  }

 private:
  o2fx_value value() {
    if (values_.empty() || b_.chance(5)) return static_cast<o2fx_value>(b_.integer());
    return values_[b_.below(values_.size())];
  }
  o2fx_arg arg(int level = 0) {
    o2fx_arg a{};
    a.tag = b_.chance(60) ? uint32_t{O2FX_T_VALUE} : static_cast<uint32_t>(b_.below(16));
    switch (a.tag) {
      case O2FX_T_VALUE:
      case O2FX_T_DEVICE_OF:
        a.u.v = value();
        break;
      case O2FX_T_STR:
      case O2FX_T_DEVICE: {
        const o2fx_str s = name(b_);
        a.u.s = s.data;
        a.len = static_cast<uint32_t>(s.len);
        break;
      }
      case O2FX_T_PROGRAM:
        a.u.v = programs_.empty() || b_.chance(10) ? static_cast<uint64_t>(b_.integer())
                                                   : programs_[b_.below(programs_.size())];
        break;
      case O2FX_T_LIST: {
        if (b_.chance(5)) {
          a.len = 2;
          break;
        }
        const size_t n = level > 3 ? 0 : b_.below(5);
        std::vector<o2fx_arg> items;
        for (size_t i = 0; i < n; i++) items.push_back(arg(level + 1));
        lists_.push_back(std::make_unique<std::vector<o2fx_arg>>(std::move(items)));
        a.u.list = lists_.back()->data();
        a.len = static_cast<uint32_t>(n);
        break;
      }
      default:
        a.u.i = b_.integer();
    }
    return a;
  }
  const o2fx_arg* arg_or_null(o2fx_arg& a) {
    a = arg();
    return b_.chance(3) ? nullptr : &a;
  }
  void give(o2fx_status s, o2fx_value v) {
    if (s == O2FX_OK) values_.push_back(v);
  }
  template <class T>
  T out() {
    T t{};
    t.struct_size = b_.chance(95) ? sizeof(T) : static_cast<uint64_t>(b_.below(9));
    return t;
  }

  void read_all() {
    for (uint32_t i = 0; i < 3; i++)
      if (const o2fx_value v = host_->input(ctx_, i)) values_.push_back(v);
    for (const char* n : {"alpha", "axes", "body"})
      host_->ignore_attr(ctx_, {n, std::string_view(n).size()});
  }
  void emit() {
    std::array<o2fx_arg, 4> args{};
    std::array<o2fx_named_arg, 2> kwargs{};
    o2fx_emit e = out<o2fx_emit>();
    if (b_.chance(95)) e.struct_size = sizeof e;
    e.target = name(b_);
    e.name_hint = name(b_);
    e.n_args = static_cast<uint32_t>(b_.below(5));
    for (uint32_t i = 0; i < e.n_args; i++) args[i] = arg();
    e.n_kwargs = b_.chance(20) ? static_cast<uint32_t>(b_.below(3)) : 0;
    for (uint32_t i = 0; i < e.n_kwargs; i++) kwargs[i] = {name(b_), arg()};
    e.args = args.data();
    e.kwargs = kwargs.data();
    e.n_unpack = b_.chance(20) ? static_cast<uint32_t>(b_.below(4)) : 0;
    std::array<o2fx_value, 8> results{};
    if (host_->emit(ctx_, &e, results.data()) == O2FX_OK)
      for (uint32_t i = 0; i < std::max(1U, e.n_unpack); i++) values_.push_back(results[i]);
  }
  o2fx_value_info info() {
    o2fx_value_info i = out<o2fx_value_info>();
    i.kind = static_cast<uint32_t>(b_.below(12));
    i.dtype = static_cast<int32_t>(b_.below(26));
    i.rank = static_cast<int32_t>(b_.below(5)) - 1;
    for (int64_t& d : dims_) d = b_.integer();
    i.dims = b_.chance(70) ? dims_.data() : nullptr;
    for (o2fx_str& p : params_) p = name(b_);
    i.dim_params = b_.chance(30) ? params_.data() : nullptr;
    i.elem = b_.chance(20) ? &i : nullptr;
    if (i.elem) {
      elements_.push_back(std::make_unique<o2fx_value_info>(i));
      elements_.back()->elem = nullptr;
      i.elem = elements_.back().get();
    }
    return i;
  }
  void attributes() {
    o2fx_attr_info a = out<o2fx_attr_info>();
    const bool found =
        b_.chance(50) ? host_->attr(ctx_, name(b_), &a) == O2FX_OK
                      : host_->attr_at(ctx_, static_cast<uint32_t>(b_.below(6)), &a) == O2FX_OK;
    const o2fx_attr id = found && b_.chance(90) ? a.id : static_cast<o2fx_attr>(b_.integer());
    const auto index = static_cast<uint32_t>(b_.below(3));
    o2fx_arg x{};
    o2fx_value v = 0;
    o2fx_graph g = 0;
    o2fx_value_info type = out<o2fx_value_info>();
    host_->attr_arg(ctx_, id, &x);
    give(host_->attr_tensor(ctx_, id, index, &v), v);
    if (host_->attr_graph(ctx_, id, index, &g) == O2FX_OK) graphs_.push_back(g);
    host_->attr_type(ctx_, id, index, &type);
  }
  void constant() {
    std::array<uint8_t, 64> bytes{};
    for (uint8_t& x : bytes) x = b_.byte();
    for (int64_t& d : dims_) d = static_cast<int64_t>(b_.below(4));
    o2fx_bytes data{bytes.data(), b_.below(65), static_cast<int32_t>(b_.below(26)),
                    static_cast<int32_t>(b_.below(4)), dims_.data()};
    if (b_.chance(50)) {
      data.dtype = 7;
      data.rank = 1;
      dims_[0] = static_cast<int64_t>(data.size / 8);
      data.size = data.size / 8 * 8;
    }
    o2fx_value v = 0;
    give(host_->constant(ctx_, name(b_), &data, static_cast<int32_t>(b_.below(7)) - 1, &v), v);
  }
  void subgraph() {
    const o2fx_graph g = graphs_.empty() || b_.chance(10) ? static_cast<o2fx_graph>(b_.integer())
                                                          : graphs_[b_.below(graphs_.size())];
    o2fx_graph_info info = out<o2fx_graph_info>();
    o2fx_value_info type = out<o2fx_value_info>();
    host_->graph_info(ctx_, g, &info);
    host_->graph_value_info(ctx_, g, static_cast<uint32_t>(b_.below(3)),
                            static_cast<uint32_t>(b_.below(3)), &type);
    if (depth > 3) return;
    std::array<o2fx_value, 4> in{value(), value(), value(), value()}, results{};
    const auto n_in = static_cast<uint32_t>(b_.chance(80) ? 1 : b_.below(5)),
               n_out = static_cast<uint32_t>(b_.chance(80) ? 1 : b_.below(5));
    if (host_->lower_subgraph(ctx_, g, in.data(), n_in, results.data(), n_out) == O2FX_OK)
      values_.insert(values_.end(), results.begin(), results.begin() + n_out);
  }
  void programs() {
    o2fx_arg a{};
    o2fx_value v = 0;
    o2fx_program p = 0;
    const o2fx_value_info i = info();
    switch (b_.below(4)) {
      case 0:
        host_->program_begin(ctx_, name(b_));
        return;
      case 1:
        give(host_->placeholder(ctx_, name(b_), b_.chance(50) ? &i : nullptr, &v), v);
        return;
      case 2:
        if (host_->program_end(ctx_, arg_or_null(a), &p) == O2FX_OK) programs_.push_back(p);
        return;
      default: {
        const std::vector<o2fx_program> some(
            programs_.begin(),
            programs_.begin() + static_cast<std::ptrdiff_t>(b_.below(programs_.size() + 1)));
        if (host_->program_close(ctx_, some.data(), static_cast<uint32_t>(some.size()), &a) ==
                O2FX_OK &&
            a.tag == O2FX_T_LIST)
          for (uint32_t k = 0; k < a.len; k++) values_.push_back(a.u.list[k].u.v);
      }
    }
  }
  void values() {
    o2fx_arg a{};
    o2fx_value v = 0;
    o2fx_value_info i = info();
    o2fx_bytes bytes{};
    switch (b_.below(10)) {
      case 0:
        host_->value_info(ctx_, value(), &i);
        return;
      case 1:
        host_->set_value_info(ctx_, value(), b_.chance(3) ? nullptr : &i);
        return;
      case 2:
        host_->const_data(ctx_, value(), &bytes);
        return;
      case 3:
        host_->const_strings(ctx_, value(), &a);
        return;
      case 4:
        if (host_->int_list(ctx_, value(), static_cast<uint32_t>(b_.below(3)), &a) == O2FX_OK &&
            a.tag == O2FX_T_LIST)
          for (uint32_t k = 0; k < a.len && k < 8; k++)
            if (a.u.list[k].tag == O2FX_T_VALUE) values_.push_back(a.u.list[k].u.v);
        return;
      case 5:
        if (host_->dim(ctx_, value(), static_cast<int32_t>(b_.integer()), &a) == O2FX_OK &&
            a.tag == O2FX_T_VALUE)
          values_.push_back(a.u.v);
        return;
      case 6:
        host_->list_items(ctx_, value(), &a);
        return;
      case 7:
        give(host_->in_place(ctx_, arg_or_null(a), &v), v);
        return;
      case 8:
        give(host_->int_tensor(ctx_, arg_or_null(a),
                               b_.chance(90) ? 7 : static_cast<int32_t>(b_.below(26)), &v),
             v);
        return;
      default:
        host_->set_role(ctx_, value(), static_cast<int32_t>(b_.below(7)) - 1);
    }
  }
  void others() {
    o2fx_arg a{};
    o2fx_node_info n = out<o2fx_node_info>();
    o2fx_value v = 0;
    switch (b_.below(9)) {
      case 0:
        host_->node_info(ctx_, &n);
        return;
      case 1:
        host_->get_extension(ctx_, "onnx2fx.none");
        return;
      case 2:
        host_->log(ctx_, static_cast<int32_t>(b_.integer()), name(b_));
        return;
      case 3:
        host_->set_error(ctx_, static_cast<o2fx_status>(b_.integer()), nullptr, 1, name(b_));
        return;
      case 4:
        if (void* p = host_->scratch(
                ctx_, b_.chance(50) ? b_.below(200) : static_cast<uint64_t>(b_.integer()),
                b_.below(130)))
          *static_cast<volatile char*>(p) = 1;
        return;
      case 5:
        host_->output_wanted(ctx_, static_cast<uint32_t>(b_.integer()));
        return;
      case 6:
        host_->set_meta(ctx_, value(), name(b_), arg_or_null(a));
        return;
      case 7:
        host_->annotate(ctx_, name(b_), name(b_));
        return;
      default: {
        const std::array<o2fx_str, 2> from{name(b_), name(b_)};
        const std::array<o2fx_value, 2> given{value(), value()};
        if (depth <= 3)
          give(host_->lower_between(ctx_, from.data(), given.data(),
                                    static_cast<uint32_t>(b_.below(3)), name(b_), &v),
               v);
      }
    }
  }
  void call() {
    switch (b_.below(12)) {
      case 0:
        return read_all();
      case 1:
        return attributes();
      case 2:
        return constant();
      case 3:
        return subgraph();
      case 4:
      case 5:
        return programs();
      case 6:
      case 7:
        return values();
      case 8:
        return others();
      case 9:
        host_->set_output(ctx_, static_cast<uint32_t>(b_.below(3)), value());
        return;
      default:
        return emit();
    }
  }

  const o2fx_host_api* host_;
  o2fx_ctx ctx_;
  fuzz::Bytes& b_;
  std::vector<o2fx_value> values_;
  std::vector<o2fx_program> programs_;
  std::vector<o2fx_graph> graphs_;
  std::vector<std::unique_ptr<std::vector<o2fx_arg>>> lists_;
  std::vector<std::unique_ptr<o2fx_value_info>> elements_;
  std::array<int64_t, 8> dims_{};
  std::array<o2fx_str, 8> params_{};
};

o2fx_status lower(const o2fx_host_api* host, o2fx_ctx ctx, const void*) {
  depth++;
  const o2fx_status status = Caller(host, ctx, *input).run();
  depth--;
  return status;
}

const o2fx_plugin* pack() {
  static constexpr o2fx_op kOps[] = {{O2FX_STR("x"), O2FX_STR("F"), 1, 0, 0, 0, lower, nullptr}};
  static o2fx_plugin table{};
  table.struct_size = sizeof table;
  table.abi_major = O2FX_ABI_MAJOR;
  table.id = O2FX_STR("x.random");
  table.version = O2FX_STR("1.0.0");
  table.ops = kOps;
  table.n_ops = 1;
  table.op_size = sizeof(o2fx_op);
  return &table;
}

const std::string& model() {
  static const std::string text = test::model(R"(<ir_version: 8, opset_import: ["" : 17, "x" : 1]>
        g (float[N, 4] a, int64[2] i, int64 k) => (float[N, 4] y, z)
        <float[4] w = {1, 2, 3, 4}, int64[2] shape = {2, -1}> {
          t = x.F <alpha = 1.5, axes = [0, 1], body = b (float[N, 4] p) => (q) { o = x.F(p, shape) q = x.F(o, a, w) }> (a, i, shape)
          z = x.F(t, w, k)
          y = x.F <body = c (r) => (r) { }> (a)
        })")
                                      .SerializeAsString();
  return text;
}

}  // namespace
}  // namespace onnx2fx

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace onnx2fx;  // NOLINT(google-build-using-namespace)
  static plugin::Registry registry([] {
    plugin::Options none;
    none.default_plugins = false;
    return none;
  }());
  [[maybe_unused]] static const plugin::Plugin& added = registry.add(pack());
  fuzz::Bytes bytes(data, size);
  input = &bytes;
  Options options;
  const uint8_t flags = bytes.byte();
  options.dialect = flags & 1 ? fx::Dialect::kAten : fx::Dialect::kNn;
  options.keep_going = flags & 2;
  try {
    const Conversion c =
        convert(std::make_shared<const std::string>(model()), "net.onnx", "", options, &registry);
    write::graph_json(c.module, {.weights = std::nullopt, .folder = {}});
  } catch (const ConversionError&) {  // how it refuses
  }
  return 0;
}
