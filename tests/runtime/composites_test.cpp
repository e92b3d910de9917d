// Each composite of core/fx/composites: its bodies and its head, built from the same text, compute
// the same in double, forward and backward, and the pass finds the one in the other.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/fx/composites/head.hpp"
#include "core/fx/composites/pattern.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/recover.hpp"
#include "core/fx/schema.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;

/// Which of the alternatives a body is built with.
struct Choice {
  uint32_t absent = 0;  ///< bit i: the variable i is left out
  size_t either = 0;    ///< the child of each "|"
};

/// What a term stands for while it is built: a node and its value, or a literal.
struct Built {
  Argument argument;
  c10::IValue value;
};

class Sides {
 public:
  explicit Sides(const Pattern& pattern, Choice choice = {}) : pattern_(pattern), choice_(choice) {
    program_.name = "root";
    at::manual_seed(0);
    for (size_t i = 0; i < pattern.variables.size(); i++) {
      const Variable& v = pattern.variables[i];
      if (v.scalar) {
        variables_.push_back(number(v.sample));
      } else if (v.optional && (choice.absent >> i & 1)) {
        variables_.push_back({{}, {}});
      } else {
        at::Tensor x = 3 * at::randn(v.sample_dims, at::kDouble);
        x = is_boolean(i) ? x > -2 : x.requires_grad_();
        leaves_.push_back(x);
        variables_.push_back(
            {add({.op = Op::kPlaceholder, .name = v.name, .target = v.name}, x), x});
      }
    }
  }

  const std::vector<at::Tensor>& leaves() const { return leaves_; }
  at::Tensor body(TermRef term) { return (result_ = build(term)).value.toTensor(); }

  /// The program of the body, and what runs of it after the pass.
  std::pair<Module, std::vector<std::string>> recovered() {
    Module module = finished(program_, result_.argument);
    recover_composites(module, [](uint32_t) { return std::nullopt; });
    drop_dead_nodes(module);
    std::vector<std::string> calls;
    for (const Node& n : module.programs[0].nodes)
      if (n.op == Op::kCallFunction) calls.push_back(n.target);
    return {std::move(module), std::move(calls)};
  }

  at::Tensor head() {
    Bindings bindings;
    Terms terms;
    for (const Built& v : variables_) {
      const NodeRef* r = v.argument.as<NodeRef>();
      TermRef t = r ? terms.node(r->index)
                  : v.value.isDouble() || v.value.isInt()
                      ? terms.number(v.value.toScalar().toDouble())
                      : nullptr;
      bindings.emplace_back(Binding{t, v.argument});
    }
    for (uint32_t i = 0; i < pattern_.lets.size(); i++) {
      const Built v = build(terms.make({.kind = Kind::kLet, .index = i}));
      bindings.emplace_back(Binding{terms.node(v.argument.as<NodeRef>()->index), v.argument});
    }
    Program program = program_;
    const Head head(program, pattern_, bindings, true);
    EXPECT_TRUE(head.holds()) << pattern_.name << ": the conditions do not hold of its own sample";
    for (Node& n : head.call()) {
      n.name = fmt::format("h{}", program.nodes.size());
      program.nodes.push_back(std::move(n));
    }
    const NodeRef last{static_cast<uint32_t>(program.nodes.size() - 1)};
    return run(finished(std::move(program), last));
  }

  at::Tensor run(const Module& module) const {
    onnx2fx::Module runner(module, [](const Tensor&) { return std::span<const uint8_t>(); });
    runner.eval();
    return runner.forward({leaves_.begin(), leaves_.end()})[0].toTensor();
  }

 private:
  bool is_boolean(size_t variable) const {
    return std::ranges::any_of(pattern_.conditions, [&](const Condition& c) {
      return c.left->name == "boolean" && c.left->children[0]->index == variable;
    });
  }

  static Module finished(Program program, const Argument& result) {
    program.nodes.push_back({.op = Op::kOutput, .name = "output", .args = {result}});
    Module module;
    module.programs.push_back(std::move(program));
    module.outputs.resize(1);
    return module;
  }

  NodeRef add(Node node, const at::Tensor& value) {
    if (node.name.empty()) node.name = fmt::format("n{}", program_.nodes.size());
    node.type.dtype = value.scalar_type() == at::kBool ? "bool" : "float64";
    node.type.shape.emplace();
    for (const int64_t d : value.sizes()) node.type.shape->push_back(std::to_string(d));
    program_.nodes.push_back(std::move(node));
    return {static_cast<uint32_t>(program_.nodes.size() - 1)};
  }

  /// Of the overloads the first that takes the arguments.
  Built call(const std::string& name, const std::vector<Built>& arguments) {
    for (const Schema* schema : find_overloads("aten::" + name)) {
      const size_t dot = schema->name.find('.');
      const auto op = c10::Dispatcher::singleton().findSchema(
          {schema->name.substr(0, dot),
           dot == std::string::npos ? "" : schema->name.substr(dot + 1)});
      std::vector<c10::IValue> stack;
      std::ranges::transform(arguments, std::back_inserter(stack), &Built::value);
      try {
        if (!op || schema->mutates()) continue;
        op->schema().checkAndNormalizeInputs(stack, {});
      } catch (const std::exception&) {
        continue;
      }
      op->callBoxed(stack);
      Node node{.target = schema->name};
      for (const Built& a : arguments) node.args.push_back(a.argument);
      return {add(std::move(node), stack[0].toTensor()), stack[0]};
    }
    throw std::invalid_argument("no overload of " + name + " takes the arguments");
  }

  static Built number(double value) {
    if (value == std::floor(value) && std::isfinite(value)) {
      const auto whole = static_cast<int64_t>(value);
      return {whole, whole};
    }
    return {value, value};
  }
  static Built real(double value) { return {value, value}; }

  Built build(TermRef t) {
    switch (t->kind) {
      case Kind::kNumber:
        return number(t->number);
      case Kind::kTensor:
      case Kind::kScalar:
        return variables_[t->index];
      case Kind::kLiteral:
        if (t->literal.as<Training>()) return {t->literal, false};
        return {t->literal,
                t->literal.as<bool>() ? c10::IValue(*t->literal.as<bool>()) : c10::IValue()};
      case Kind::kOneOf:
        return build(t->children[std::min(choice_.either, t->children.size() - 1)]);
      case Kind::kLet: {
        const auto known = lets_.find(t->index);
        if (known != lets_.end()) return known->second;
        return lets_[t->index] = build(pattern_.lets[t->index].second);
      }
      case Kind::kList: {
        List all;
        std::vector<int64_t> values;
        for (TermRef c : t->children) {
          const c10::IValue v = build(c).value;
          values.push_back(v.isDouble() ? static_cast<int64_t>(v.toDouble()) : v.toInt());
          all.push_back(values.back());
        }
        return {all, c10::IValue(values)};
      }
      case Kind::kCall: {
        if (t->name == "size")
          return number(static_cast<double>(
              size(t->children[0])[static_cast<size_t>(t->children[1]->number)]));
        if (t->name == "shape") return dims(t->children[0]);
        if (t->name == "full") return full(build(t->children[0]), build(t->children[1]));
        std::vector<Built> arguments;
        for (TermRef c : t->children) arguments.push_back(build(c));
        return call(t->name, arguments);
      }
      case Kind::kProduct:
        return product(*t);
      case Kind::kSum:
        return sum(*t);
      default:
        throw std::logic_error("a term that no body has");
    }
  }

  Built full(const Built& dims, const Built& number) {
    const at::Tensor value =
        at::full(dims.value.toIntVector(), number.value.toScalar(), at::kDouble);
    Node node{.target = "aten::full",
              .args = {dims.argument, number.argument},
              .kwargs = {{"dtype", Dtype{"float64"}}}};
    return {add(std::move(node), value), value};
  }

  std::vector<int64_t> size(TermRef x) { return build(x).value.toTensor().sizes().vec(); }
  Built dims(TermRef x) {
    const std::vector<int64_t> all = size(x);
    return {List(all.begin(), all.end()), c10::IValue(all)};
  }

  bool is_absent(const Built& b) const { return b.value.isNone(); }

  Built product(const Term& t) {
    std::optional<Built> all;
    for (const Part& p : t.parts) {
      Built base = build(p.term);
      if (is_absent(base)) continue;
      const double e = std::abs(p.number);
      if (e == 0.5)
        base = call("sqrt", {base});
      else if (e != 1)
        base = call("pow", {base, number(e)});
      if (p.number < 0)
        all = all ? call("div", {*all, base}) : call("reciprocal", {base});
      else
        all = !all                    ? base
              : all->value.isTensor() ? call("mul", {*all, base})
                                      : call("mul", {base, *all});
    }
    return t.number == 1 ? *all : call("mul", {*all, real(t.number)});
  }

  Built sum(const Term& t) {
    std::optional<Built> all;
    double front = t.number;
    for (const Part& p : t.parts) {
      Built one = build(p.term);
      if (is_absent(one)) continue;
      if (one.value.isDouble()) {
        front += p.number * one.value.toDouble();
        continue;
      }
      if (p.number == -1 && all) {
        all = call("sub", {*all, one});
        continue;
      }
      if (p.number != 1) one = call("mul", {one, real(p.number)});
      all = all ? call("add", {*all, one}) : one;
    }
    return front == 0 ? *all : call("add", {*all, real(front)});
  }

  const Pattern& pattern_;
  Choice choice_;
  Program program_;
  std::vector<Built> variables_;
  std::vector<at::Tensor> leaves_;
  std::map<uint32_t, Built> lets_;
  Built result_;
};

std::vector<at::Tensor> gradients(const at::Tensor& y, const std::vector<at::Tensor>& leaves) {
  at::manual_seed(1);
  const at::Tensor seed = at::rand(y.sizes(), at::kDouble);
  std::vector<at::Tensor> floating;
  std::ranges::copy_if(leaves, std::back_inserter(floating), &at::Tensor::requires_grad);
  auto all = torch::autograd::grad({y}, floating, {seed}, true);
  return all;
}

bool near(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && at::allclose(a, b, 1e-6, 1e-6, true);
}

bool same(const at::Tensor& a, const at::Tensor& b, const std::vector<at::Tensor>& leaves) {
  if (!near(a, b)) return false;
  const auto x = gradients(a, leaves), y = gradients(b, leaves);
  return std::equal(x.begin(), x.end(), y.begin(), near);
}

std::vector<Choice> choices(const Pattern& p) {
  std::vector<Choice> all;
  for (uint32_t absent = 0; absent < 1U << p.variables.size(); absent++) {
    bool possible = true;
    for (size_t i = 0; i < p.variables.size(); i++)
      if ((absent >> i & 1) && !p.variables[i].optional) possible = false;
    for (size_t either = 0; possible && either < 2; either++) all.push_back({absent, either});
  }
  return all;
}

/// Every body of every pattern in all its readings, built: f(pattern, sides, result).
template <class F>
void for_each_reading(F f) {
  for (const Pattern& p : patterns()) {
    for (const Choice& choice : choices(p)) {
      for (size_t body = 0; body < p.bodies.size(); body++) {
        SCOPED_TRACE(fmt::format("{}, body {}", p.name, body));
        Sides sides(p, choice);
        f(p, sides, sides.body(p.bodies[body]));
      }
    }
  }
}

TEST(Composites, BodiesAndHeadsAreTheSame) {
  for_each_reading([](const Pattern&, Sides& sides, const at::Tensor& y) {
    EXPECT_TRUE(same(y, sides.head(), sides.leaves()));
  });
}

bool needs_statement(const Pattern& p) {
  return std::ranges::any_of(p.conditions,
                             [](const Condition& c) { return c.left->name == "stated"; });
}

TEST(Composites, AreFoundInTheirBodies) {
  for_each_reading([](const Pattern& p, Sides& sides, const at::Tensor& y) {
    const auto [module, calls] = sides.recovered();
    ASSERT_FALSE(calls.empty());
    if (needs_statement(p)) {
      EXPECT_TRUE(calls.back() != p.target || calls.size() > 1);  // not the call alone
      return;
    }
    EXPECT_EQ(calls.back(), p.target);
    EXPECT_LE(calls.size(), 3u);
    EXPECT_TRUE(same(y, sides.run(module), sides.leaves()));
  });
}

/// A copy of a formula with its n-th number changed; n counts down. Of an "a | b" the first.
TermRef changed(TermRef t, int& n, Terms& terms) {
  const auto moved = [](double x) { return x == 0 ? 0.01 : x * 1.01; };
  Term copy = *t;
  const bool arithmetic = t->kind == Kind::kProduct || t->kind == Kind::kSum;
  if ((arithmetic && t->number != (t->kind == Kind::kSum ? 0 : 1)) || t->kind == Kind::kNumber)
    if (n-- == 0) copy.number = moved(t->number);
  for (Part& p : copy.parts) {
    if (p.number != 1 && n-- == 0) p.number = moved(p.number);
    p.term = changed(p.term, n, terms);
  }
  const bool axes = t->kind == Kind::kCall && (t->name == "mean" || t->name == "softmax");
  for (size_t i = 0; i < copy.children.size() && t->kind != Kind::kList; i++)
    if (i == 0 || !(axes || t->kind == Kind::kOneOf))
      copy.children[i] = changed(copy.children[i], n, terms);
  return terms.make(std::move(copy));
}

TEST(Composites, ANumberThatIsOffByAHundredthIsNoticed) {
  size_t tried = 0;
  for (const Pattern& p : patterns()) {
    for (TermRef body : p.bodies) {
      for (int i = 0;; i++) {
        Terms terms;
        int left = i;
        TermRef wrong = changed(body, left, terms);
        if (left >= 0) break;
        Sides sides(p);
        const at::Tensor y = sides.body(wrong);
        EXPECT_FALSE(same(y, sides.head(), sides.leaves())) << p.name << ", number " << i;
        const auto [module, calls] = sides.recovered();
        EXPECT_NE(calls.back(), p.target) << p.name << ", number " << i;
        tried++;
      }
    }
  }
  EXPECT_GT(tried, patterns().size());
}

TEST(Composites, FaultsOfAPatternNameTheLine) {
  Terms terms;
  const auto fault = [&](const char* text) -> std::string {
    try {
      parse_patterns("x.pat", text, terms);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(fault("f(x) -> aten::relu(x)\n  = x * y\n"),
            "x.pat:2: expected a variable of 'f' before this, not 'y', got the end of the line");
  EXPECT_EQ(fault("f(x -> aten::relu(x)\n"), "x.pat:1: expected ',', got '->'");
  EXPECT_EQ(fault("  = x\n"), "x.pat:1: expected a head: name(variables) -> call, got '='");
  EXPECT_EQ(fault("f(x) -> aten::relu(x)\n  = x / x\n"),
            "x.pat:2: expected a formula that does not cancel out, got the end of the line");
}

}  // namespace
}  // namespace onnx2fx::fx::composites
