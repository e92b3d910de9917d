"""Modules without weights: on the meta device, or made of FakeTensors."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import re
from typing import TYPE_CHECKING, Any, Iterator, Mapping

import torch
from torch import fx, nn

from .modules import is_transient
from .older_torch import lacks
from .targets import dtype_of
from .vocabulary import WEIGHT_MODES

if TYPE_CHECKING:
    from torch._subclasses.fake_tensor import FakeTensorMode

_chosen: contextvars.ContextVar[str | None] = contextvars.ContextVar("weightless", default=None)


@contextlib.contextmanager
def weightless_onnx_loader(*, fake: bool = False) -> Iterator[None]:
    """Inside, ``convert_onnx_to_fx`` takes no weights: the same as weights="meta" ("fake").

    It may be nested, the innermost decides, and holds in the thread or task that entered it only.
    """
    token = _chosen.set("fake" if fake else "meta")
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_weights(weights: str | None) -> str:
    """What `weights` means here: None is the surrounding weightless_onnx_loader, an active
    FakeTensorMode, else "reference"."""
    around = _chosen.get()
    if weights is None:
        return around or ("fake" if _active_fake_mode() else "reference")
    if around and weights in WEIGHT_MODES and weights != "meta":
        raise ValueError(
            "weights: expected 'meta' or 'fake' inside weightless_onnx_loader, "
            f"got {weights!r}; leave it out there, or convert outside"
        )
    return weights


def _active_fake_mode() -> FakeTensorMode | None:
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE)


def new_fake_mode() -> FakeTensorMode:
    """The active FakeTensorMode, else a new one with symbolic shapes."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    return _active_fake_mode() or FakeTensorMode(shape_env=ShapeEnv())


def outside_fake_mode() -> contextlib.AbstractContextManager[Any]:
    """Inside, tensors are real although a FakeTensorMode is active around."""
    if _active_fake_mode() is None:
        return contextlib.nullcontext()
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    return unset_fake_temporarily()


def fake_mode(module: fx.GraphModule) -> FakeTensorMode:
    """The FakeTensorMode of a module that was made with weights="fake".

    Run the module with it active: ``with fake_mode(module): module(*example_inputs(module))``.
    """
    mode = module.meta.get("onnx2fx", {}).get("fake_mode")
    if mode is None:
        raise ValueError('module: expected one made with weights="fake", got another')
    return mode


def is_absent(tensor: torch.Tensor) -> bool:
    """Whether it has shape and dtype but no values: on the meta device, or a FakeTensor."""
    return tensor.is_meta or _is_fake(tensor)


def _is_fake(tensor: torch.Tensor) -> bool:
    return getattr(tensor, "fake_mode", None) is not None


# ---- constants of the graph, which are no weights


def read_as_numbers(document: Mapping[str, Any]) -> set[str]:
    """Paths of the tensors whose elements the graph turns into Python numbers: they stay real."""
    found: set[str] = set()
    for program in document["programs"]:
        found |= _read_as_numbers(document, {n["name"]: n for n in program["nodes"]})
    return found


def _read_as_numbers(document: Mapping[str, Any], nodes: Mapping[str, Any]) -> set[str]:
    found = set()
    for node in nodes.values():
        if node.get("target") not in ("aten::_local_scalar_dense", "torch.Tensor::item"):
            continue
        while node["op"] == "call_function" and isinstance(node["args"][0], dict):
            node = nodes[node["args"][0]["node"]]  # through reshape, select
        if node["op"] == "get_attr":
            found.add(document["tensors"][node["tensor"]]["path"])
    return found


def with_value(value: torch.Tensor, mode: FakeTensorMode | None) -> torch.Tensor:
    """The tensor itself, or (with a mode) a FakeTensor whose elements can still be read."""
    if mode is None:
        return value
    return mode.fake_tensor_converter.from_real_tensor(mode, value, make_constant=True)


def keep_constants(module: fx.GraphModule, values: Mapping[str, torch.Tensor]) -> None:
    """Notes, by path, what restore_constants brings back."""
    module.meta["onnx2fx"]["constants"] = dict(values)
    module.register_load_state_dict_post_hook(_after_load)


def _after_load(module: fx.GraphModule, _: Any) -> None:
    restore_constants(module, transient=True)


def restore_constants(module: fx.GraphModule, *, transient: bool = False) -> None:
    """Gives a weightless module whose weights have come (bound, loaded) all that is no weight.

    Constants of the graph get their values, on the device of the weights; counters of batches
    start at zero. What has a value keeps it; but with `transient` not the constants that no state
    dict holds, as after to_empty they are anything. Does nothing while a weight is absent: a graph
    on two devices cannot be run.
    """
    summary = module.meta.get("onnx2fx", {})
    if "constants" not in summary:
        return
    constants, counters = summary["constants"], _counters(module)
    weights = [
        tensor
        for path, tensor in (*module.named_parameters(), *module.named_buffers())
        if path not in constants and path not in counters
    ]
    if any(is_absent(w) for w in weights):
        return
    device = weights[0].device if weights else torch.device("cpu")
    transposed = {t["path"] for t in summary["tensors"] if t["transposed"]}
    for path, value in constants.items():
        owner, _, name = path.rpartition(".")
        owner = module.get_submodule(owner)
        stale = transient and is_transient(owner, name)
        if not (stale or is_absent(getattr(owner, name))):
            continue
        _set(module, path, (value.t() if path in transposed else value).to(device, copy=True))
    for path, counter in counters.items():
        if is_absent(counter):
            _set(module, path, torch.zeros((), dtype=torch.int64, device=device))


def _counters(module: nn.Module) -> dict[str, torch.Tensor]:
    """torch's own counters of batches, which no ONNX model has."""
    return {
        path: tensor
        for path, tensor in module.named_buffers()
        if path.rpartition(".")[2] == "num_batches_tracked"
    }


def _set(module: nn.Module, path: str, value: torch.Tensor) -> None:
    parent, _, name = path.rpartition(".")
    owner = module.get_submodule(parent)
    if isinstance(getattr(owner, name), nn.Parameter):
        value = nn.Parameter(value, requires_grad=False)
    setattr(owner, name, value)


# ---- load_state_dict


def keep_tied(
    module: nn.Module,
    state_dict: dict[str, Any],
    prefix: str,
    local_metadata: Mapping[str, Any],
    strict: bool,
    missing_keys: list[str],
    unexpected_keys: list[str],
    error_msgs: list[str],
) -> None:
    """Hook before load_state_dict: with ``assign=True`` tied parameters stay one parameter.

    torch makes a Parameter of each key, unless the state dict holds one: so it gets one, under
    every key of the tied parameter. A key that it lacks is reported as missing all the same.
    Values that differ are an error.
    """
    if not local_metadata.get("assign_to_params_buffers", False):
        return
    tied: dict[int, list[str]] = {}
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for path, parameter in parameters.items():
        tied.setdefault(id(parameter), []).append(path)
    for paths in tied.values():
        given = [p for p in paths if isinstance(state_dict.get(prefix + p), torch.Tensor)]
        if len(paths) == 1 or not given:
            continue
        first, parameter = state_dict[prefix + given[0]], parameters[paths[0]]
        others = [p for p in given[1:] if not _same_values(state_dict[prefix + p], first)]
        if others or first.shape != parameter.shape:
            error_msgs += [
                f"{prefix + p} is tied to {prefix + given[0]}: expected the same values, got others"
                for p in others
            ]
            continue
        if not isinstance(first, nn.Parameter):
            first = nn.Parameter(first, requires_grad=parameter.requires_grad)
        missing_keys += [prefix + p for p in paths if p not in given]
        state_dict.update((prefix + p, first) for p in paths)


def _same_values(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a is b or (a.data_ptr() == b.data_ptr() and a.stride() == b.stride()):
        return True
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)


# ---- inputs for torch.export


def dynamic_shapes(
    module: fx.GraphModule,
    *,
    min: int | Mapping[str, int] | None = None,
    max: int | Mapping[str, int] | None = None,
) -> dict[str, dict[int, Any]]:
    """The symbolic dimensions of the model, as torch.export.export(dynamic_shapes=) wants them.

    By input: axis -> Dim.DYNAMIC, so torch finds which are equal, and refuses a model that works
    at one size only. What the model fixes is not mentioned.

    Args:
      min, max: bounds, of all dimensions or by name. Those that stand in the file, which PyTorch's
        exporter was given, hold where neither says otherwise; what plans memory ahead, as
        ExecuTorch does, needs a max. torch 2.6 takes none: those of the file are left out there.
    Raises:
      PackageError: torch 2.6 was given bounds.
      ValueError: a name is of no dimension, or a min is above its max.
    """
    low, high = bounds_of(module, min, max)

    if not callable(torch.export.Dim.DYNAMIC):
        if min is not None or max is not None:
            raise lacks("dynamic_shapes: min and max", "2.7")
        low, high = {}, {}

    def dim(name: str) -> Any:
        bounds = {k: v[name] for k, v in (("min", low), ("max", high)) if name in v}
        return torch.export.Dim.DYNAMIC(**bounds) if bounds else torch.export.Dim.DYNAMIC

    return {
        port["name"]: {
            axis: dim(size)
            for axis, size in enumerate(port.get("shape") or ())
            if isinstance(size, str)
        }
        for port in _inputs(module)
    }


def bounds_of(
    module: fx.GraphModule, min: int | Mapping[str, int] | None, max: int | Mapping[str, int] | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Of the symbolic dimensions that have some, by name: see dynamic_shapes."""
    named = _dimensions(module)
    stated = _stated_ranges(module)
    low = {**{n: r[0] for n, r in stated.items() if r[0] is not None}, **_by_name("min", min, named)}
    high = {**{n: r[1] for n, r in stated.items() if r[1] is not None}, **_by_name("max", max, named)}
    for name in low.keys() & high.keys():
        if low[name] > high[name]:
            raise ValueError(
                f"dimension {name!r}: expected a min of at most max, got {low[name]} and {high[name]}"
            )
    return low, high


def _by_name(what: str, given: int | Mapping[str, int] | None, named: set[str]) -> dict[str, int]:
    if given is None or isinstance(given, int):
        return {} if given is None else dict.fromkeys(named, given)
    _require_known(what, given, named)
    return dict(given)


def _dimensions(module: fx.GraphModule) -> set[str]:
    """The names of the symbolic ones."""
    return {d for port in _inputs(module) for d in port.get("shape") or () if isinstance(d, str)}


def _require_known(what: str, given: Mapping[str, int], named: set[str]) -> None:
    if unknown := sorted(given.keys() - named):
        raise ValueError(f"{what}: expected names of {sorted(named)}, got {unknown}")


_RANGE = re.compile(r"(\w+): VR\[(\d+), (\d+|int_oo|oo)\]")


def _stated_ranges(module: fx.GraphModule) -> dict[str, tuple[int | None, int | None]]:
    """Of dimensions, by name, as PyTorch's exporter writes them into the file."""
    text = module.meta["onnx2fx"]["metadata"].get(
        "graph.pkg.torch.export.ExportedProgram.range_constraints", ""
    )
    return {
        # 0 and 1 are what torch itself starts from
        name: (int(low) if int(low) > 1 else None, None if high.endswith("oo") else int(high))
        for name, low, high in _RANGE.findall(text)
    }


def example_inputs(
    module: fx.GraphModule, sizes: Mapping[str, int] | None = None
) -> tuple[torch.Tensor, ...]:
    """One tensor for each input: where the weights are (meta, fake, or a device, then of zeros).

    Args:
      sizes: of symbolic dimensions, by name; others get small sizes, unequal for unequal names:
        multiples of 32 from 64 on where convolutions may run along them.
    Raises:
      ValueError: an input is no tensor of known dtype and rank, or `sizes` names no dimension.
    """
    names = _dimensions(module)
    sizes = sizes or {}
    _require_known("sizes", sizes, names)
    spatial = {d for port in _inputs(module) for d in _spatial(port)}
    small, large = (
        (n for n in numbers if n not in sizes.values())
        for numbers in (itertools.count(4), itertools.count(64, 32))
    )
    known = {
        name: sizes[name] if name in sizes else next(large if name in spatial else small)
        for name in sorted(names)
    }
    first = next(iter((*module.parameters(), *module.buffers())), None)
    mode = module.meta.get("onnx2fx", {}).get("fake_mode") or getattr(first, "fake_mode", None)
    device = torch.device("cpu") if mode or first is None else first.device
    made = []
    with mode or contextlib.nullcontext():
        for port in _inputs(module):
            if port.get("dtype") is None or port.get("shape") is None:
                raise ValueError(
                    f"input {port['onnx_name']!r}: expected a tensor of known dtype and rank, "
                    "got a model that does not say so; make this input yourself"
                )
            shape = [known[d] if isinstance(d, str) else d for d in port["shape"]]
            made.append(torch.zeros(shape, dtype=dtype_of(port["dtype"]), device=device))
    return tuple(made)


def _spatial(port: Mapping[str, Any]) -> list[str]:
    """Symbolic dimensions of images, sound and the like: the last of a float tensor, and all from the third on."""
    shape = port.get("shape") or ()
    if not str(port.get("dtype")).startswith(("float", "bfloat")):
        return []
    return [d for axis, d in enumerate(shape) if isinstance(d, str) and 0 < axis and (axis > 1 or axis == len(shape) - 1)]


def _inputs(module: fx.GraphModule) -> list[Mapping[str, Any]]:
    summary = module.meta.get("onnx2fx")
    if summary is None:
        raise ValueError("module: expected one that onnx_to_fx made, got another")
    return summary["inputs"]
