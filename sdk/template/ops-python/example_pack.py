"""Two operators of the domain com.example, one decomposed into ATen, one a constant. Importing this registers them;
an installed distribution does so in every conversion (see pyproject.toml)."""
import numpy as np
from onnx_to_fx import register_op, sdk

DOMAIN, PACK = "com.example", "com.example.pack"


@register_op("ScaledTanh", DOMAIN, pack=PACK)
def scaled_tanh(n: sdk.Node) -> None:
    """y = alpha * tanh(beta * x). Trains and exports like anything made of ATen."""
    scaled = n.call("aten::mul.Scalar", n.input(0), n.real("beta", 1.0))
    n.output(n.call("aten::mul.Scalar", n.call("aten::tanh", scaled), n.real("alpha", 1.0)))


@register_op("Ramp", DOMAIN, pack=PACK)
def ramp(n: sdk.Node) -> None:
    """0, 1, ... length - 1, made at conversion time."""
    length = n.integer("length")
    if length < 1:
        raise sdk.Invalid(f"attribute 'length': expected at least 1, got {length}")
    n.output(n.constant("ramp", np.arange(length, dtype=np.float32)))
