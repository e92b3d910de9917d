"""The GraphModule of a program: an error that passes through it names the ONNX node, stored and loaded too."""

from __future__ import annotations

import traceback
from typing import Any, Mapping, Sequence, cast

import torch
from torch import fx
from torch.fx.graph_module import _deserialize_graph_module, _forward_from_src
from torch.fx.node import _get_qualified_name

from .strings import taken


def place(onnx: Mapping[str, Any]) -> str:
    """How messages name an ONNX node, by what stands in the model file."""
    name = f" {onnx['name']!r}" if onnx.get("name") else ""
    outputs = ", ".join(repr(o) for o in onnx.get("outputs", ()) if o)
    return f"the ONNX node{name} ({onnx.get('op_type')})" + (f" that computes {outputs}" if outputs else "")


class ConvertedModule(fx.GraphModule):
    """torch knows which line of the generated code is which FX node: nothing is done before an error."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except Exception as e:
            if not torch.compiler.is_dynamo_compiling():
                _name_node(self, e)
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        """torch stores the code of a graph alone, and traces it on load: what its nodes know goes beside it."""
        _, (body, imports) = super().__reduce__()
        cls = next(c for c in type(self).__mro__ if c.__module__ == __name__)  # torch makes each a class of its own
        return _restored, (cls, body, imports, [(_key(n), _origin(n)) for n in _told(self.graph)])


class TakesStrings(ConvertedModule):
    """Some input is a tensor of strings: what people hold them in goes in."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*map(taken, args), **{k: taken(a) for k, a in kwargs.items()})


_ORIGIN = ("onnx", "stack_trace", "custom", "onnx2fx", "onnx_type")


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
) -> fx.GraphModule:
    forward = _forward_from_src(imports + body["_code"], {})
    module = cast(fx.GraphModule, _deserialize_graph_module(forward, body, cls))
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
        index = (module._lineno_map or {}).get(line - module._prologue_start)
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
