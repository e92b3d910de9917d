"""Models whose data lies in files that need not be there, and what is compared of their conversions."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import models
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

PROGRAM = pathlib.Path(sys.executable).parent / "onnx2fx"


def onnx2fx(*arguments, cwd):
    """Exit code, standard output, and messages without the summary of a success."""
    done = subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr.partition("wrote ")[0]


def external(name, values, location="m.data", offset=0) -> TensorProto:
    """An initializer whose bytes lie in a file beside the model."""
    values = np.asarray(values)
    tensor = TensorProto(name=name, dims=values.shape, data_location=TensorProto.EXTERNAL)
    tensor.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
    for key, value in (("location", location), ("offset", offset), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def externals(weights) -> list[TensorProto]:
    """Name -> values, one after the other in one file."""
    ends = np.cumsum([np.asarray(v).nbytes for v in weights.values()])
    starts = [0, *ends[:-1]]
    return [external(n, v, offset=at) for (n, v), at in zip(weights.items(), starts)]


def model(nodes, tensors=(), x=("n", 4), opset=21) -> onnx.ModelProto:
    """x -> y."""
    made = models.model(nodes, {"x": list(x)}, {"y": None}, opset=opset)
    made.graph.initializer.extend(tensors)
    return made


def branch(name, nodes, tensors=()):
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [result], list(tensors))


def graph_of(module):
    """Every node of every program, and every tensor, without the values."""
    programs = {
        name: [(n.op, n.name, n.target, str(n.args), str(n.kwargs)) for n in child.graph.nodes]
        for name, child in module.named_modules()
        if isinstance(child, torch.fx.GraphModule)
    }
    tensors = {
        name: (type(t), t.dtype, tuple(t.shape), t.requires_grad)
        for name, t in (*module.named_parameters(), *module.named_buffers())
    }
    return programs, tensors
