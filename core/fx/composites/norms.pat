# Normalisations from arithmetic.

layer_norm(x, w?, b?; eps) -> aten::layer_norm(x, [size(x, -1)], w, b, eps)
  let c = x - mean(x, [-1], true)
  = c / sqrt(mean(c ** 2, [-1], true) + eps) * w? + b?
  where floating(x), 0 < eps, eps < 0.1, shape(w) == [size(x, -1)], shape(b) == [size(x, -1)]
  try x[2, 3, 8], w[8], b[8], eps = 0.01

# Only where the exporter says so: PyTorch's older one has no rms_norm, so that these are the author's own calls.
rms_norm(x, w?; eps) -> aten::rms_norm(x, [size(x, -1)], w, eps)
  = x / sqrt(mean(x ** 2, [-1], true) + eps) * w?
  where floating(x), 0 < eps, eps < 0.1, shape(w) == [size(x, -1)], stated()
  try x[2, 3, 8], w[8], eps = 0.01

# As exporters before opset 21 write it: normalised over groups as instance_norm does it, scaled by channel.
group_norm(x, w, b; groups, eps) -> aten::group_norm(x, groups, flat(w), flat(b), eps)
  let r = reshape(x, [size(x, 0), groups, -1])
  let z = reshape(instance_norm(r, full([groups], 1), full([groups], 0), none, none, true, 0.1, eps, true), shape(x))
  = z * w + b
  where floating(x), size(r, 0) == size(x, 0), divides(groups, size(x, 1)), shape(z) == shape(x)
  where per_channel(w, x), per_channel(b, x)
  try x[2, 8, 3, 3], w[8, 1, 1], b[8, 1, 1], groups = 4, eps = 0.01

group_norm(x; groups, eps) -> aten::group_norm(x, groups, none, none, eps)
  let r = reshape(x, [size(x, 0), groups, -1])
  let z = reshape(instance_norm(r, full([groups], 1), full([groups], 0), none, none, true, 0.1, eps, true), shape(x))
  = z
  where floating(x), size(r, 0) == size(x, 0), divides(groups, size(x, 1)), shape(z) == shape(x)
  try x[2, 8, 3, 3], groups = 4, eps = 0.01
