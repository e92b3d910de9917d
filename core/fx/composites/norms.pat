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
