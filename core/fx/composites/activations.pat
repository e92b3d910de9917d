# torch.nn.functional's activations from arithmetic.

gelu(x) -> aten::gelu(x)
  = 0.5 * x * (1 + erf(x / 1.4142135623730951))
  where floating(x)
  try x[2, 3, 8]

gelu_tanh(x) -> aten::gelu(x, approximate="tanh")
  = 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x ** 3)))
  where floating(x)
  try x[2, 3, 8]

silu(x) -> aten::silu(x)
  = x * sigmoid(x)
  where floating(x)
  try x[2, 3, 8]

mish(x) -> aten::mish(x)
  = x * tanh(softplus(x))
  where floating(x)
  try x[2, 3, 8]

hardswish(x) -> aten::hardswish(x)
  = x * hardsigmoid(x)
  = x * clamp(x + 3, 0, 6) / 6
  = x * relu6(x + 3) / 6
  = x * clamp(x / 6 + 0.5, 0, 1)
  where floating(x)
  try x[2, 3, 8]

hardsigmoid(x) -> aten::hardsigmoid(x)
  = clamp(x + 3, 0, 6) / 6
  = relu6(x + 3) / 6
  = clamp(x / 6 + 0.5, 0, 1)
  where floating(x)
  try x[2, 3, 8]

rsqrt(x) -> aten::rsqrt(x)
  = 1 / sqrt(x)
  where floating(x)
  try x[2, 3, 8]
