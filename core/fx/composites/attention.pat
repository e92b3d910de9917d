# Attention in its decompositions. t is k with its last two axes exchanged. Of rows that a mask leaves nothing of, the
# parts give NaN where the exporter wrote no guard; the call gives 0.

attention(q, t, v, m; scale) -> aten::scaled_dot_product_attention(q, swapped(t), v, m, scale=unless_usual(scale, q))
  let p = softmax(scale * matmul(q, t) + where(m, 0, -inf), -1)
  = matmul(p | where(isnan(p), 0, p), v)
  where floating(q), rank(q) == 4, rank(t) == 4, rank(v) == 4, boolean(m)
  where size(t, 0) == size(v, 0), size(t, 1) == size(v, 1), size(t, -1) == size(v, -2)
  where fits(m, [size(v, 0), size(v, 1), size(q, -2), size(t, -1)])
  try q[2, 3, 4, 8], t[2, 3, 8, 5], v[2, 3, 5, 8], m[2, 1, 4, 5], scale = 0.4

# As PyTorch's newer exporter writes a mask of booleans: the dtype's lowest number for -inf. Of rows that are masked as a
# whole the parts give the mean, the author's own call does not.
attention(q, t, v, m; scale) -> aten::scaled_dot_product_attention(q, swapped(t), v, m, scale=unless_usual(scale, q))
  let p = softmax(scale * matmul(q, t) + where(m, 0, -3.4028234663852886e38 | -65504 | -3.3895313892515355e38), -1)
  = matmul(p | where(isnan(p), 0, p), v)
  where floating(q), rank(q) == 4, rank(t) == 4, rank(v) == 4, boolean(m), stated()
  where size(t, 0) == size(v, 0), size(t, 1) == size(v, 1), size(t, -1) == size(v, -2)
  where fits(m, [size(v, 0), size(v, 1), size(q, -2), size(t, -1)])
  try q[2, 3, 4, 8], t[2, 3, 8, 5], v[2, 3, 5, 8], m[2, 1, 4, 5], scale = 0.4

attention(q, t, v, mask?; scale) -> aten::scaled_dot_product_attention(q, swapped(t), v, mask, scale=unless_usual(scale, q))
  let p = softmax(scale * matmul(q, t) + mask?, -1)
  = matmul(p | where(isnan(p), 0, p), v)
  where floating(q), rank(q) == 4, rank(t) == 4, rank(v) == 4
  where size(t, 0) == size(v, 0), size(t, 1) == size(v, 1), size(t, -1) == size(v, -2)
  where fits(mask, [size(v, 0), size(v, 1), size(q, -2), size(t, -1)])
  try q[2, 3, 4, 8], t[2, 3, 8, 5], v[2, 3, 5, 8], mask[2, 1, 4, 5], scale = 0.4

# As F.scaled_dot_product_attention(dropout_p=...) drops, in train() only.
attention(q, t, v, m; scale, p) -> aten::scaled_dot_product_attention(q, swapped(t), v, m, in_training(p), scale=unless_usual(scale, q))
  let s = softmax(scale * matmul(q, t) + where(m, 0, -inf), -1)
  = matmul(dropout(s | where(isnan(s), 0, s), p, training), v)
  where floating(q), rank(q) == 4, rank(t) == 4, rank(v) == 4, boolean(m)
  where size(t, 0) == size(v, 0), size(t, 1) == size(v, 1), size(t, -1) == size(v, -2)
  where fits(m, [size(v, 0), size(v, 1), size(q, -2), size(t, -1)])
  try q[2, 3, 4, 8], t[2, 3, 8, 5], v[2, 3, 5, 8], m[2, 1, 4, 5], scale = 0.4, p = 0.2

attention(q, t, v, mask?; scale, p) -> aten::scaled_dot_product_attention(q, swapped(t), v, mask, in_training(p), scale=unless_usual(scale, q))
  let s = softmax(scale * matmul(q, t) + mask?, -1)
  = matmul(dropout(s | where(isnan(s), 0, s), p, training), v)
  where floating(q), rank(q) == 4, rank(t) == 4, rank(v) == 4
  where size(t, 0) == size(v, 0), size(t, 1) == size(v, 1), size(t, -1) == size(v, -2)
  where fits(mask, [size(v, 0), size(v, 1), size(q, -2), size(t, -1)])
  try q[2, 3, 4, 8], t[2, 3, 8, 5], v[2, 3, 5, 8], mask[2, 1, 4, 5], scale = 0.4, p = 0.2
