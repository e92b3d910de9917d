#include "tests/plugins/hostile_pack.hpp"

#include <atomic>
#include <chrono>
#include <onnx2fx/plugin.hpp>
#include <thread>

namespace onnx2fx {

namespace {

// ---- the return

void throws_a_string(Node&) { throw std::runtime_error("out of cheese"); }
void throws_an_int(Node&) { throw 42; }
o2fx_status silent(const o2fx_host_api*, o2fx_ctx, const void*) { return O2FX_E_INTERNAL; }
o2fx_status odd_status(const o2fx_host_api*, o2fx_ctx, const void*) { return 77; }
void no_output(Node& n) { n.input(0); }
void output_twice(Node& n) {
  n.output(n.input(0));
  n.output(n.input(0));
}
void unread_input(Node& n) { n.output(n.call("aten::ones", {std::vector<int64_t>{4}})); }
void unread_attribute(Node& n) { n.output(n.call("aten::relu", {n.input(0)})); }
void ignored_attribute(Node& n) {
  n.ignore("alpha");
  n.output(n.call("aten::relu", {n.input(0)}));
}

// ---- what is emitted

void unknown_target(Node& n) { n.output(n.call("aten::no_such_operator", {n.input(0)})); }
void misspelt_target(Node& n) { n.output(n.call("aten::sigmiod", {n.input(0)})); }
void unqualified_target(Node& n) { n.output(n.call("relu", {n.input(0)})); }
void no_overload(Node& n) { n.output(n.call("aten::sub", {n.input(0), n.input(0)})); }
/// A call of a target that there is not, with the input.
o2fx_status calls(const o2fx_host_api* host, o2fx_ctx ctx, const void* target) {
  o2fx_arg x{};
  x.tag = O2FX_T_VALUE;
  x.u.v = host->input(ctx, 0);
  o2fx_emit e{};
  e.struct_size = sizeof e;
  e.target = str(static_cast<const char*>(target));
  e.args = &x;
  e.n_args = 1;
  o2fx_value y = 0;
  return host->emit(ctx, &e, &y);
}
void adds_a_tensor(Node& n) { n.output(n.call("operator::add", {n.input(0), 1})); }
void adds_three(Node& n) {
  n.input(0);
  n.output(n.call("operator::add", {1, 2, 3}));
}
void adds_with_a_keyword(Node& n) {
  n.input(0);
  n.output(n.call("operator::add", {1, 2}, {{"alpha", 2}}));
}
void unpacks_a_sum(Node& n) {
  n.input(0);
  n.outputs(n.calls(2, "operator::add", {1, 2}));
}
void unpacks_a_size(Node& n) { n.outputs(n.calls(2, "aten::sym_size.int", {n.input(0), 0})); }
void item_of_a_tensor(Node& n) { n.output(n.call("operator::getitem", {n.input(0), 0})); }
void undeclared_target(Node& n) { n.output(n.call("acme::undeclared", {n.input(0)})); }
void mutates(Node& n) { n.output(n.call("aten::add_.Tensor", {n.input(0), n.input(0)})); }
void reads_a_file(Node& n) {
  n.input(0);
  n.output(n.call("aten::from_file", {"/etc/passwd"}));
}
void wrong_argument(Node& n) { n.output(n.call("aten::relu", {1.5})); }
void missing_argument(Node& n) { n.output(n.call("aten::mul.Tensor", {n.input(0)})); }
void wrong_keyword(Node& n) { n.output(n.call("aten::relu", {n.input(0)}, {{"alpha", 1.0}})); }
void unpacks_a_tensor(Node& n) { n.outputs(n.calls(2, "aten::relu", {n.input(0)})); }
void nested_lists(Node& n) {
  o2fx_arg a[12]{};
  for (int i = 0; i < 11; i++) {
    a[i].tag = O2FX_T_LIST;
    a[i].len = 1;
    a[i].u.list = &a[i + 1];
  }
  n.output(n.call("aten::stack", {Arg(a[0])}));
}
void list_of_nothing(Node& n) {
  o2fx_arg a{};
  a.tag = O2FX_T_LIST;
  a.len = 3;
  n.output(n.call("aten::stack", {Arg(a)}));
}
void negative_dims(Node& n) { n.output(n.constant<float>("c", kFloat, {1}, {-1, -1})); }
void unknown_tag(Node& n) {
  o2fx_arg a{};
  a.tag = 99;
  n.output(n.call("aten::relu", {Arg(a)}));
}
void recovers(Node& n) {  // a refused call, then another way: no error may remain
  try {
    n.call("aten::no_such_operator", {n.input(0)});
  } catch (const Failed&) {
    n.output(n.call("aten::neg", {n.input(0)}));
  }
}

// ---- ids

o2fx_value kept_value;
void foreign_value(Node& n) {
  n.input(0);
  n.output({12345});
}
void keeps_a_value(Node& n) {
  kept_value = n.call("aten::relu", {n.input(0)}).id;
  throw Decline("kept a value");
}
void uses_the_kept_value(Node& n) {
  n.input(0);
  n.output(n.call("aten::neg", {Value{kept_value}}));
}
void foreign_program(Node& n) {
  n.input(0);
  n.begin("p");
  const Program p = n.end(n.call("aten::relu", {n.input(0)}));
  n.close({Program{(uint64_t{1} << 32) + p.id}});
}

// ---- sub-programs

void open_program(Node& n) {
  n.output(n.input(0));
  n.begin("p");
}
void value_of_a_program(Node& n) {
  n.begin("p");
  const Value v = n.call("aten::relu", {n.input(0)});
  n.end(v);
  n.output(v);
}
void number_of_a_program(Node& n) {
  n.begin("p");
  const Value v = n.call("aten::_local_scalar_dense", {n.call("aten::sum", {n.input(0)})});
  n.end(v);
  n.output(v);
}
void uses_an_ended_value(Node& n) {
  n.begin("p");
  const Value v = n.call("aten::relu", {n.input(0)});
  n.end(v);
  n.output(n.call("aten::neg", {v}));
}
void program_not_closed(Node& n) {
  n.begin("p");
  const Program p = n.end(Values{n.input(0)});
  const Value condition = n.call("aten::any", {n.call("aten::isnan", {n.input(0)})});
  n.outputs(n.calls(1, "higher_order::cond", {condition, p, p, Values{}}));
}
void part_of_nothing(Node& n) {
  n.input(0);
  o2fx_value out = 0;
  throw Failed{n.api()->lower_between(n.ctx(), nullptr, nullptr, 1, str("y"), &out)};
}
/// The graph's own "c" once more, with the input for "b".
void again(Node& n) { n.output(n.lower_between({"b"}, {n.input(0)}, "c")); }
void ends_what_it_did_not_begin(Node& n) { n.end(n.input(0)); }

// ---- the ctx

o2fx_ctx kept_ctx;
const o2fx_host_api* kept_host;

o2fx_status relu_through(const o2fx_host_api* host, o2fx_ctx ctx, o2fx_value x) {
  const o2fx_arg a = Arg(Value{x}).raw();
  o2fx_emit e{};
  e.struct_size = sizeof e;
  e.target = str("aten::relu");
  e.args = &a;
  e.n_args = 1;
  o2fx_value result = 0;
  return host->emit(ctx, &e, &result);
}
void keeps_the_ctx(Node& n) {
  kept_ctx = n.ctx();
  kept_host = n.api();
  n.output(n.call("aten::relu", {n.input(0)}));
}
void uses_the_kept_ctx(Node& n) {
  if (relu_through(kept_host, kept_ctx, n.input(0).id) == O2FX_E_INVALID &&
      kept_host->input(kept_ctx, 0) == 0)
    throw Unsupported("the kept ctx is refused");
  n.output(n.input(0));
}
void other_thread(Node& n) {
  const o2fx_value x = n.input(0).id;
  o2fx_status status = O2FX_OK;
  std::thread t([&] { status = relu_through(n.api(), n.ctx(), x); });
  t.join();
  if (status == O2FX_E_INVALID) throw Unsupported("another thread is refused");
  n.output({x});
}
void outer_begins(Node& n) {  // its body holds x::UsesTheKeptCtx
  kept_ctx = n.ctx();
  kept_host = n.api();
  n.outputs(n.lower(n.graph("body"), {n.input(0)}));
}
void calls_a_guard_slot(Node& n) {
  auto* slots = reinterpret_cast<void (*const*)()>(n.api());
  slots[sizeof(o2fx_host_api) / sizeof(void*) + 3]();
}

// ---- declining

void declines_late(Node& n) {
  n.begin("p");
  n.call("aten::relu", {n.input(0)});
  n.constant<float>("junk", kFloat, {1}, {1});
  throw Decline("after emitting, with a program open");
}

constexpr o2fx_op row(std::string_view type, o2fx_lower_fn f, int32_t since = 1) {
  return op(type, since, f, 0, "x");
}

constexpr o2fx_op calling(std::string_view type, const char* target) {
  o2fx_op r = row(type, calls);
  r.op_user = target;
  return r;
}

constexpr o2fx_op kHostile[] = {
    row("AddsATensor", lower<adds_a_tensor>),
    row("AddsThree", lower<adds_three>),
    row("AddsWithAKeyword", lower<adds_with_a_keyword>),
    row("Again", lower<again>),
    row("CallsAGuardSlot", lower<calls_a_guard_slot>),
    row("Contested", lower<declines_late>, 2),
    row("EndsWhatItDidNotBegin", lower<ends_what_it_did_not_begin>),
    row("ForeignProgram", lower<foreign_program>),
    row("ForeignValue", lower<foreign_value>),
    row("IgnoredAttribute", lower<ignored_attribute>),
    row("ItemOfATensor", lower<item_of_a_tensor>),
    row("KeepsAValue", lower<keeps_a_value>, 2),
    row("KeepsTheCtx", lower<keeps_the_ctx>),
    row("ListOfNothing", lower<list_of_nothing>),
    row("MissingArgument", lower<missing_argument>),
    calling("MisspeltHigherOrder", "higher_order::Cond"),
    calling("MisspeltLeaf", "onnx2fx::strings_concat"),
    calling("MisspeltNumberOperator", "operator::flordiv"),
    row("MisspeltTarget", lower<misspelt_target>),
    calling("MisspeltWithOverloads", "aten::ad"),
    row("Mutates", lower<mutates>),
    row("NegativeDims", lower<negative_dims>),
    row("NestedLists", lower<nested_lists>),
    calling("NoHigherOrder", "higher_order::map_over"),
    row("NoOverload", lower<no_overload>),
    row("NoOutput", lower<no_output>),
    row("OddStatus", odd_status),
    row("OpenProgram", lower<open_program>),
    row("OtherThread", lower<other_thread>),
    row("OuterBegins", lower<outer_begins>),
    row("PartOfNothing", lower<part_of_nothing>),
    row("OutputTwice", lower<output_twice>),
    row("ProgramNotClosed", lower<program_not_closed>),
    row("ReadsAFile", lower<reads_a_file>),
    row("Recovers", lower<recovers>),
    row("Silent", silent),
    calling("TargetInAnotherCase", "aten::Relu"),
    calling("TargetInPlace", "aten::add_"),
    row("ThrowsAString", lower<throws_a_string>),
    row("ThrowsAnInt", lower<throws_an_int>),
    row("UndeclaredTarget", lower<undeclared_target>),
    row("UnknownTag", lower<unknown_tag>),
    row("UnknownTarget", lower<unknown_target>),
    row("UnpacksASize", lower<unpacks_a_size>),
    row("UnpacksASum", lower<unpacks_a_sum>),
    row("UnpacksATensor", lower<unpacks_a_tensor>),
    row("UnqualifiedTarget", lower<unqualified_target>),
    row("UnreadAttribute", lower<unread_attribute>),
    row("UnreadInput", lower<unread_input>),
    row("UsesAnEndedValue", lower<uses_an_ended_value>),
    row("UsesTheKeptCtx", lower<uses_the_kept_ctx>),
    row("UsesTheKeptValue", lower<uses_the_kept_value>),
    row("ValueOfAProgram", lower<value_of_a_program>),
    row("NumberOfAProgram", lower<number_of_a_program>),
    row("WrongArgument", lower<wrong_argument>),
    row("WrongKeyword", lower<wrong_keyword>),
};
constexpr o2fx_plugin kHostilePack =
    plugin_table("x.hostile", "1.0.0", kHostile, sizeof kHostile / sizeof kHostile[0]);

void negates(Node& n) { n.output(n.call("aten::neg", {n.input(0)})); }
std::atomic<int> running = 0;
void is_alone(Node& n) {  // it does not say O2FX_PLUGIN_CONCURRENT
  const int others = running++;
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  running--;
  if (others != 0) throw Unsupported("two lowerings ran at once");
  if (second_pack_balance != 1) throw Unsupported("init was called more than once");
  n.output(n.call("aten::neg", {n.input(0)}));
}
void lowers_its_body(Node& n) { n.outputs(n.lower(n.graph("body"), {n.input(0)})); }

constexpr o2fx_op kSecond[] = {
    row("Contested", lower<negates>),
    row("IsAlone", lower<is_alone>),
    row("KeepsAValue", lower<negates>),
    row("LowersItsBody", lower<lowers_its_body>),
};

o2fx_status count_up(const o2fx_host_api* host, o2fx_ctx ctx) {
  // A bare host offers no extension, and that must be survived.
  if (host->get_extension(ctx, "x.nothing/1")) return O2FX_E_INTERNAL;
  second_pack_balance++;
  return O2FX_OK;
}
void count_down() { second_pack_balance--; }
constexpr o2fx_plugin second() {
  o2fx_plugin p = plugin_table("x.second", "2.0.0", kSecond, sizeof kSecond / sizeof kSecond[0]);
  p.init = count_up;
  p.deinit = count_down;
  return p;
}
constexpr o2fx_plugin kSecondPack = second();

}  // namespace

int second_pack_balance = 0;
o2fx_status use_the_kept_ctx() { return relu_through(kept_host, kept_ctx, 1); }
const o2fx_plugin* hostile_pack() { return &kHostilePack; }
const o2fx_plugin* second_pack() { return &kSecondPack; }

}  // namespace onnx2fx
