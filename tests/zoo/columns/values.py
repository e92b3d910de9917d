"""Numbers, names and roles: what every original holds by itself."""

from __future__ import annotations

import collections

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..compare import Wrong, gradients_of, listed, require_equal, require_gradients
from ..inputs import ANOTHER, TRACED
from ..subject import Converted
from . import Skip, column


@column("eval", "other size", own=True, quick=True)
def outputs(s: Converted):
    """Equal outputs in eval mode, at the traced size and at another."""
    module = s.module()
    for size in (TRACED, ANOTHER):
        if size not in s.sizes:
            raise Skip("the file is of one size")
        with torch.no_grad():
            require_equal(module(*s.args(size)), s.truth(size))
        yield


def matched(s: Converted, module: torch.nn.Module) -> tuple[dict[str, tuple[str, bool]], list[str]]:
    """(of each of the original's parameters that the file holds: the module's name, and whether it lies
    transposed there; those not found). By value, under the same name first; else by name and shape."""
    ours = dict(module.named_parameters(remove_duplicate=False))
    found, missing = {}, []
    for name, p in s.original.named_parameters(remove_duplicate=False):
        if not s.holds(name):
            continue
        names = [name, *ours] if name in ours else list(ours)
        other = next(((n, turned) for n in names for turned in (False, True) if _same(p, ours[n], turned)), None)
        if other is None and name in ours and ours[name].shape == p.shape:
            other = name, False
        if other is None:
            missing.append(name)
        else:
            found[name] = other
    return found, missing


def _same(p: torch.Tensor, q: torch.Tensor, turned: bool) -> bool:
    q = turned_as(q, turned)
    return p.shape == q.shape and torch.equal(p, q)


def turned_as(tensor: torch.Tensor, turned: bool) -> torch.Tensor:
    return tensor.T if turned and tensor.dim() == 2 else tensor


@column("gradients", "names", own=True, quick=True)
def gradients(s: Converted):
    """The gradient of every parameter that the file holds, then: each under its own name."""
    module = s.module()
    found, missing = matched(s, module)
    got, want = gradients_of(module, s.args()), gradients_of(s.original, s.model_args())
    ours = {n: g if (g := got[o]) is None else turned_as(g, t) for n, (o, t) in found.items()}
    # whether a parameter is frozen is in no file
    require_gradients(ours, {n: want[n] for n in found if s.original.get_parameter(n).requires_grad})
    if missing:
        raise Wrong("no parameter for weights of the file", f"{len(missing)}: {listed(missing)}")
    total = len(list(s.original.named_parameters(remove_duplicate=False)))
    yield f"{total - len(found)} of {total} not in the file" if total > len(found) else None
    wrong = [f"{n} is {o}" for n, (o, _) in found.items() if n != o]
    s.shares["parameters by name"] = len(found) - len(wrong), len(found)
    if wrong:
        raise Wrong("parameters under another name", f"{len(wrong)} of {len(found)}: {listed(wrong)}")
    if turned := [n for n, (_, t) in found.items() if t]:
        raise Wrong("parameters transposed", f"{len(turned)} of {len(found)}: {listed(turned)}")
    yield


_FOLDED = ("weight", "bias")  # the names of what an exporter made of two weights or more


def _among(tensor: torch.Tensor, ordered: torch.Tensor) -> bool:
    flat = tensor.detach().flatten()
    at = torch.searchsorted(ordered, flat).clamp_max(len(ordered) - 1)
    return bool((ordered[at] == flat).all())


@column("roles", own=True, quick=True)
def roles(s: Converted):
    """Nothing is trained but what the original trains; tied weights are one."""
    module = s.module()
    theirs = dict(s.original.named_parameters(remove_duplicate=False))
    folded = any(not s.holds(n) for n in theirs)
    values = torch.cat([p.detach().flatten() for p in theirs.values()]).sort().values
    foreign = []
    for name, p in module.named_parameters():
        if name not in theirs and not _among(p, values) and not (folded and name.endswith(_FOLDED)):
            foreign.append(name)
    if foreign:
        raise Wrong("trains what is no parameter", listed(foreign))
    found, _ = matched(s, module)
    ours, first = dict(module.named_parameters(remove_duplicate=False)), {}
    for name, p in theirs.items():
        if name in found and ours[first.setdefault(id(p), found[name][0])] is not ours[found[name][0]]:
            raise Wrong("tied weights are untied", name)


def scrambled(module: torch.nn.Module) -> torch.nn.Module:
    """With other numbers in everything that its state dict holds."""
    with torch.no_grad():
        for t in module.state_dict().values():
            if t.is_floating_point():
                t.copy_(torch.rand(t.shape, generator=torch.Generator().manual_seed(3)))
    return module


@column("strict load", own=True, quick=True)
def strict_load(s: Converted):
    """The original's state dict into other weights: all that the file holds, and no key besides."""
    module, state = s.module(), s.original.state_dict()
    ours_were = {k: t.clone() for k, t in module.state_dict().items()}
    ours = scrambled(module).state_dict()
    shapes = [k for k in state if k in ours and ours[k].shape != state[k].shape]
    if shapes:
        raise Wrong("state dict: other shapes", listed(shapes))
    result = module.load_state_dict(state, strict=False)
    absent = [k for k in state if not s.holds(k) and state[k].is_floating_point()]
    made = [k for k in result.missing_keys if absent and k.endswith(_FOLDED) and not s.of_original(ours_were[k])]
    if extra := [k for k in result.missing_keys if k not in made]:
        raise Wrong("state dict: keys that the original lacks", f"{len(extra)}: {listed(extra)}")
    if lost := [k for k in result.unexpected_keys if s.holds(k)]:
        raise Wrong("state dict: keys of weights of the file are missing", f"{len(lost)}: {listed(lost)}")
    if absent:
        return f"{len(absent)} of {len(state)} not in the file: {listed(absent, 2)}"
    with torch.no_grad():
        require_equal(module(*s.args()), s.truth(), "outputs after the load")
    return None


_COMPUTE = (
    "mm addmm bmm baddbmm convolution mkldnn_rnn_layer lstm gru _thnn_fused_lstm_cell native_layer_norm native_group_norm "
    "native_batch_norm _native_batch_norm_legit cudnn_batch_norm _fused_rms_norm _softmax _log_softmax embedding "
    "_scaled_dot_product_flash_attention_for_cpu gelu silu relu elu hardswish hardsigmoid leaky_relu tanh sigmoid erf "
    "max_pool2d_with_indices avg_pool2d mean _adaptive_avg_pool2d upsample_bilinear2d upsample_nearest2d topk "
    "sort cumsum _grouped_mm fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask pow rsqrt"
).split()


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: collections.Counter[str] = collections.Counter()
        self.closed = False  # an operator of the model's own was called: what it calls does not show

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        space, name = function._schema.name.split("::")
        self.closed |= space not in ("aten", "prims")
        result = function(*args, **(kwargs or {}))
        resized = not name.startswith("upsample") or result.shape != args[0].shape  # else no exporter writes it
        name = name.rstrip("_")
        if name in _COMPUTE and resized:
            self.calls[_SAME.get(name, name)] += 1
        return result


def calls_of(module: torch.nn.Module, args: tuple) -> _Counter:
    with torch.no_grad(), _Counter() as counter:
        module(*args)
    return counter


# linear calls the one or the other, by the strides of what it is given.
_SAME = {"addmm": "mm"}

# What the older exporter does not tell from its parts, or from another call.
_ONE_OR_ITS_PARTS = [
    {"sort": 1, "topk": -1},
    {"_scaled_dot_product_flash_attention_for_cpu": 1, "_softmax": -1, "bmm": -2},
    {"gelu": 1, "tanh": -1, "pow": -1},
]


# The call that an FX node is named after makes.
_FX_NAMES = {"linear": "mm", "matmul": "mm", "conv2d": "convolution"}


def _less_composites(difference: dict[str, int]) -> dict[str, int]:
    left = dict(difference)
    for change in _ONE_OR_ITS_PARTS:
        times = min(max(left.get(c, 0) * n, 0) for c, n in change.items() if abs(n) == 1)
        left = {c: n - times * change.get(c, 0) for c, n in left.items()}
    return {c: n for c, n in left.items() if n}


@column("calls", own=True, quick=True)
def compute_calls(s: Converted):
    """As many of each computing ATen call as the original's."""
    ours, theirs = calls_of(s.module(), s.args()), calls_of(s.original, s.model_args())
    got, want = ours.calls, theirs.calls
    for name in ("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit"):
        if s.folded_batch_norms():
            got.pop(name, None), want.pop(name, None)
    for name, count in s.calls_left_out.items():
        name = _FX_NAMES.get(name, name)
        if want[name] > got[name]:
            want[name] -= min(count, want[name] - got[name])
    more, less = got - want, want - got
    s.shares["compute calls"] = want.total() - less.total(), want.total()
    difference = {c: got[c] - want[c] for c in got | want}
    if (more or less) and s.form in ("legacy", "preserve") and not _less_composites(difference):
        return "one call where the author wrote its parts: the file does not tell them apart"
    if more and not less and theirs.closed:
        return f"{listed(more)} in an operator of the model's own"
    if more or less:
        text = [f"{n} {c} more" for n, c in more.items()] + [f"{n} {c} fewer" for n, c in less.items()]
        raise Wrong("other compute calls", ", ".join(sorted(text)))
