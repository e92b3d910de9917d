// Symbolic sizes: what the table says of an expression is true of it at every size; floats come out
// as the types round; and no list, however odd, breaks a rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/shapes/elements.hpp"
#include "core/shapes/host_error.hpp"
#include "core/shapes/infer.hpp"
#include "core/shapes/real.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx::conversion {
namespace {

using onnx::TensorProto;

// ---- the value of an expression at given sizes

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

class Sizes {
 public:
  Sizes(const SymTable& syms, std::map<ValueId, int64_t> extents)
      : syms_(syms), extents_(std::move(extents)) {}

  int64_t of(const Sym& s) const {
    int64_t sum = 0;
    for (const Sym::Term& t : s.terms()) {
      int64_t product = t.coefficient;
      for (const AtomId f : t.factors) product *= of(syms_.atom(f));
      sum += product;
    }
    return sum;
  }

 private:
  int64_t of(const Atom& a) const {
    if (a.kind == AtomKind::kDim) return extents_.at(a.value);
    if (a.kind == AtomKind::kRounding)
      return static_cast<int64_t>(computed(static_cast<Rounding>(a.index), of(*a.real)));
    const int64_t x = of(a.left), y = of(a.right);
    switch (a.kind) {
      case AtomKind::kFloorDiv:
        return floor_div(x, y);
      case AtomKind::kMod:
        return x - floor_div(x, y) * y;
      case AtomKind::kMax:
        return std::max(x, y);
      case AtomKind::kMin:
        return std::min(x, y);
      case AtomKind::kEqual:
        return x == y;
      case AtomKind::kLess:
        return x < y;
      default:
        throw std::logic_error("no atom of sizes");
    }
  }
  double of(const Real& x) const {
    if (x.form == Real::Form::kLiteral) return x.literal;
    if (x.form == Real::Form::kSize) return static_cast<double>(of(x.size));
    return computed(x.form, of(*x.a), x.b ? of(*x.b) : 0, TensorProto::DOUBLE);
  }

  const SymTable& syms_;
  std::map<ValueId, int64_t> extents_;
};

std::vector<Sizes> some_sizes(const SymTable& syms) {
  std::vector<Sizes> r;
  for (const int64_t a : {0, 1, 2, 3, 5, 8, 640})
    for (const int64_t b : {0, 1, 2, 4, 7, 1000})
      r.emplace_back(syms, std::map<ValueId, int64_t>{{1, a}, {2, b}});
  return r;
}

// ---- integers and truths

int64_t trunc_div(int64_t a, int64_t b) { return a / b; }
int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }
int64_t modulo(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

struct Operation {
  std::function<MaybeSym(SymTable&, const Sym&, const Sym&)> symbolic;
  std::function<int64_t(int64_t, int64_t)> plain;
  bool divides = false;
};
using S = SymTable;
const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {[](S& t, const Sym& a, const Sym& b) { return t.add(a, b); }, std::plus<>()},
      {[](S& t, const Sym& a, const Sym& b) { return t.add(a, b, -1); }, std::minus<>()},
      {[](S& t, const Sym& a, const Sym& b) { return t.mul(a, b); }, std::multiplies<>()},
      {[](S& t, const Sym& a, const Sym& b) { return t.floordiv(a, b); }, floor_div, true},
      {[](S& t, const Sym& a, const Sym& b) { return t.truncdiv(a, b); }, trunc_div, true},
      {[](S& t, const Sym& a, const Sym& b) { return t.ceildiv(a, b); }, ceil_div, true},
      {[](S& t, const Sym& a, const Sym& b) { return t.mod(a, b); }, modulo, true},
      {[](S& t, const Sym& a, const Sym& b) { return t.max(a, b); },
       [](int64_t a, int64_t b) { return std::max(a, b); }},
      {[](S& t, const Sym& a, const Sym& b) { return t.min(a, b); },
       [](int64_t a, int64_t b) { return std::min(a, b); }},
      {[](S& t, const Sym& a, const Sym& b) { return t.equal(a, b); }, std::equal_to<>()},
      {[](S& t, const Sym& a, const Sym& b) { return t.less(a, b); }, std::less<>()},
  };
  return all;
}

TEST(Sym, BroadcastIsThatOfTheSizes) {
  SymTable syms;
  const Sym n = syms.dim(1, 0), m = syms.dim(2, 0);
  const std::vector<Sym> all = {Sym(1),
                                Sym(5),
                                n,
                                m,
                                *syms.min(Sym(5), n),
                                *syms.min(Sym(3), *syms.min(Sym(5), n)),
                                *syms.min(n, m),
                                *syms.min(Sym(0), n),
                                *syms.max(n, m),
                                *syms.add(n, Sym(1)),
                                *syms.floordiv(n, Sym(2))};
  int told = 0;
  for (const Sym& a : all)
    for (const Sym& b : all) {
      const MaybeSym r = syms.broadcast(a, b);
      told += r && !(a == b) && !a.is_literal() && !b.is_literal();
      for (const Sizes& s : some_sizes(syms)) {
        const int64_t x = s.of(a), y = s.of(b);
        if (!r || (x != y && x != 1 && y != 1)) continue;
        ASSERT_EQ(s.of(*r), x == 1 ? y : x) << syms.text(a) << " with " << syms.text(b);
      }
    }
  EXPECT_EQ(told, 4);  // n with the least of it and a literal, in either order, twice
}

TEST(Sym, ArithmeticIsThatOfTheSizes) {
  SymTable syms;
  std::vector<Sym> pool = {Sym(0), Sym(1), Sym(2), Sym(-3), Sym(7), syms.dim(1, 0), syms.dim(2, 0)};
  const std::vector<Sizes> sizes = some_sizes(syms);
  std::mt19937 random(5);
  const auto any = [&](size_t n) { return random() % n; };
  int made = 0;
  for (int i = 0; i < 4000; i++) {
    const Operation& op = operations()[any(operations().size())];
    const Sym a = pool[any(pool.size())], b = pool[any(pool.size())];
    const MaybeSym r = op.symbolic(syms, a, b);
    if (!r) continue;
    bool small = true;
    for (const Sizes& s : sizes) {
      if (op.divides && s.of(b) == 0) continue;
      ASSERT_EQ(s.of(*r), op.plain(s.of(a), s.of(b)))
          << syms.text(a) << " with " << syms.text(b) << " gave " << syms.text(*r);
      small &= std::abs(s.of(*r)) < 1000000;
    }
    made++;
    if (small && !op.divides && pool.size() < 400) pool.push_back(*r);
  }
  EXPECT_GT(made, 3000);
}

TEST(Sym, BoundsHoldAtEverySize) {
  SymTable syms;
  std::vector<Sym> pool = {Sym(1), Sym(-2), Sym(5), syms.dim(1, 0), syms.dim(2, 0)};
  const std::vector<Sizes> sizes = some_sizes(syms);
  std::mt19937 random(6);
  int negative = 0, never = 0;
  for (int i = 0; i < 2000; i++) {
    const Operation& op = operations()[random() % operations().size()];
    const Sym a = pool[random() % pool.size()], b = pool[random() % pool.size()];
    const MaybeSym r =
        op.divides && !(b.is_literal() && !b.is(0)) ? MaybeSym() : op.symbolic(syms, a, b);
    if (!r) continue;
    const auto range = syms.interval(*r);
    ASSERT_TRUE(range);
    const bool never_negative = syms.never_negative(*r);
    (never_negative ? never : negative)++;
    for (const Sizes& s : sizes) {
      ASSERT_LE(range->low, s.of(*r)) << syms.text(*r);
      ASSERT_GE(range->high, s.of(*r)) << syms.text(*r);
      ASSERT_TRUE(!never_negative || s.of(*r) >= 0) << syms.text(*r);
    }
    if (range->high < 1000000 && range->low > -1000000 && pool.size() < 300) pool.push_back(*r);
  }
  EXPECT_GT(negative, 100);
  EXPECT_GT(never, 100);
}

TEST(Sym, WhatIsTrueOfSizesFolds) {
  SymTable syms;
  const Sym n = syms.dim(1, 0, "n"), m = syms.dim(2, 0, "m");
  const Sym p = *syms.equal(n, Sym(3)), q = *syms.less(n, m);
  EXPECT_TRUE(syms.equal(n, Sym(-1))->is(0));
  EXPECT_TRUE(syms.less(n, Sym(0))->is(0));
  EXPECT_TRUE(syms.less(n, *syms.add(n, Sym(1)))->is(1));
  EXPECT_TRUE(syms.equal(*syms.mul(n, Sym(2)), Sym(5))->is(0));
  EXPECT_EQ(*syms.equal(*syms.mul(n, Sym(2)), Sym(6)), p);
  EXPECT_EQ(*syms.mul(p, p), p);
  EXPECT_EQ(*syms.equal(p, Sym(1)), p);
  EXPECT_EQ(*syms.equal(p, Sym(0)), *syms.negation(p));
  EXPECT_TRUE(syms.either(q, *syms.negation(q))->is(1));
  EXPECT_EQ(*syms.choose(q, n, n), n);
  EXPECT_TRUE(syms.never_negative(*syms.choose(q, n, m)));
  EXPECT_FALSE(syms.never_negative(*syms.choose(q, n, Sym(-1))));
  EXPECT_EQ(syms.text(q), "less(n, m)");
}

TEST(Sym, OverflowIsUnknown) {
  SymTable syms;
  const Sym n = syms.dim(1, 0), most(INT64_MAX), least(INT64_MIN);
  EXPECT_FALSE(syms.add(most, Sym(1)));
  EXPECT_FALSE(syms.mul(least, Sym(-1)));
  EXPECT_FALSE(syms.truncdiv(least, Sym(-1)));
  EXPECT_FALSE(syms.truncdiv(n, least));
  EXPECT_FALSE(syms.ceildiv(most, Sym(2)));
  EXPECT_FALSE(syms.equal(*syms.mul(n, least), Sym(1)));
  EXPECT_FALSE(syms.less(least, most));
  EXPECT_TRUE(syms.mod(least, Sym(-1))->is(0));
  EXPECT_FALSE(syms.fits(*syms.mul(n, Sym(65536)), 32));
  EXPECT_TRUE(syms.fits(*syms.mul(n, Sym(32000)), 32));
  EXPECT_TRUE(syms.fits(*syms.mul(*syms.mul(n, syms.dim(2, 0)), Sym(768)), 32));
}

// ---- floats

double in_float(Real::Form form, double a, double b) {
  const float x = static_cast<float>(a), y = static_cast<float>(b);
  switch (form) {
    case Real::Form::kAdd:
      return x + y;
    case Real::Form::kSub:
      return x - y;
    case Real::Form::kMul:
      return x * y;
    default:
      return x / y;
  }
}

struct Chain {
  std::vector<std::pair<Real::Form, float>> steps;
  Rounding how;
};

TEST(Real, SizesComeBackFromFloat32AsTheKernelsRound) {
  using F = Real::Form;
  const std::vector<Chain> chains = {
      {{}, Rounding::kTrunc},
      {{{F::kMul, 2.f}}, Rounding::kFloor},
      {{{F::kMul, 1.7f}}, Rounding::kFloor},
      {{{F::kMul, 0.7f}}, Rounding::kFloor},
      {{{F::kMul, 1.33f}}, Rounding::kFloor},
      {{{F::kMul, 0.4254f}}, Rounding::kCeil},
      {{{F::kMul, 0.7353f}}, Rounding::kTrunc},
      {{{F::kDiv, 3.f}}, Rounding::kFloor},
      {{{F::kDiv, 160.f}, {F::kAdd, 1.f}}, Rounding::kFloor},
      {{{F::kDiv, 32.f}}, Rounding::kCeil},
      {{{F::kDiv, 32.f}}, Rounding::kRound},
      {{{F::kMul, 0.3333333f}}, Rounding::kRound},
      {{{F::kMul, 0.5f}, {F::kSub, 1.25f}}, Rounding::kTrunc},
      {{{F::kMul, 0.1f}, {F::kMul, 10.f}}, Rounding::kFloor},
  };
  std::vector<size_t> unknown;
  for (size_t i = 0; i < chains.size(); i++) {
    SymTable syms;
    MaybeSym x = syms.dim(1, 0);
    for (const auto& [form, literal] : chains[i].steps)
      x = x ? real_arithmetic(syms, form, *x, *real_literal(syms, static_cast<double>(literal)),
                              TensorProto::FLOAT)
            : x;
    const MaybeSym whole = x ? rounded(syms, *x, chains[i].how) : x;
    if (!whole) {
      unknown.push_back(i);
      continue;
    }
    for (int64_t n = 0; n <= kMaxExtent; n++) {
      double y = static_cast<double>(n);
      for (const auto& [form, literal] : chains[i].steps)
        y = in_float(form, y, static_cast<double>(literal));
      ASSERT_EQ(Sizes(syms, {{1, n}}).of(*whole), computed(chains[i].how, y))
          << "chain " << i << " at " << n << ": " << syms.text(*whole);
    }
  }
  EXPECT_EQ(unknown, (std::vector<size_t>{5, 6}));  // float32 rounds them as no formula does
}

TEST(Real, TheFormulaIsInIntegersWhereThereIsOne) {
  SymTable syms;
  const Sym n = syms.dim(1, 0, "n"), m = syms.dim(2, 0, "m");
  const auto scaled = [&](const Sym& x, double by, int32_t dtype = TensorProto::FLOAT) {
    return *real_arithmetic(syms, Real::Form::kMul, x, *real_literal(syms, by), dtype);
  };
  const Sym scaled_n = scaled(n, static_cast<double>(1.7f));
  EXPECT_EQ(syms.text(*rounded(syms, scaled_n, Rounding::kFloor)), "floordiv(17*n, 10)");
  EXPECT_EQ(syms.text(scaled(scaled(n, 0.5), 2)), "n");
  EXPECT_EQ(syms.text(scaled(n, 4)), "4*n");
  const Sym ratio = *real_arithmetic(syms, Real::Form::kDiv, n, m, TensorProto::FLOAT);
  EXPECT_EQ(syms.text(*rounded(syms, ratio, Rounding::kFloor)), "floordiv(n, m)");
  EXPECT_EQ(syms.text(*real_less(syms, scaled(n, 0.5), Sym(3))), "less(n, 6)");
  EXPECT_EQ(syms.text(*real_less(syms, *real_literal(syms, 2.5), n)), "less(2, n)");
  EXPECT_EQ(syms.text(*rounded(syms, *real_root(syms, n, TensorProto::FLOAT), Rounding::kTrunc)),
            "trunc(root1(size0(n)))");
}

TEST(Real, WhatFloat32WouldRoundIsUnknown) {
  SymTable syms;
  const Sym n = syms.dim(1, 0), m = syms.dim(2, 0), area = *syms.mul(n, m);
  EXPECT_FALSE(real_of(syms, area, TensorProto::FLOAT));
  EXPECT_TRUE(real_of(syms, area, TensorProto::DOUBLE));
  EXPECT_FALSE(real_of(syms, *syms.mul(n, Sym(257)), TensorProto::FLOAT));
  EXPECT_FALSE(real_of(syms, syms.element(3, 0), TensorProto::FLOAT));
  EXPECT_FALSE(real_arithmetic(syms, Real::Form::kMul, n, m, TensorProto::FLOAT));
  EXPECT_FALSE(real_arithmetic(syms, Real::Form::kDiv, n, Sym(0), TensorProto::FLOAT));
  EXPECT_EQ(real_of(syms, Sym(16777217), TensorProto::FLOAT)->literal(), 16777216);
  EXPECT_FALSE(real_literal(syms, std::nan("")));
  EXPECT_FALSE(real_literal(syms, HUGE_VAL));
}

// ---- rules, on operands of any kind

struct Entry {
  Type type;
  std::optional<std::vector<MaybeSym>> elements;
};

Entry ints(const std::vector<int64_t>& values, const Extents& extents,
           int32_t dtype = TensorProto::INT64) {
  Entry o{Type::tensor(dtype, extents), std::vector<MaybeSym>()};
  for (const int64_t v : values) o.elements->emplace_back(Sym(v));
  return o;
}
Entry list(const std::vector<int64_t>& values, int32_t dtype = TensorProto::INT64) {
  return ints(values, {static_cast<int64_t>(values.size())}, dtype);
}

class Given final : public Operands {
 public:
  Given(SymTable& s, std::vector<Entry> operands) : Operands(s), operands_(std::move(operands)) {}
  const Type& type(size_t i) override { return operands_[i].type; }
  const std::vector<MaybeSym>* elements(size_t i) override {
    return operands_[i].elements ? &*operands_[i].elements : nullptr;
  }
  Sym dim(size_t i, int64_t axis) override {
    MaybeSym& d = (*operands_[i].type.dims)[static_cast<size_t>(axis)];
    if (!d) d = syms.dim(i + 1, axis);
    return *d;
  }
  MaybeSym measured(size_t, int64_t) override { return {}; }
  const onnx::TypeProto* type_proto(size_t i) override {
    protos_.emplace_back();
    return to_proto(operands_[i].type, syms, &protos_.back()) ? &protos_.back() : nullptr;
  }
  const onnx::TensorProto* tensor_proto(size_t) override { return nullptr; }

 private:
  std::vector<Entry> operands_;
  std::deque<onnx::TypeProto> protos_;
};

/// What is tracked of the only output: "[1, n, ?]", "nothing", or the error.
std::string tracked(const std::string& text, std::vector<Entry> operands, int64_t opset = 17) {
  onnx::NodeProto node;
  onnx::OnnxParser parser(text.c_str());
  if (!parser.Parse(node).IsOK()) throw std::runtime_error("cannot parse " + text);
  SymTable syms;
  std::vector<ValueId> ids;
  ids.reserve(static_cast<size_t>(node.input_size()));
  for (int i = 0; i < node.input_size(); i++) ids.push_back(node.input(i).empty() ? 0 : i + 1);
  const NodeView view{node, ids, opset,
                      onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset))};
  Given given(syms, std::move(operands));
  try {
    std::vector<Type> types = infer(given, view, nullptr);
    const auto known = tracked_elements(given, view, types);
    if (!known[0]) return "nothing";
    EXPECT_EQ(types[0].count(), static_cast<int64_t>(known[0]->size())) << text;
    std::string s;
    for (const MaybeSym& e : *known[0]) s += (s.empty() ? "" : ", ") + (e ? syms.text(*e) : "?");
    return "[" + s + "]";
  } catch (const HostError& e) {
    return e.what();
  }
}

constexpr int64_t kMost = INT64_MAX, kLeast = INT64_MIN;

TEST(Rules, SliceTakesListsAsTheyCome) {
  const std::string text = "y = Slice(x, s, e, a, t)";
  const auto slice = [&](const Entry& s, const Entry& e, const Entry& a, const Entry& t) {
    return tracked(text, {list({1, 2, 3}), s, e, a, t});
  };
  EXPECT_EQ(slice(list({0}), list({2}), list({}), list({1})), "nothing");
  EXPECT_EQ(slice(list({0}), list({2}), list({0}), list({})), "nothing");
  EXPECT_EQ(slice(list({}), list({}), list({}), list({})), "[1, 2, 3]");
  EXPECT_EQ(slice(list({0}), list({3}), list({0}), list({kMost})), "[1]");
  EXPECT_EQ(slice(list({2}), list({kLeast}), list({0}), list({kLeast})), "[3]");
  EXPECT_EQ(slice(list({-1}), list({kLeast}), list({0}), list({-1})), "[3, 2, 1]");
  EXPECT_EQ(slice(list({kLeast}), list({kMost}), list({-1}), list({2})), "[1, 3]");
  EXPECT_EQ(slice(list({0}), list({3}), list({0}), list({0})), "nothing");
  EXPECT_EQ(slice(list({0}), list({3}), list({1}), list({1})), "nothing");
  EXPECT_EQ(slice(list({0}), list({3}), list({kLeast}), list({1})), "nothing");
  EXPECT_EQ(slice(list({0, 0}), list({3, 3}), list({0, 0}), list({1, 1})), "nothing");
  EXPECT_EQ(slice(ints({0}, {}), list({3}), list({0}), list({1})), "[1, 2, 3]");
  EXPECT_EQ(tracked("y = Slice(x, s, e)", {list({}), list({-1}), list({kLeast})}), "[]");
}

TEST(Rules, RangeTakesOneNumberEach) {
  const auto range = [&](const Entry& a, const Entry& b, const Entry& d) {
    return tracked("y = Range(a, b, d)", {a, b, d});
  };
  const Entry zero = ints({0}, {}), one = ints({1}, {}), three = ints({3}, {});
  EXPECT_EQ(range(zero, three, one), "[0, 1, 2]");
  EXPECT_EQ(range(zero, list({}), one), "nothing");
  EXPECT_EQ(range(list({}), list({}), list({})), "nothing");
  EXPECT_EQ(range(zero, list({3, 4}), one), "nothing");
  EXPECT_EQ(range(zero, three, zero), "nothing");
  EXPECT_EQ(range(zero, ints({kMost}, {}), ints({kMost}, {})), "[0]");
  EXPECT_EQ(range(ints({kMost}, {}), ints({kLeast}, {}), ints({kLeast}, {})), "nothing");
  EXPECT_EQ(range(zero, ints({kMost}, {}), one), "nothing");
  EXPECT_EQ(range(three, zero, ints({-2}, {})), "[3, 1]");
}

TEST(Rules, IntegersAreAsWideAsTheirType) {
  const auto of = [](const char* op, int64_t a, int64_t b, int32_t dtype) {
    return tracked(std::string("y = ") + op + "(a, b)",
                   {ints({a}, {}, dtype), ints({b}, {}, dtype)});
  };
  const int32_t narrow = TensorProto::INT32, wide = TensorProto::INT64;
  EXPECT_EQ(of("Mul", 65536, 32768, narrow), "[-2147483648]");
  EXPECT_EQ(of("Mul", 65536, 32768, wide), "[2147483648]");
  EXPECT_EQ(of("Add", INT32_MAX, 1, narrow), "[-2147483648]");
  EXPECT_EQ(of("Sub", INT32_MIN, 1, narrow), "[2147483647]");
  EXPECT_EQ(of("Mul", kMost, 2, wide), "nothing");
  EXPECT_EQ(of("Div", kLeast, -1, wide), "nothing");
  EXPECT_EQ(of("Div", 7, 0, wide), "nothing");
  EXPECT_EQ(of("Div", -7, 2, wide), "[-3]");
  EXPECT_EQ(of("Mod", -7, 2, wide), "[1]");
  EXPECT_EQ(of("Mod", 7, 0, wide), "nothing");
  EXPECT_EQ(tracked("y = Cast<to = 6>(a)", {ints({int64_t{1} << 31}, {})}), "[-2147483648]");
  EXPECT_EQ(tracked("y = Cast<to = 9>(a)", {list({0, 2, -1})}), "[0, 1, 1]");
  EXPECT_EQ(tracked("y = Neg(a)", {ints({INT32_MIN}, {}, narrow)}), "[-2147483648]");
}

TEST(Rules, GatherCountsFromBothEnds) {
  const Entry x = list({4, 5, 6});
  EXPECT_EQ(tracked("y = Gather(x, i)", {x, list({-1, 0})}), "[6, 4]");
  EXPECT_EQ(tracked("y = Gather(x, i)", {x, list({})}), "[]");
  EXPECT_EQ(tracked("y = Gather(x, i)", {x, ints({3}, {})}), "index 3: expected one below 3");
  EXPECT_EQ(tracked("y = Gather(x, i)", {x, ints({kLeast}, {})}),
            "index -9223372036854775808: expected one below 3");
  EXPECT_EQ(
      tracked("y = Gather<axis = 1>(x, i)", {ints({1, 2, 3, 4, 5, 6}, {2, 3}), ints({1}, {})}),
      "[2, 5]");
  EXPECT_EQ(tracked("y = Gather<axis = 1>(x, i)", {x, ints({0}, {})}), "nothing");
}

TEST(Rules, ReductionsTakeTheirAxesAndKeepThem) {
  const Entry x = ints({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(tracked("y = ReduceProd<axes = [1]>(x)", {x}), "[6, 120]");
  EXPECT_EQ(tracked("y = ReduceSum(x, a)", {x, list({0})}), "[5, 7, 9]");
  EXPECT_EQ(tracked("y = ReduceSum<keepdims = 0>(x)", {x}), "[21]");
  EXPECT_EQ(tracked("y = ReduceSum<noop_with_empty_axes = 1>(x, a)", {x, list({})}),
            "[1, 2, 3, 4, 5, 6]");
  EXPECT_EQ(tracked("y = ReduceMax<axes = [-1], keepdims = 0>(x)", {x}), "[3, 6]");
  EXPECT_EQ(tracked("y = ReduceProd(x)", {list({})}), "[1]");
  EXPECT_EQ(tracked("y = ReduceMax(x)", {list({})}), "nothing");
  EXPECT_EQ(tracked("y = ReduceSum(x, a)", {x, list({2})}), "nothing");
}

// Every operator, on lists that fit it and lists that do not.
TEST(Rules, NoListBreaksOne) {
  const std::vector<std::string> nodes = {
      "y = Slice(a, b, c, d, e)",
      "y = Slice(a, b, c)",
      "y = Range(a, b, c)",
      "y = Gather(a, b)",
      "y = Gather<axis = -1>(a, b)",
      "y = Concat<axis = 0>(a, b, c)",
      "y = Concat<axis = 1>(a, b)",
      "y = Reshape(a, b)",
      "y = Expand(a, b)",
      "y = Tile(a, b)",
      "y = ConstantOfShape(a)",
      "y = Transpose<perm = [1, 0]>(a)",
      "y = Transpose<perm = [0, 0]>(a)",
      "y = Transpose(a)",
      "y = Squeeze(a, b)",
      "y = Unsqueeze(a, b)",
      "y = Flatten<axis = 3>(a)",
      "y, z = Split(a, b)",
      "y, z = Split<axis = 1>(a)",
      "y = Where(a, b, c)",
      "y = Add(a, b)",
      "y = Div(a, b)",
      "y = Mod(a, b)",
      "y = Mod<fmod = 1>(a, b)",
      "y = Pow(a, b)",
      "y = Max(a, b, c)",
      "y = Max()",
      "y = Neg(a)",
      "y = Abs(a)",
      "y = ReduceProd<axes = [7]>(a)",
      "y = ReduceSum(a, b)",
      "y = ReduceMean<keepdims = 0>(a)",
      "y = Equal(a, b)",
      "y = Less(a, b)",
      "y = Not(a)",
      "y = And(a, b)",
      "y = Cast<to = 1>(a)",
      "y = Cast<to = 6>(a)",
      "y = CastLike(a, b)",
      "y = Floor(a)",
      "y = Sqrt(a)",
      "y = Shape<start = -9, end = 9>(a)",
      "y = Size(a)",
      "y = Pad(a, b)",
      "y = Resize(a, , , b)",
      R"(y = Conv<kernel_shape = [3], pads = [9223372036854775807, 1],
                  dilations = [9223372036854775807]>(a, b))",
      "y = MaxPool<kernel_shape = [2, 2], strides = [0, -1]>(a)",
      "y = MatMul(a, b)"};
  std::vector<Entry> all;
  for (const int32_t dtype : {TensorProto::INT64, TensorProto::INT32, TensorProto::BOOL,
                              TensorProto::FLOAT, TensorProto::DOUBLE}) {
    all.push_back(list({}, dtype));
    for (const int64_t x : {int64_t{0}, int64_t{1}, int64_t{-1}, kMost, kLeast, int64_t{1} << 32}) {
      all.push_back(list({x}, dtype));
      all.push_back(ints({x}, {}, dtype));
    }
    all.push_back(list({1, 2, 3, 4, 5}, dtype));
    all.push_back(list({kMost, kLeast}, dtype));
    all.push_back(ints({1, 2, 3, 4}, {2, 2}, dtype));
    all.push_back(ints({}, {0, 3}, dtype));
    Entry unknown{Type::tensor(dtype, {2}), {}};
    all.push_back(unknown);
    unknown.type.dims->at(0).reset();
    all.push_back(unknown);
    unknown.type.dims.reset();
    all.push_back(unknown);
  }
  std::mt19937 random(7);
  int known = 0;
  for (int i = 0; i < 40000; i++) {
    std::vector<Entry> operands;
    operands.reserve(5);
    for (int k = 0; k < 5; k++) operands.push_back(all[random() % all.size()]);
    const int64_t opset = std::vector<int64_t>{6, 9, 13, 18}[random() % 4];
    known += tracked(nodes[random() % nodes.size()], operands, opset) != "nothing";
  }
  EXPECT_GT(known, 2000);
}

}  // namespace
}  // namespace onnx2fx::conversion
