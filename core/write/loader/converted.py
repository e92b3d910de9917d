"""The GraphModule of a program: an error that passes through it names the ONNX node."""

from __future__ import annotations

import traceback
from typing import Any, Mapping

import torch
from torch import fx

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


class TakesStrings(ConvertedModule):
    """Some input is a tensor of strings: what people hold them in goes in."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*map(taken, args), **{k: taken(a) for k, a in kwargs.items()})


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
