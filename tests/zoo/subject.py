"""What a column is tried on: a converted module, or the original in its place; and what is true of it."""

from __future__ import annotations

import collections
import copy
import functools
import re

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn

from . import exports
from . import inputs as _inputs
from .models import Model


class Subject:
    """The original, which gives the truth. `module()` is a fresh one each time."""

    converted = False

    def __init__(self, model: Model) -> None:
        self.model = model
        self.original = model.build()
        self.inputs = model.parsed()
        self.shares: dict[str, tuple[int, int]] = {}  # what was counted -> as in the original, of how many

    def module(self, weights: str = "copy") -> nn.Module:
        """`weights`: "copy", "random" or "meta"; the two others keep what a state dict does not hold."""
        module = copy.deepcopy(self.original)
        if weights == "copy":
            return module
        for key in module.state_dict(keep_vars=True):
            *path, name = key.split(".")
            owner = module.get_submodule(".".join(path))
            kind = owner._parameters if name in owner._parameters else owner._buffers
            kind[name] = _emptied(kind[name], weights)
        return _tied_as(self.original, module)

    def module_of_original(self) -> nn.Module:
        return copy.deepcopy(self.original)

    def eval_after(self, original: nn.Module):
        """What it returns in eval mode now."""
        with torch.no_grad():
            return original.eval()(*self.model_args())

    def args(self, size: int = _inputs.TRACED, seed: int = 0) -> tuple[torch.Tensor, ...]:
        values = _inputs.values(self.model.parsed(), size, seed)
        return tuple(v for v, i in zip(values, self.model.parsed()) if i in self.inputs)

    def model_args(self, size: int = _inputs.TRACED, seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Of the original, which may take inputs that an exporter dropped."""
        return _inputs.values(self.model.parsed(), size, seed)

    def truth(self, size: int = _inputs.TRACED, seed: int = 0):
        """What the original returns in eval mode."""
        with torch.no_grad():
            return copy.deepcopy(self.original)(*self.model_args(size, seed))

    def reference(self, size: int = _inputs.TRACED, seed: int = 0):
        """What the module itself returns: the columns that are not about numbers do not fail for them too."""
        with torch.no_grad():
            return self.module()(*self.args(size, seed))

    def dynamic(self, value) -> tuple[dict, ...]:
        """The dynamic dimensions of the arguments, each as `value(name)`."""
        if len(self.sizes) == 1:
            return tuple({} for _ in self.inputs)
        return tuple({d: value(n) for d, n in i.dynamic().items()} for i in self.inputs)

    def holds(self, name: str) -> bool:
        return True

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        return _inputs.TRACED, _inputs.ANOTHER

    def folded_batch_norms(self) -> list[str]:
        """Those whose statistics the file does not hold."""
        norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        names = [n for n, m in self.original.named_modules() if isinstance(m, norms)]
        return [n for n in names if not self.holds(f"{n}.running_var")]


class Converted(Subject):
    converted = True

    def __init__(self, model: Model, form: str) -> None:
        super().__init__(model)
        self.form = form
        self.path = exports.exported(model, form)
        proto = onnx.load(self.path)
        graph = proto.graph
        given = [i.name for i in graph.input]
        self.inputs = tuple(i for i in model.parsed() if i.name in given)
        self._dropout = any(n.op_type == "Dropout" for n in _nodes_of(proto))
        self._tensors = [np.sort(t.ravel()) for t in _tensors_of(graph) if t.size]
        self.calls_left_out = _left_out(graph)
        _take_statistics(self.original, graph)

    def module(self, weights: str = "copy") -> nn.Module:
        from onnx_to_fx import convert_onnx_to_fx

        return convert_onnx_to_fx(self.path, weights=weights, seed=5).eval()

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """Those that ONNX Runtime takes: some exports are of the traced size only."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        feeds = {i.name: a.numpy() for i, a in zip(self.inputs, self.args(_inputs.ANOTHER))}
        try:
            session.run(None, feeds)
        except Exception:  # its own kinds, which no module lists
            return (_inputs.TRACED,)
        return _inputs.TRACED, _inputs.ANOTHER

    def has_dropout(self) -> bool:
        return self._dropout

    @functools.lru_cache(maxsize=None)  # noqa: B019 (as many as the model has tensors)
    def holds(self, name: str) -> bool:
        """Whether one tensor of the file holds all numbers of the original's tensor, in any order."""
        return self.holds_values(self.original.state_dict()[name])

    def of_original(self, tensor: torch.Tensor) -> bool:
        """Whether the original's state has all of its numbers."""
        values = [t.detach().numpy().ravel() for t in self.original.state_dict().values()]
        ordered = np.sort(np.concatenate([v for v in values if v.dtype == np.float32]))
        return tensor.dtype == torch.float32 and _within(tensor.detach().numpy().ravel(), ordered)

    def holds_values(self, tensor: torch.Tensor) -> bool:
        values = tensor.detach().numpy().ravel()
        if values.size == 0 or not tensor.is_floating_point():
            return False
        few = values[:: max(1, values.size // 3)]
        return any(_within(few, t) and _within(values, t) for t in self._tensors if t.size >= values.size)


def subject(model: Model, form: str) -> Subject:
    return Subject(model) if form == exports.ORIGINAL else Converted(model, form)


def _within(values: np.ndarray, ordered: np.ndarray) -> bool:
    if values.dtype != ordered.dtype:
        return False
    at = np.minimum(np.searchsorted(ordered, values), ordered.size - 1)
    return bool((ordered[at] == values).all())


def _left_out(graph: onnx.GraphProto) -> collections.Counter[str]:
    """Calls that the exporter's optimiser computed, or made one with an equal one, by the names of their FX nodes."""
    text = lambda node: "".join(p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.fx_node")  # noqa: E731
    texts = [text(n) for n in graph.node]
    there = {o for n in graph.node for o in n.output} | {t.split(" ")[0][1:] for t in texts}
    read = {name for t in texts for name in re.findall(r"%(\w+)", t)}
    given = {i.name for i in graph.input}
    gone = {name for name in read - there - given if not name.startswith(("p_", "b_", "c_"))}
    numbers = collections.defaultdict(set)  # the exporter counts the calls of one name: "linear", "linear_1"
    for name in read | there:
        base, number = re.fullmatch(r"(.*?)(?:_(\d+))?", name).groups()
        numbers[base].add(int(number or 0))
    gone |= {f"{b}_{i}" for b, all_ in numbers.items() if 0 in all_ for i in range(1, max(all_)) if i not in all_}
    return collections.Counter(re.sub(r"_\d+$", "", name) for name in gone)


def _take_statistics(original: nn.Module, graph: onnx.GraphProto) -> None:
    """The exporter runs the model: in training mode its statistics have moved before they are written."""
    stored = {t.name: t for t in graph.initializer}
    for name, buffer in original.named_buffers():
        if name.endswith(("running_mean", "running_var")) and name in stored:
            buffer.copy_(torch.from_numpy(numpy_helper.to_array(stored[name]).copy()))


def _nodes_of(proto: onnx.ModelProto):
    """Of the graph, its bodies and its functions."""
    left = [*proto.graph.node, *(n for f in proto.functions for n in f.node)]
    while left:
        node = left.pop()
        yield node
        left += [n for a in node.attribute if a.HasField("g") for n in a.g.node]


def _tensors_of(graph: onnx.GraphProto):
    """Initializers and constants of the graph and its bodies."""
    yield from map(numpy_helper.to_array, graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield numpy_helper.to_array(attribute.t)
            if attribute.HasField("g"):
                yield from _tensors_of(attribute.g)


def _emptied(tensor: torch.Tensor, weights: str) -> torch.Tensor:
    value = tensor.detach()
    if weights == "meta":
        value = value.to("meta")
    elif value.is_floating_point():
        value = torch.rand(value.shape, generator=torch.Generator().manual_seed(3))
    else:
        value = torch.zeros_like(value)
    return nn.Parameter(value, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else value


def _tied_as(original: nn.Module, module: nn.Module) -> nn.Module:
    first: dict[int, str] = {}
    for name, p in original.named_parameters(remove_duplicate=False):
        shared = first.setdefault(id(p), name)
        if shared != name:
            *path, last = name.split(".")
            setattr(module.get_submodule(".".join(path)), last, module.get_parameter(shared))
    return module


