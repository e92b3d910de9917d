#include "core/fx/output_layout.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <utility>

#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {
namespace {

constexpr std::string_view kCells[] = {"aten::gru.input", "aten::lstm.input",
                                       "aten::rnn_relu.input", "aten::rnn_tanh.input"};
constexpr std::string_view kReshaping[] = {"aten::reshape", "aten::squeeze.dim", "aten::unsqueeze",
                                           "aten::view"};

template <size_t N>
bool among(const std::string_view (&all)[N], std::string_view target) {
  return std::ranges::find(all, target) != std::end(all);
}

std::optional<int64_t> number(const std::string& size) {
  int64_t value = 0;
  const char* end = size.data() + size.size();
  const auto [at, error] = std::from_chars(size.data(), end, value);
  return error == std::errc() && at == end ? std::optional(value) : std::nullopt;
}

}  // namespace

bool is_recurrent(std::string_view target) { return among(kCells, target); }

std::optional<bool> in_one_module(const Node& a, const Node& b) {
  if (!a.onnx || !b.onnx) return {};
  const auto x = frames(*a.onnx), y = frames(*b.onnx);
  if (!x || !y) return {};
  return !x->empty() && std::ranges::equal(*x, *y, {}, &Frame::path, &Frame::path);
}

std::optional<OutputLayout> OutputLayout::of(const TypeText& outputs, int64_t directions) {
  if (!outputs.shape || outputs.shape->size() != 3 || directions < 1) return {};
  const Shape& s = *outputs.shape;
  const std::optional<int64_t> features = number(s[2]);
  if (!features || *features % directions || std::ranges::find(s, "?") != s.end()) return {};
  OutputLayout layout;
  layout.outputs_ = layout.shape_ = s;
  const auto axis = [](std::initializer_list<Atom> atoms) {
    Axis kept;
    std::ranges::copy_if(atoms, std::back_inserter(kept),
                         [](const Atom& a) { return a.size != "1"; });
    return kept;
  };
  layout.axes_ = {
      axis({{'T', s[0]}}), axis({{'N', s[1]}}),
      axis({{'D', std::to_string(directions)}, {'H', std::to_string(*features / directions)}})};
  return layout;
}

bool OutputLayout::follow(const Node& view) {
  if (!view.type.shape || view.args.empty()) return false;
  const bool followed = among(kReshaping, view.target) ? regroup(*view.type.shape) : permute(view);
  shape_ = *view.type.shape;
  return followed;
}

bool OutputLayout::permute(const Node& view) {
  std::vector<size_t> from(axes_.size());
  std::iota(from.begin(), from.end(), 0);
  const auto axis = [&](const Argument& a) {
    const int64_t* i = a.as<int64_t>();
    const auto rank = static_cast<int64_t>(axes_.size());
    return i && -rank <= *i && *i < rank ? static_cast<size_t>((*i + rank) % rank) : axes_.size();
  };
  if (view.target == "aten::transpose.int" && view.args.size() == 3) {
    const size_t a = axis(view.args[1]), b = axis(view.args[2]);
    if (std::max(a, b) >= axes_.size()) return false;
    std::swap(from[a], from[b]);
  } else if (view.target == "aten::permute" && view.args.size() == 2) {
    const List* order = view.args[1].as<List>();
    if (!order || order->size() != axes_.size()) return false;
    std::ranges::transform(*order, from.begin(), axis);
    if (std::ranges::max(from) >= axes_.size()) return false;
  } else {
    return false;
  }
  std::vector<Axis> axes(from.size());
  std::ranges::transform(from, axes.begin(), [&](size_t i) { return axes_[i]; });
  axes_ = std::move(axes);
  return true;
}

/// The elements keep their order: each size of the new shape is an atom, or a product of numbers.
bool OutputLayout::regroup(const Shape& shape) {
  Axis flat;
  for (Axis& a : axes_) std::ranges::move(a, std::back_inserter(flat));
  axes_.clear();
  auto at = flat.begin();
  for (const std::string& size : shape) {
    Axis axis;
    if (at != flat.end() && at->size == size) {
      axis.push_back(std::move(*at++));
    } else {
      for (int64_t left = number(size).value_or(0); left != 1; axis.push_back(std::move(*at++))) {
        const int64_t next = at == flat.end() ? 0 : number(at->size).value_or(0);
        if (left == 0 || next == 0 || left % next) return false;
        left /= next;
      }
    }
    axes_.push_back(std::move(axis));
  }
  return at == flat.end();
}

bool OutputLayout::lies_as(std::string_view order, const Shape& shape) const {
  size_t last = 0;
  for (const Axis& axis : axes_)
    for (const Atom& atom : axis) {
      const size_t place = order.find(atom.name);
      if (place < last) return false;
      last = place;
    }
  return shape_ == shape;
}

bool OutputLayout::is_whole() const { return lies_as("TNDH", outputs_); }
bool OutputLayout::is_batch_first() const {
  return lies_as("NTDH", {outputs_[1], outputs_[0], outputs_[2]});
}

}  // namespace onnx2fx::fx
