"""The GraphModule of a program: an error that passes through it names the ONNX node, stored and loaded too."""

from __future__ import annotations

import copy
import traceback
from typing import Any, Iterator, Mapping, Sequence, TypeVar, cast

import torch
from torch import fx, nn
from torch.fx.graph_module import _deserialize_graph_module, _forward_from_src
from torch.fx.node import _get_qualified_name

from .export_support import in_scope
from .older_torch import WRONG_GRADIENTS, gradients, is_recorded
from .strings import taken


def place(onnx: Mapping[str, Any]) -> str:
    """How messages name an ONNX node, by what stands in the model file."""
    name = f" {onnx['name']!r}" if onnx.get("name") else ""
    outputs = ", ".join(repr(o) for o in onnx.get("outputs", ()) if o)
    return f"the ONNX node{name} ({onnx.get('op_type')})" + (f" that computes {outputs}" if outputs else "")


class ConvertedModule(fx.GraphModule):
    """torch knows which line of the generated code is which FX node: nothing is done before an error."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._unrecorded and is_recorded(*args, *kwargs.values(), *self.parameters()):
            raise gradients(self._unrecorded, "run it under torch.no_grad(), or convert with dialect='nn'")
        try:
            return in_scope(self, super().__call__, args, kwargs)
        except Exception as e:
            if not torch.compiler.is_dynamo_compiling():
                _name_node(self, e)
            raise

    def recompile(self) -> Any:
        """There is no code of a graph that nobody has filled."""
        self._unrecorded = _unrecorded(self._graph) if WRONG_GRADIENTS else ""
        return super().recompile() if len(self._graph.nodes) else None

    def __deepcopy__(self, memo: dict[int, Any]) -> ConvertedModule:
        """With its containers and constants as they are: torch's own keeps what the graph names, as it sees fit."""
        copied = memo[id(self)] = another(self)
        copied.__dict__.update(
            (k, copy.copy(v) if k == "meta" else copy.deepcopy(v, memo))
            for k, v in self.__dict__.items()
            if k != "_graph"
        )
        copied.graph = copy.deepcopy(self.graph, memo)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        """torch stores the code of a graph alone, and traces it on load: what its nodes know goes beside it."""
        _, (body, imports) = super().__reduce__()
        origins = [(_key(n), _origin(n)) for n in _told(self.graph)]
        return _restored, (_base(self), body, imports, origins, type(self).__name__)


def _unrecorded(graph: fx.Graph) -> str:
    """The call that autograd must not see with a torch of WRONG_GRADIENTS; "": none."""
    for node in graph.nodes:
        if isinstance(node.target, torch._ops.HigherOrderOperator) and node.target.name() in ("scan", "while_loop"):
            where = place(node.meta["onnx"]) if "onnx" in node.meta else f"node {node.name!r}"
            return f"{where}: torch's {node.target.name()}"
    return ""


def _base(module: ConvertedModule) -> type[ConvertedModule]:
    """torch makes each module a class of its own, below this one."""
    return next(c for c in type(module).__mro__ if c.__module__ == __name__)


Module = TypeVar("Module", bound=nn.Module)


def of_class(module: Module, class_name: str) -> Module:
    """Gives the class of one module this name."""
    type(module).__name__ = type(module).__qualname__ = class_name
    return module


def another(module: ConvertedModule) -> ConvertedModule:
    """An empty one of the same class."""
    base = _base(module)
    return of_class(base.__new__(base), type(module).__name__)


class TakesStrings(ConvertedModule):
    """Some input is a tensor of strings: what people hold them in goes in."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*map(taken, args), **{k: taken(a) for k, a in kwargs.items()})


class SequenceOfModules(ConvertedModule):
    """Its children have numbers for names, as those of nn.Sequential: ``block[0]``, ``len(block)``."""

    def _numbers(self) -> list[int]:
        return sorted(int(name) for name in self._modules if name.isdigit())

    def __len__(self) -> int:
        return len(self._numbers())

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[nn.Module]:
        return (self._child(number) for number in self._numbers())

    def __getitem__(self, index: int | slice) -> nn.Module:
        if isinstance(index, slice):
            return nn.Sequential(*list(self)[index])
        if index < 0:
            return self._child(self._numbers()[index])
        if str(index) not in self._modules:
            raise IndexError(f"index {index}: expected one of {self._numbers()}")
        return self._child(index)

    def _child(self, number: int) -> nn.Module:
        return self.get_submodule(str(number))


SOURCE = ("onnx", "stack_trace", "custom", "onnx_type")
"""What of a node's meta says where it comes from, and what it gives."""
_ORIGIN = (*SOURCE, "onnx2fx")


def _told(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that tracing the code of a graph gives again, in this order."""
    return [n for n in graph.nodes if n.op not in ("get_attr", "output")]


def _key(node: fx.Node) -> str:
    """The same in every process; of a module that has two paths torch may find the other one."""
    if node.op == "call_module":
        return node.op
    return f"{node.op} {node.target if isinstance(node.target, str) else _get_qualified_name(node.target)}"


def _origin(node: fx.Node) -> dict[str, Any]:
    return {k: node.meta[k] for k in _ORIGIN if k in node.meta}


def _restored(
    cls: type[ConvertedModule],
    body: dict[str, Any],
    imports: str,
    origins: Sequence[tuple[str, dict[str, Any]]],
    class_name: str,
) -> fx.GraphModule:
    forward = _forward_from_src(imports + body["_code"], {})
    module = cast(fx.GraphModule, _deserialize_graph_module(forward, body, cls))
    of_class(module, class_name)
    # torch keeps what the graph names, and makes containers and buffers of its own for it
    module.__dict__.update((k, body[k]) for k in ("_modules", "_buffers", "_non_persistent_buffers_set"))
    for node in module.graph.nodes:
        if node.name == "self":  # torch named it after the child that it calls
            node.name = module.graph._graph_namespace.create_name("self_", None)
            module.recompile()
    nodes = _told(module.graph)
    if [_key(n) for n in nodes] == [key for key, _ in origins]:  # else nobody knows which is which
        for node, (_, origin) in zip(nodes, origins):
            node.meta.update(origin)
    return module


def _name_node(module: fx.GraphModule, e: Exception) -> None:
    code = type(module).forward.__code__
    for frame, line in traceback.walk_tb(e.__traceback__):
        if frame.f_code is not code:
            continue
        index = (module._lineno_map or {}).get(line - code.co_firstlineno)
        nodes = list(module.graph.nodes)
        if index is None or index >= len(nodes) or "onnx" not in nodes[index].meta:
            return
        node = nodes[index]
        got = [f"{a.name} is {_type(frame.f_locals.get(a.name))}" for a in node.all_input_nodes]
        said = f"in {place(node.meta['onnx'])}" + (": " + ", ".join(got) if got else "")
        # as fx.Interpreter does: add_note is Python 3.11's
        if e.args and isinstance(e.args[0], str):
            e.args = (f"{e.args[0]}\n{said}", *e.args[1:])
        elif not e.args:
            e.args = (said,)
        return


def _type(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return repr(value) if isinstance(value, (bool, int, float)) else type(value).__name__
