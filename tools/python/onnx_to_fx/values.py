"""What the nodes of a converted module give: FakeTensors and symbolic numbers, in node.meta["val"].

They are made from the types that the conversion found: nothing is traced. Only a node of which those do not say
everything (a number, several results, an extent that depends on data) is called, on the values of its arguments.
"""

from __future__ import annotations

import ast
import operator
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import fx
from torch._dispatch.python import enable_python_dispatcher
from torch._dynamo.source import LocalSource, TensorProperty, TensorPropertySource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StrictMinMaxConstraint,
    compute_unbacked_bindings,
)
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges

from .loader.converted import place
from .loader.targets import dtype_of
from .loader.weightless import bounds_of, example_inputs

Size = int | torch.SymInt
Bounds = int | Mapping[str, int] | None


def fill_values(module: fx.GraphModule, *, min: Bounds = None, max: Bounds = None) -> FakeTensorMode:
    """Sets node.meta["val"] of all nodes, in the bodies of higher-order operators too; the mode of the FakeTensors.

    Symbolic dimensions become symbolic integers, one for each name that the model has for them. The strides of a
    tensor are those of a contiguous one; what depends on others finds out by running the graph in the mode.

    Args:
      min, max: bounds of dimensions, as dynamic_shapes takes them.
    """
    mode = module.meta["onnx2fx"].get("fake_mode")
    mode = mode or FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
    values = _Values(mode)
    values.of_graph(module, values.of_inputs(module, min, max))
    return mode


class _Values:
    def __init__(self, mode: FakeTensorMode) -> None:
        self.mode = mode
        self.device = torch.device("cpu")
        self.sizes: dict[str, Size] = {}  # by their text in the types of nodes
        self.are_identifiers = True  # all names of dimensions

    def of_inputs(self, module: fx.GraphModule, min: Bounds, max: Bounds) -> list[Any]:
        ports = module.meta["onnx2fx"]["inputs"]
        examples = example_inputs(module)
        if examples:
            self.device = examples[0].device
        low, high = bounds_of(module, min, max)
        named: dict[str, Size] = {}
        made = []
        for port, example in zip(ports, examples):
            for axis, name in enumerate(port["shape"]):
                if isinstance(name, str) and name not in named:
                    source = TensorPropertySource(LocalSource(port["name"]), TensorProperty.SIZE, axis)
                    bounds = ValueRanges(low.get(name, 2), high.get(name, int_oo))
                    named[name] = self._symbol(example.shape[axis], source, bounds)
            made.append(self._tensor([named.get(d, d) for d in port["shape"]], example.dtype))
        return made

    def _symbol(self, hint: int, source: TensorPropertySource, bounds: ValueRanges[Any]) -> Size:
        env: Any = self.mode.shape_env
        constraint = StrictMinMaxConstraint(vr=bounds, warn_only=False)
        symbol = env.create_symbol(hint, source, DimDynamic.DYNAMIC, constraint)
        return env.create_symintnode(symbol, hint=hint, source=source)

    def _tensor(self, shape: Sequence[Size], dtype: torch.dtype) -> torch.Tensor:
        with self.mode:
            return torch.empty(shape, dtype=dtype, device=self.device)

    def of_graph(self, module: fx.GraphModule, inputs: Sequence[Any]) -> Any:
        """What the graph returns of these."""
        given = iter(inputs)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                node.meta["val"] = next(given)
                self._learn(node)
            elif node.op == "get_attr":
                node.meta["val"] = self._attribute(module, node.target)
            elif node.op == "output":
                node.meta["val"] = fx.map_arg(node.args[0], lambda n: n.meta["val"])
                return node.meta["val"]
            elif (stated := self._stated(node.meta.get("onnx_type"))) is not None:
                node.meta["val"] = stated
            else:
                node.meta["val"] = self._called(module, node)
                self._learn(node)
            if isinstance(node.target, torch._ops.HigherOrderOperator):
                self._bodies(node)

    def _attribute(self, module: fx.GraphModule, path: str) -> Any:
        value = operator.attrgetter(path)(module)
        if not isinstance(value, torch.Tensor) or getattr(value, "fake_mode", None) is self.mode:
            return value
        return self.mode.from_tensor(value, static_shapes=True)

    def _stated(self, type: Mapping[str, Any] | None) -> torch.Tensor | None:
        """None: the type does not say everything."""
        if type is None or type["dtype"] is None or type["shape"] is None:
            return None
        sizes = [self._size(d) for d in type["shape"]]
        known = [s for s in sizes if s is not None]
        return self._tensor(known, dtype_of(type["dtype"])) if len(known) == len(sizes) else None

    def _size(self, text: int | str) -> Size | None:
        if isinstance(text, int) or text in self.sizes:
            return text if isinstance(text, int) else self.sizes[text]
        if not self.are_identifiers:  # "a-b" may be a name
            return None
        try:
            size = self._evaluated(ast.parse(text, mode="eval").body)
        except SyntaxError:  # "?", or a size that was rounded from a float
            return None
        if size is not None:
            self.sizes[text] = size
        return size

    def _evaluated(self, e: ast.expr) -> Size | None:
        if isinstance(e, ast.Constant) and isinstance(e.value, int):
            return e.value
        if isinstance(e, ast.Name):
            return self.sizes.get(e.id)
        if isinstance(e, ast.UnaryOp):
            return _of(operator.neg, self._evaluated(e.operand))
        if isinstance(e, ast.BinOp):
            return _of(_OPERATORS.get(type(e.op)), self._evaluated(e.left), self._evaluated(e.right))
        if isinstance(e, ast.Call) and isinstance(e.func, ast.Name):
            return _of(_FUNCTIONS.get(e.func.id), *map(self._evaluated, e.args))
        return None

    def _learn(self, node: fx.Node) -> None:
        """What the texts of a node's type mean: equal ones are equal sizes."""
        shape = (node.meta.get("onnx_type") or {}).get("shape")
        if shape is None or not isinstance(node.meta["val"], torch.Tensor):
            return
        for text, size in zip(shape, node.meta["val"].shape):
            if isinstance(text, str):
                self.sizes.setdefault(text, size)
                self.are_identifiers &= node.op != "placeholder" or text.isidentifier()

    def _called(self, module: fx.GraphModule, node: fx.Node) -> Any:
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
        function: Any = node.target
        if node.op == "call_module":
            function = module.get_submodule(function)
        elif node.op == "call_method":
            function = getattr(torch.Tensor, function)
        try:
            with self.mode, enable_python_dispatcher(), torch.no_grad():  # which knows recurrences
                val = function(*args, **kwargs)
        except Exception as e:  # whatever torch says of it
            where = place(node.meta["onnx"]) if "onnx" in node.meta else f"node {node.name!r}"
            raise ValueError(f"{where}: its value cannot be told without data: {e}") from e
        if bindings := compute_unbacked_bindings(self.mode.shape_env, val):
            node.meta["unbacked_bindings"] = bindings
        return val

    def _bodies(self, node: fx.Node) -> None:
        args = fx.map_arg(node.args, lambda n: n.meta["val"])
        target: Any = node.target
        for body, inputs in _BODIES[target.name()](args):
            self.of_graph(body, inputs)


def _of(function: Callable[..., Size] | None, *args: Size | None) -> Size | None:
    return None if function is None or None in args else function(*args)


_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
_FUNCTIONS = {"floordiv": operator.floordiv, "mod": operator.mod, "max": torch.sym_max, "min": torch.sym_min}
_BODIES: dict[str, Callable[[Any], list[tuple[fx.GraphModule, list[Any]]]]] = {
    "cond": lambda a: [(a[1], a[3]), (a[2], a[3])],
    "while_loop": lambda a: [(body, [*a[2], *a[3]]) for body in a[:2]],
    "scan": lambda a: [(a[0], [*a[1], *(s.select(0, 0) for s in a[2]), *a[3]])],
}
"""Of a higher-order operator, by its arguments: its bodies, and what they are given."""
