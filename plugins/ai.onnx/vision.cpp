// Images: GridSample, AffineGrid, Col2Im, ImageDecoder.
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;

namespace {

// ---- GridSample ----

void grid_sample(Node& n) {
  Value x = n.input(0), grid = n.input(1);
  static constexpr int64_t kModes[] = {0, 1, 2, 0, 2};  // ATen's
  const int64_t mode =
      kModes[choice(n, "mode", {"linear", "nearest", "cubic", "bilinear", "bicubic"})];
  const auto padding =
      static_cast<int64_t>(choice(n, "padding_mode", {"zeros", "border", "reflection"}));
  const bool align_corners = n.flag("align_corners");
  const int32_t rank = n.rank(x, 3), dtype = n.dtype(x);
  if (rank > 5) throw Unsupported("input 'X': expected 1 to 3 spatial axes");
  if (mode == 2 && rank == 5)
    throw Unsupported(
        "attribute 'mode': expected linear or nearest over 3 spatial axes, got cubic");
  if (dtype == kString || is_complex(dtype) || dtype == kInt64 || dtype == kUint64)
    throw Unsupported("input 'X': expected elements that a double holds exactly");
  const bool wide =
      dtype == kDouble || dtype == kInt32 || dtype == kUint32 || n.info(grid).raw.dtype == kDouble;
  const int32_t computed = wide ? kDouble : kFloat;
  x = n.cast(x, computed);
  grid = n.cast(grid, computed);
  if (rank == 3) {  // an image of one row, read at its height
    x = n.call("aten::unsqueeze", {x, 2});
    grid = n.call("aten::cat", {Values{grid, n.call("aten::zeros_like", {grid})}, -1});
    grid = n.call("aten::unsqueeze", {grid, 1});
  }
  Value y = n.call("aten::grid_sampler", {x, grid, mode, padding, align_corners});
  if (rank == 3) y = n.call("aten::squeeze.dim", {y, 2});
  n.output(dtype == computed ? y : n.call("aten::to.dtype", {y, Dtype{dtype}}));
}

void affine_grid(Node& n) {
  const Value theta = n.input(0);
  n.output(
      n.call("aten::affine_grid_generator", {theta, n.ints(n.input(1)), n.flag("align_corners")}));
}

// ---- Col2Im ----

struct Blocks {
  Ints image, block;
  std::vector<int64_t> strides, dilations, pads;
};

Blocks read_blocks(Node& n) {
  Blocks b{n.ints(n.input(1)), n.ints(n.input(2)), {}, {}, {}};
  const size_t axes = b.image.size();
  if (b.block.size() != axes)
    throw Invalid("input 'block_shape': expected " + std::to_string(axes) + " values, got " +
                  std::to_string(b.block.size()));
  b.strides = n.integers("strides", std::vector<int64_t>(axes, 1));
  b.dilations = n.integers("dilations", std::vector<int64_t>(axes, 1));
  b.pads = n.integers("pads", std::vector<int64_t>(2 * axes, 0));
  return b;
}

Value columns_2d(Node& n, Value x, const Blocks& b) {
  if (b.image.size() != 2 || !b.block[0].known() || !b.block[1].known()) return {};
  if (b.pads[0] != b.pads[2] || b.pads[1] != b.pads[3]) return {};
  return n.call("aten::col2im",
                {x, b.image, b.block, b.dilations, std::vector{b.pads[0], b.pads[1]}, b.strides});
}

// Where in the flat, padded image each tap (first axes) of each block (last axes) lands.
Value landing(Node& n, Value x, const Blocks& b, const Ints& padded) {
  const size_t axes = padded.size();
  Value place;
  Int step = 1;
  for (size_t i = axes; i-- > 0;) {
    const Int span = n.add(n.mul(n.sub(b.block[i], 1), b.dilations[i]), 1);
    const Int blocks = n.add(n.floordiv(n.sub(padded[i], span), b.strides[i]), 1);
    for (const bool tap : {true, false}) {
      Value v = arange(n, tap ? b.block[i] : blocks, x);
      v = n.call("aten::mul.Scalar", {v, n.mul(step, tap ? b.dilations[i] : b.strides[i])});
      v = along(n, v, static_cast<int64_t>(tap ? i : axes + i), static_cast<int64_t>(2 * axes));
      place = place ? n.call("aten::add.Tensor", {place, v}) : v;
    }
    step = n.mul(step, padded[i]);
  }
  return n.call("aten::reshape", {place, Ints{-1}});
}

void col2im(Node& n) {
  const Value x = n.input(0);
  const Blocks b = read_blocks(n);
  if (const Value y = columns_2d(n, x, b)) return n.output(y);
  const size_t axes = b.image.size();
  Ints whole, begin, end;
  for (size_t i = 0; i < axes; i++) {
    whole.push_back(n.add(b.image[i], b.pads[i] + b.pads[axes + i]));
    begin.push_back(-b.pads[i]);
    end.push_back(-b.pads[axes + i]);
  }
  const Int batch = n.dim(x, 0), channels = n.floordiv(n.dim(x, 1), n.product(b.block));
  const Value index = landing(n, x, b, whole);
  const Value zeros = n.call("aten::new_zeros", {x, Ints{batch, channels, n.product(whole)}});
  const Value source = n.call("aten::reshape", {x, Ints{batch, channels, -1}});
  Value y = n.call("aten::index_add", {zeros, 2, index, source});
  Ints shape{batch, channels};
  shape.insert(shape.end(), whole.begin(), whole.end());
  n.output(padded(n, n.call("aten::reshape", {y, shape}), {begin, end}));
}

void image_decoder(Node& n) {
  const std::string format = one_of(n, "pixel_format", {"RGB", "BGR", "Grayscale"});
  n.output(n.call("onnx2fx::image_decoder", {n.input(0), format.c_str()}));
}

constexpr o2fx_op kOps[] = {
    op("AffineGrid", 20, lower<affine_grid>),
    op("Col2Im", 18, lower<col2im>),
    op("GridSample", 16, lower<grid_sample>),
    op("ImageDecoder", 20, lower<image_decoder>),
};

}  // namespace

const Family kVision = family(kOps);
