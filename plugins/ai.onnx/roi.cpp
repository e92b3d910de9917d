// Regions of images: RoiAlign, MaxRoiPool. What a bin holds is the same for all of a row and all of
// a column, so that each axis is done by itself.
#include <limits>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/real.hpp"

using namespace onnx2fx;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Real column(Node& n, Value rois, int64_t i) {
  return Real::as_is(n, n.call("aten::select.int", {rois, 1, i}));
}
// 0, 1, ... along `axis` of a result of rank `rank`.
Real count(Node& n, const Int& size, Value like, int64_t rank, int64_t axis, int32_t dtype) {
  return Real::as_is(n, places(n, size, like, shape_along(axis, rank), dtype));
}
Real unsqueezed(Real r, int times) {
  for (int i = 0; i < times; i++) r = r.call("aten::unsqueeze", {-1});
  return r;
}

// ---- RoiAlign ----

struct Aligned {
  Value x, rois, batch;  // (N, C, H, W), (K, 4), (K)
  int64_t ratio;         // samples per bin along an axis; 0: as many as elements
  double scale, shift;
  bool malformed_grow;  // to one element at least
  int32_t dtype;
};

// The samples along one axis, (K, bins, most), and which of them there are.
struct Samples {
  Int most;
  Real place;    // clamped into the image
  Value exists;  // of the region's own samples
  Value inside;  // and not too far outside of the image
  Real per_bin;  // (K), at least 1
};

Int samples_of(Node& n, const Aligned& a, const Real& per_bin) {
  if (a.ratio > 0) return a.ratio;
  const Value one = n.call("aten::new_ones", {a.rois, Ints{1}});
  const Value most = n.call("aten::amax", {n.call("aten::cat", {Values{per_bin.tensor(), one}})});
  return n.integer_of(n.call("aten::to.dtype", {most, Dtype{kInt64}}));
}

Samples sampled(Node& n, const Aligned& a, int64_t start, int64_t bins, const Int& extent) {
  const Real low = column(n, a.rois, start) * a.scale - a.shift;
  Real size = column(n, a.rois, start + 2) * a.scale - a.shift - low;
  if (a.malformed_grow) size = size.call("aten::clamp_min", {1.0});
  const Real bin = size / static_cast<double>(bins);
  const Real per_bin = a.ratio > 0
                           ? Real::as_is(n, n.call("aten::full_like", {bin.tensor(), a.ratio}))
                           : bin.call("aten::ceil");
  const Int most = samples_of(n, a, per_bin);
  const Real sample = count(n, most, a.x, 3, 2, a.dtype);
  const Real divisor = per_bin.call("aten::clamp_min", {1.0});
  const Real wide_bin = unsqueezed(bin, 2);
  const Real place = unsqueezed(low, 2) + count(n, bins, a.x, 3, 1, a.dtype) * wide_bin +
                     (sample + 0.5) * wide_bin / unsqueezed(divisor, 2);
  Samples s{most,
            place.call("aten::clamp", {0, n.sub(extent, 1)}),
            n.call("aten::lt.Tensor", {sample.tensor(), unsqueezed(per_bin, 2).tensor()}),
            {},
            divisor};
  const Value near =
      n.call("aten::logical_and", {place.call("aten::ge.Scalar", {-1}).tensor(),
                                   place.call("aten::le.Scalar", {extent}).tensor()});
  s.inside = n.call("aten::logical_and", {s.exists, near});
  return s;
}

// (K, bins, extent): the share of each element in the mean of each bin.
Value shares(Node& n, const Aligned& a, const Samples& s, const Int& extent) {
  const Real distance =
      (unsqueezed(s.place, 1) - count(n, extent, a.x, 4, 3, a.dtype)).call("aten::abs");
  const Real weight = (1.0 - distance).call("aten::clamp_min", {0}) *
                      Real::as_is(n, n.call("aten::unsqueeze", {s.inside, -1}));
  return (weight.call("aten::sum.dim_IntList", {Ints{2}}) / unsqueezed(s.per_bin, 2)).tensor();
}

Value mean_of(Node& n, const Aligned& a, const Samples& rows, const Samples& columns,
              Value images) {
  const Value up = n.call("aten::unsqueeze", {shares(n, a, rows, n.dim(a.x, 2)), 1});
  const Value across = n.call("aten::unsqueeze", {shares(n, a, columns, n.dim(a.x, 3)), 1});
  const Value y = n.call("aten::matmul", {up, images});
  return n.call("aten::matmul", {y, n.call("aten::transpose.int", {across, 2, 3})});
}

// Both neighbours of each sample and their weights, (K, bins * samples * 2).
struct Corners {
  Value index, exists;
  Real weight;
};

Corners corners(Node& n, const Samples& s, const Int& extent) {
  const Real low = s.place.call("aten::floor"), rest = s.place - low;
  const Real high = (low + 1.0).call("aten::clamp_max", {n.sub(extent, 1)});
  const auto pairs = [&](const Value& a, const Value& b) {
    return n.call("aten::flatten.using_ints", {n.call("aten::stack", {Values{a, b}, -1}), 1});
  };
  const Value index = n.call("aten::to.dtype", {pairs(low.tensor(), high.tensor()), Dtype{kInt64}});
  const Value exists = n.call("aten::expand_as", {s.exists, s.inside});
  const Value inside = pairs(s.inside, s.inside);
  const Real weight = Real::as_is(n, pairs((1.0 - rest).tensor(), rest.tensor()));
  return {index, pairs(exists, exists), weight * Real::as_is(n, inside)};
}

// ONNX takes the greatest weighted neighbour, not the greatest interpolated sample.
Value max_of(Node& n, const Aligned& a, const Samples& rows, const Samples& columns, int64_t height,
             int64_t width) {
  const Corners y = corners(n, rows, n.dim(a.x, 2)), x = corners(n, columns, n.dim(a.x, 3));
  const auto at = [&](Value v, Int axis) { return n.call("aten::unsqueeze", {v, axis}); };
  const Value image = n.call("aten::permute", {a.x, Ints{0, 2, 3, 1}});
  const Value batch = at(at(a.batch, 1), 2);
  const Real read = Real::as_is(
      n, n.call("aten::index.Tensor", {image, Values{batch, at(y.index, 2), at(x.index, 1)}}));
  const Real value = read * unsqueezed(Real::as_is(n, at(y.weight.tensor(), 2)), 1) *
                     unsqueezed(Real::as_is(n, at(x.weight.tensor(), 1)), 1);
  const Value exists = n.call("aten::logical_and", {at(y.exists, 2), at(x.exists, 1)});
  const Value hidden =
      n.call("aten::where.ScalarOther", {at(exists, -1), value.tensor(), -kInfinity});
  const Ints shape{n.dim(a.rois, 0),       height,       n.mul(rows.most, 2), width,
                   n.mul(columns.most, 2), n.dim(a.x, 1)};
  Value r = n.call("aten::amax", {n.call("aten::reshape", {hidden, shape}), Ints{2, 4}});
  r = n.call("aten::masked_fill.Scalar", {r, n.call("aten::eq.Scalar", {r, -kInfinity}), 0});
  return n.call("aten::permute", {r, Ints{0, 3, 1, 2}});
}

void roi_align(Node& n) {
  const Value x = n.input(0), rois = n.input(1);
  const int32_t dtype = n.dtype(x), computed = dtype == kDouble ? kDouble : kFloat;
  const int64_t height = n.integer("output_height"), width = n.integer("output_width");
  const bool max = choice(n, "mode", {"avg", "max"}) == 1;
  const bool half = n.opset() >= 16 && choice(n, "coordinate_transformation_mode",
                                              {"half_pixel", "output_half_pixel"}) == 0;
  const Aligned a{n.cast(x, computed),
                  n.cast(rois, computed),
                  n.cast(n.input(2), kInt64),
                  n.integer("sampling_ratio"),
                  n.real("spatial_scale"),
                  half ? 0.5 : 0.0,
                  !half,
                  computed};
  const Samples rows = sampled(n, a, 1, height, n.dim(x, 2)),
                columns = sampled(n, a, 0, width, n.dim(x, 3));
  const Value y =
      max ? max_of(n, a, rows, columns, height, width)
          : mean_of(n, a, rows, columns, n.call("aten::index_select", {a.x, 0, a.batch}));
  n.output(dtype == computed ? y : n.call("aten::to.dtype", {y, Dtype{dtype}}));
}

// ---- MaxRoiPool ----

// For each bin of one axis the elements that it does not hold, (K, extent).
Values outside_bins(Node& n, Value x, Value rois, int64_t start, int64_t bins, const Int& extent) {
  const double scale = n.real("spatial_scale");
  const auto rounded = [&](int64_t i) {  // halves away from zero
    const Real r = column(n, rois, i) * scale;
    return (r + r.call("aten::sign") * 0.5).call("aten::trunc");
  };
  const Real low = rounded(start);
  const Real size = (rounded(start + 2) - low + 1.0).call("aten::clamp_min", {1.0});
  const Real bin = size / static_cast<double>(bins), place = count(n, extent, x, 2, 1, kFloat);
  Values r;
  for (int64_t i = 0; i < bins; i++) {
    const Real from = (bin * static_cast<double>(i)).call("aten::floor") + low;
    const Real to = (bin * static_cast<double>(i + 1)).call("aten::ceil") + low;
    const Value before = n.call("aten::lt.Tensor", {place.tensor(), unsqueezed(from, 1).tensor()});
    const Value after = n.call("aten::ge.Tensor", {place.tensor(), unsqueezed(to, 1).tensor()});
    r.push_back(n.call("aten::logical_or", {before, after}));
  }
  return r;
}

// The greatest along axis 2 of (K, C, extent, rest) for each bin.
Value greatest(Node& n, Value x, const Values& outside) {
  Values r;
  for (const Value& o : outside) {
    const Value mask = n.call("aten::unsqueeze", {n.call("aten::unsqueeze", {o, 1}), 3});
    const Value hidden = n.call("aten::masked_fill.Scalar", {x, mask, -kInfinity});
    r.push_back(n.call("aten::amax", {hidden, Ints{2}}));
  }
  return n.call("aten::stack", {r, 2});
}

void max_roi_pool(Node& n) {
  const Value x = n.input(0), rois = n.input(1);
  const std::vector<int64_t> pooled = n.integers("pooled_shape", {0, 0});
  if (pooled[0] < 1 || pooled[1] < 1)
    throw Invalid("attribute 'pooled_shape': expected two positive values");
  const Value batch = n.call("aten::to.dtype", {column(n, rois, 0).tensor(), Dtype{kInt64}});
  const Value wide = n.cast(rois, n.info(x).raw.dtype == kDouble ? kDouble : kFloat);
  Value y = n.call("aten::index_select", {x, 0, batch});
  y = greatest(n, y, outside_bins(n, x, wide, 2, pooled[0], n.dim(x, 2)));
  y = n.call("aten::transpose.int", {y, 2, 3});
  y = greatest(n, y, outside_bins(n, x, wide, 1, pooled[1], n.dim(x, 3)));
  y = n.call("aten::transpose.int", {y, 2, 3});
  n.output(n.call("aten::masked_fill.Scalar", {y, n.call("aten::eq.Scalar", {y, -kInfinity}), 0}));
}

constexpr o2fx_op kOps[] = {
    op("MaxRoiPool", 1, lower<max_roi_pool>),
    op("RoiAlign", 10, lower<roi_align>),
};

}  // namespace

const Family kRoi = family(kOps);
