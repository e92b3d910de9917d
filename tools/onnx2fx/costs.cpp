#include "tools/onnx2fx/costs.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>

#include "core/fx/nn_dialect.hpp"
#include "core/fx/schema.hpp"
#include "core/weights/weights.hpp"
#include "tools/onnx2fx/macs.hpp"
#include "tools/onnx2fx/operator_counts.hpp"

namespace onnx2fx::cli {
namespace {

bool is_call(const fx::Node& n) {
  return n.op == fx::Op::kCallFunction || n.op == fx::Op::kCallModule;
}

const fx::Submodule* module_of(const fx::Module& module, const fx::Node& n) {
  return n.module ? &module.modules[*n.module] : nullptr;
}

// ---- views

/// By the schema of the ATen call that the target spells; one that copies always is none.
bool may_view(std::string_view target) {
  const std::string_view name = aten_name(target);
  if (name == "aten::dropout") return true;  // which does nothing in eval()
  if (name == "aten::contiguous" || name == "aten::to") return false;
  if (const fx::Schema* exact = fx::find_schema(target)) return exact->views;
  return std::ranges::any_of(fx::nn_names(), [&](const fx::NnName& n) {
    const fx::Schema* schema = n.nn == target ? fx::find_schema(n.aten) : nullptr;
    return schema && schema->views;
  });
}

/// x[1:, n]: numbers and slices of numbers; tensors and lists as indices copy. An item of a list or
/// tuple is no index.
bool is_slicing(const fx::Program& p, const fx::Node& n) {
  if (n.target != "operator::getitem" || n.args.size() != 2) return false;
  const auto is_tensor = [&](fx::NodeRef r) { return p.nodes[r.index].type.shape.has_value(); };
  const auto* of = n.args[0].as<fx::NodeRef>();
  bool slicing = of && is_tensor(*of);
  fx::for_each_ref(n.args[1], [&](fx::NodeRef r) { slicing &= !is_tensor(r); });
  if (const auto* indices = n.args[1].as<fx::List>())
    for (const fx::Argument& index : *indices) slicing &= !index.as<fx::List>();
  return slicing;
}

/// The node whose memory this one shows.
std::optional<uint32_t> viewed(const fx::Module& module, const fx::Program& p, const fx::Node& n,
                               const std::vector<bool>& is_list_of_views) {
  const auto* of = n.args.empty() ? nullptr : n.args[0].as<fx::NodeRef>();
  if (!of) return {};
  const fx::Submodule* m = module_of(module, n);
  const bool view = m ? m->type == "Dropout"
                      : may_view(n.target) || is_slicing(p, n) ||
                            (n.target == "operator::getitem" && is_list_of_views[of->index]);
  return view ? std::optional(of->index) : std::nullopt;
}

// ---- one program

struct Totals {
  Amount macs = 0, bytes = 0, peak = 0;
};

Amount greater(Amount a, Amount b) {
  if (!a || !b) return {};
  return std::max(*a, *b);
}

/// Bytes of the results that are alive while a program runs.
class Memory {
 public:
  Memory(const fx::Module& module, const fx::Program& program, SymbolicSizes& sizes)
      : module_(module), program_(program), sizes_(sizes) {
    find_owners();
    find_last_readers();
  }

  /// `inside`: of the programs that the node runs.
  void run(uint32_t index, const Totals& inside) {
    const fx::Node& n = program_.nodes[index];
    const Amount own = is_call(n) && owner_[index] == index ? bytes_of(index) : Amount(0);
    if (!was_made_inside(n)) all_ = plus(all_, own);
    all_ = plus(all_, inside.bytes);
    peak_ = greater(peak_, plus(alive_, inside.peak));
    held_[index] = own;
    alive_ = plus(alive_, own);
    peak_ = greater(peak_, alive_);
    for (const uint32_t done : freed_after_[index])
      if (alive_ && held_[done]) *alive_ -= *held_[done];
  }
  Amount all() const { return all_; }
  Amount peak() const { return peak_; }
  /// Nodes whose results have no known size.
  const std::vector<uint32_t>& unsized() const { return unsized_; }

 private:
  Amount bytes_of(uint32_t index) {
    const fx::TypeText& type = program_.nodes[index].type;
    if (type.dtype.empty()) return 0;  // a number, a tuple: see its items
    const size_t waits = sizes_.waits();
    const auto dims = sizes_.of(type);
    if (dims) return times(product(*dims), weights::element_size(type.dtype));
    if (sizes_.waits() > waits) return {};
    unsized_.push_back(index);
    return 0;
  }
  /// The result of a program that the node runs, or one of its results.
  bool was_made_inside(const fx::Node& n) const {
    const auto* of = n.args.empty() ? nullptr : n.args[0].as<fx::NodeRef>();
    const bool item = of && n.target == "operator::getitem";
    return !programs_of(module_, item ? program_.nodes[of->index] : n).empty();
  }
  void find_owners() {
    const size_t count = program_.nodes.size();
    owner_.resize(count);
    held_.resize(count, 0);
    std::vector<bool> is_list_of_views(count);
    for (uint32_t i = 0; i < count; ++i) {
      const fx::Node& n = program_.nodes[i];
      const auto of = is_call(n) ? viewed(module_, program_, n, is_list_of_views) : std::nullopt;
      owner_[i] = of ? owner_[*of] : i;
      is_list_of_views[i] = of && !n.type.shape;
    }
  }
  void find_last_readers() {
    std::vector<uint32_t> last(owner_.size());
    std::iota(last.begin(), last.end(), 0);
    for (uint32_t i = 0; i < last.size(); ++i) {
      last[owner_[i]] = i;
      fx::for_each_ref(program_.nodes[i], [&](fx::NodeRef r) { last[owner_[r.index]] = i; });
    }
    freed_after_.resize(last.size());
    for (uint32_t i = 0; i < last.size(); ++i) freed_after_[last[i]].push_back(i);
  }

  const fx::Module& module_;
  const fx::Program& program_;
  SymbolicSizes& sizes_;
  std::vector<uint32_t> owner_;
  std::vector<Amount> held_;
  std::vector<std::vector<uint32_t>> freed_after_;
  std::vector<uint32_t> unsized_;
  Amount all_ = 0, peak_ = 0, alive_ = 0;
};

// ---- the module

class Walk {
 public:
  Walk(const fx::Module& module, SymbolicSizes& sizes)
      : module_(module),
        sizes_(sizes),
        totals_(module.programs.size()),
        times_(module.programs.size(), 0) {}

  Costs costs() {
    walk();
    count_times();
    for (Call& c : costs_.calls) c.times = times_[c.program];
    costs_.macs = totals_[0].macs;
    costs_.activation_bytes = totals_[0].bytes;
    costs_.peak_activation_bytes = totals_[0].peak;
    return std::move(costs_);
  }

 private:
  /// Enters each program at its first call. Depth comes from the model: no recursion.
  void walk() {
    struct Place {
      uint32_t program, node;
    };
    std::vector<bool> entered(module_.programs.size());
    std::vector<Place> stack = {{0, 0}};
    entered[0] = true;
    while (!stack.empty()) {
      const auto [program, node] = stack.back();
      const fx::Program& p = module_.programs[program];
      if (node == p.nodes.size()) {
        total(program);
        left_.push_back(program);
        stack.pop_back();
        continue;
      }
      const std::vector<uint32_t> below = programs_of(module_, p.nodes[node]);
      const auto next = std::ranges::find_if(below, [&](uint32_t b) { return !entered[b]; });
      if (next != below.end()) {
        entered[*next] = true;
        stack.push_back({*next, 0});
        continue;
      }
      if (is_call(p.nodes[node])) count(program, node);
      ++stack.back().node;
    }
  }

  void count(uint32_t program, uint32_t node) {
    const fx::Program& p = module_.programs[program];
    const fx::Node& n = p.nodes[node];
    const size_t waits = sizes_.waits();
    Amount macs = macs_of(module_, p, n, sizes_);
    if (!n.module && is_foreign(n.target)) {
      const std::string name = n.onnx ? full_name(n.onnx->domain, n.onnx->op_type) : n.target;
      uncounted(n, "what " + name + " computes is not known");
    } else if (!macs && sizes_.waits() == waits) {
      uncounted(n, "how many multiply-accumulates it takes is not known");
      macs = 0;
    }
    costs_.calls.push_back({program, node, macs, 1});
    macs_[{program, node}] = macs;
  }

  void total(uint32_t program) {
    const fx::Program& p = module_.programs[program];
    Memory memory(module_, p, sizes_);
    Totals& all = totals_[program];
    for (uint32_t i = 0; i < p.nodes.size(); ++i) {
      const fx::Node& n = p.nodes[i];
      const Totals inside = inside_of(n);
      if (is_call(n)) all.macs = plus(all.macs, plus(macs_[{program, i}], inside.macs));
      memory.run(i, inside);
    }
    for (const uint32_t i : memory.unsized())
      uncounted(p.nodes[i], "the size of its result is not known");
    all.bytes = memory.all();
    all.peak = memory.peak();
  }

  /// Of the programs that a node runs: a loop's body as often as is known, of branches the dearer.
  Totals inside_of(const fx::Node& n) {
    Totals inside;
    const bool branches = n.target.ends_with("::cond");
    const uint64_t trips = trips_of(n).value_or(1);
    for (const uint32_t below : programs_of(module_, n)) {
      const Totals& t = totals_[below];
      const Amount macs = times(t.macs, trips), bytes = times(t.bytes, trips);
      inside.macs = branches ? greater(inside.macs, macs) : plus(inside.macs, macs);
      inside.bytes = branches ? greater(inside.bytes, bytes) : plus(inside.bytes, bytes);
      inside.peak = greater(inside.peak, t.peak);
    }
    return inside;
  }

  static std::optional<uint64_t> trips_of(const fx::Node& n) {
    const auto* trips =
        n.target == "onnx2fx::loop" && n.args.size() > 1 ? n.args[1].as<int64_t>() : nullptr;
    return trips && *trips >= 0 ? std::optional(static_cast<uint64_t>(*trips)) : std::nullopt;
  }

  /// Callers are left after what they call: the last one is the root.
  void count_times() {
    times_[0] = 1;
    for (auto program = left_.rbegin(); program != left_.rend(); ++program)
      for (const fx::Node& n : module_.programs[*program].nodes) {
        const std::vector<uint32_t> below = programs_of(module_, n);
        if (below.empty()) continue;
        const auto trips = trips_of(n);
        if (!n.module && !trips && !n.target.ends_with("::cond"))
          uncounted(n, "how often it runs is not known: its body is counted once");
        for (const uint32_t b : below)
          times_[b] = plus(times_[b], times(times_[*program], trips.value_or(1))).value_or(0);
      }
  }

  void uncounted(const fx::Node& n, std::string why) {
    costs_.uncounted.emplace_back(n.name, std::move(why));
  }

  const fx::Module& module_;
  SymbolicSizes& sizes_;
  Costs costs_;
  std::vector<Totals> totals_;
  std::vector<uint64_t> times_;
  std::vector<uint32_t> left_;
  std::map<std::pair<uint32_t, uint32_t>, Amount> macs_;
};

}  // namespace

std::vector<uint32_t> programs_of(const fx::Module& module, const fx::Node& node) {
  std::vector<uint32_t> all;
  const fx::Submodule* m = module_of(module, node);
  if (m && m->program) all.push_back(m->program->index);
  const auto add = [&](const fx::Argument& a) {
    if (const auto* program = a.as<fx::ProgramRef>()) all.push_back(program->index);
  };
  for (const fx::Argument& a : node.args) add(a);
  for (const fx::NamedArgument& a : node.kwargs) add(a.second);
  return all;
}

Costs costs_of(const fx::Module& module, SymbolicSizes& sizes) {
  return Walk(module, sizes).costs();
}

}  // namespace onnx2fx::cli
