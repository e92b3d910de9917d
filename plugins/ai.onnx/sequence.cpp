// Sequences. While the elements are known at conversion time a sequence is a list written in place;
// else (a sequence that enters the model, or leaves a loop) it is a Python list at run time.
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"
#include "plugins/lowering/types.hpp"

using namespace onnx2fx;

namespace {

constexpr int64_t kInPlace = 64;  // a longer split stays a run-time list

Value first_of(const Values& v) { return v[0]; }

// A position counted from the front, if known; `size` itself may be one (insertion).
std::optional<size_t> place(Node& n, Value position, size_t size, bool inserts) {
  const auto i = n.maybe_ints(position, O2FX_INTS_KNOWN_ONLY);
  if (!i || i->size() != 1 || !i->front().known()) return std::nullopt;
  const int64_t at = i->front().arg.u.i, count = static_cast<int64_t>(size);
  if (at < -count || at > count - (inserts ? 0 : 1))
    throw Invalid("position: expected a value in [" + std::to_string(-count) + ", " +
                  std::to_string(count - (inserts ? 0 : 1)) + "], got " + std::to_string(at));
  return static_cast<size_t>(at < 0 ? at + count : at);
}

Value with_element_type(Node& n, Value v, Value sequence) {
  const o2fx_value_info* elem = n.info(sequence).raw.elem;
  if (!elem || elem->kind == O2FX_KIND_UNKNOWN) return v;
  Info i;
  i.raw = *elem;
  return n.state(v, i);
}
Arg run_time_position(Node& n, Value position) {
  return position ? Arg(sizes::integer(n, position)) : Arg(nullptr);
}
Value sequence_of(Node& n, Value v, Value like) {
  const Info i = n.info(like);
  return i.raw.kind == O2FX_KIND_SEQUENCE ? n.state(v, Type(i).loosened().info()) : v;
}

void sequence_construct(Node& n) { n.output(n.list(n.inputs())); }

void sequence_empty(Node& n) {
  n.ignore("dtype");
  n.output(n.list({}));
}

void sequence_at(Node& n) {
  const Value sequence = n.input(0), position = n.input(1);
  if (const auto items = n.items(sequence))
    if (const auto at = place(n, position, items->size(), false)) return n.output((*items)[*at]);
  const Value v = n.call("operator::getitem", {sequence, sizes::integer(n, position)});
  n.output(with_element_type(n, v, sequence));
}

void sequence_insert(Node& n) {
  const Value sequence = n.input(0), element = n.input(1), position = n.maybe_input(2);
  if (auto items = n.items(sequence)) {
    const auto at =
        position ? place(n, position, items->size(), true) : std::optional(items->size());
    if (at) {
      items->insert(items->begin() + static_cast<std::ptrdiff_t>(*at), element);
      return n.output(n.list(*items));
    }
  }
  const Value r =
      n.call("onnx2fx::sequence_insert", {sequence, element, run_time_position(n, position)});
  n.output(sequence_of(n, r, sequence));
}

void sequence_erase(Node& n) {
  const Value sequence = n.input(0), position = n.maybe_input(1);
  if (auto items = n.items(sequence)) {
    if (items->empty()) throw Invalid("input_sequence: expected an element to erase, got none");
    const auto at =
        position ? place(n, position, items->size(), false) : std::optional(items->size() - 1);
    if (at) {
      items->erase(items->begin() + static_cast<std::ptrdiff_t>(*at));
      return n.output(n.list(*items));
    }
  }
  const Value r = n.call("onnx2fx::sequence_erase", {sequence, run_time_position(n, position)});
  n.output(sequence_of(n, r, sequence));
}

void sequence_length(Node& n) {
  const Value sequence = n.input(0);
  if (const auto items = n.items(sequence))
    return n.output(n.int_tensor(static_cast<int64_t>(items->size())));
  n.output(n.int_tensor(sizes::number(n.call("onnx2fx::sequence_length", {sequence}))));
}

void concat_from_sequence(Node& n) {
  const Value sequence = n.input(0);
  const char* target = n.flag("new_axis", false) ? "aten::stack" : "aten::cat";
  const int64_t axis = n.integer("axis");
  const auto items = n.items(sequence);
  if (!items) {
    const o2fx_value_info* elem = n.info(sequence).raw.elem;
    if (elem && elem->dtype == kString)
      throw Unsupported("strings in a sequence known only at run time");
    return n.output(n.call(target, {sequence, axis}));
  }
  if (items->empty()) throw Invalid("input_sequence: expected elements, got none");
  n.outputs(moved(n, *items, Elements::kPlain, [&](const Values& x) {
    return Values{n.call(target, {x, axis})};
  }));
}

// The lengths of the parts, if their number is known and moderate.
std::optional<Ints> part_lengths(Node& n, Value x, Value split, int64_t axis) {
  if (split && n.rank(split) == 1) {
    const auto lengths = n.maybe_ints(split);
    return lengths && lengths->size() <= kInPlace ? lengths : std::nullopt;
  }
  const Int extent = n.dim(x, axis), each = split ? sizes::integer(n, split) : Int(1);
  if (!extent.known() || !each.known()) return std::nullopt;
  if (each.arg.u.i <= 0)
    throw Invalid("split: expected a length above 0, got " + std::to_string(each.arg.u.i));
  Ints r;
  for (int64_t left = extent.arg.u.i; left > 0 && r.size() <= kInPlace; left -= r.back().arg.u.i)
    r.push_back(std::min(each.arg.u.i, left));
  return r.size() <= kInPlace ? std::optional(r) : std::nullopt;
}

Values parts_in_place(Node& n, Value x, const Ints& lengths, int64_t axis, bool keeps_axis) {
  if (lengths.empty()) return {};
  if (!keeps_axis) return n.calls(lengths.size(), "aten::unbind.int", {x, axis});
  return n.calls(lengths.size(), "aten::split_with_sizes", {x, lengths, axis});
}

void split_to_sequence(Node& n) {
  const Value x = n.input(0), split = n.maybe_input(1);
  const int64_t axis = n.integer("axis", 0);
  const bool keeps_axis = n.flag("keepdims", true) || split;
  const auto measure = [&](const Values& v) { return part_lengths(n, first_of(v), split, axis); };
  if (n.info(x).raw.dtype == kString || measure({x})) {
    const Values parts = moved(n, {x}, Elements::kPlain, [&](const Values& v) {
      const auto lengths = measure(v);
      if (!lengths)
        throw Unsupported("splitting strings into a number of parts known only at run time");
      return parts_in_place(n, first_of(v), *lengths, axis, keeps_axis);
    });
    return n.output(n.list(parts));
  }
  if (!keeps_axis) return n.output(n.call("aten::unbind.int", {x, axis}));
  if (split && n.rank(split) == 1)
    return n.output(n.call("aten::split_with_sizes", {x, n.ints(split), axis}));
  n.output(n.call("aten::split.Tensor", {x, split ? sizes::integer(n, split) : Int(1), axis}));
}

constexpr o2fx_op kOps[] = {
    op("ConcatFromSequence", 11, lower<concat_from_sequence>),
    op("SequenceAt", 11, lower<sequence_at>),
    op("SequenceConstruct", 11, lower<sequence_construct>),
    op("SequenceEmpty", 11, lower<sequence_empty>),
    op("SequenceErase", 11, lower<sequence_erase>),
    op("SequenceInsert", 11, lower<sequence_insert>),
    op("SequenceLength", 11, lower<sequence_length>),
    op("SplitToSequence", 11, lower<split_to_sequence>),
};

}  // namespace

const Family kSequence = family(kOps);
