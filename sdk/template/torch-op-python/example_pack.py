"""com.example::SoftClip as a torch operator of its own, example::soft_clip: y = limit * tanh(x / limit).
Importing this registers both; an installed distribution does so in every conversion (see pyproject.toml)."""
import torch
from onnx_to_fx import register_op, sdk


@torch.library.custom_op("example::soft_clip", mutates_args=())
def soft_clip(x: torch.Tensor, limit: float) -> torch.Tensor:
    return limit * torch.tanh(x / limit)


@soft_clip.register_fake
def _(x, limit):
    return torch.empty_like(x)


def _setup(ctx, inputs, output):
    ctx.limit = inputs[1]
    ctx.save_for_backward(output)


def _backward(ctx, gradient):
    (y,) = ctx.saved_tensors
    return gradient * (1 - (y / ctx.limit) ** 2), None


soft_clip.register_autograd(_backward, setup_context=_setup)


@register_op("SoftClip", "com.example", pack="com.example.pack", torch_targets=["example::soft_clip"])
def lower(n: sdk.Node) -> None:
    x = n.input(0)
    y = n.call("example::soft_clip", x, n.real("limit", 1.0))
    n.output(n.state(y, n.info(x)))  # neither ONNX nor the host knows the type of our operator
