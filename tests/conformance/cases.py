"""The cases of ONNX's backend test suite, each a model with its data sets."""

from __future__ import annotations

import dataclasses
import glob
import os
import warnings
from typing import Any, Iterator, Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.runner import Runner

_KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
_LIGHT = "onnx/backend/test/data/light/"


@dataclasses.dataclass
class Case:
    """One case; its model may still lie in a file."""

    name: str
    kind: str
    rtol: float
    atol: float
    source: Any  # onnx's TestCase

    def model(self) -> onnx.ModelProto:
        if self.source.model is not None:
            return self.source.model
        return onnx.load(self._path())

    def data_sets(self, model: onnx.ModelProto) -> Sequence[tuple[list[Any], list[Any]]]:
        """(inputs, outputs) as TensorProtos, arrays, lists, or None."""
        if self.source.data_sets is not None:
            return [(list(i), list(o)) for i, o in self.source.data_sets]
        if self.kind == "light":
            return [self._light_data(model)]
        inputs = runtime_inputs(model)
        folders = sorted(glob.glob(os.path.join(self.source.model_dir, "test_data_set*")))
        return [
            (_read_protos(f, "input", inputs), _read_protos(f, "output", model.graph.output))
            for f in folders
        ]

    def operator(self) -> str:
        """The operator that the case is about."""
        if self.kind != "node":
            return f"({self.kind})"
        node = self.source.model.graph.node[0]
        nodes = [n.op_type for n in self.source.model.graph.node]
        if len(set(nodes)) > 1 and node.op_type in ("Constant", "Identity"):
            node = next(n for n in self.source.model.graph.node if n.op_type != node.op_type)
        return f"{node.domain}.{node.op_type}" if node.domain else node.op_type

    def _path(self) -> str:
        if self.kind == "light":
            folder = os.path.join(loader.DATA_DIR, "light")
            return os.path.join(folder, os.path.basename(self.source.url))
        return os.path.join(self.source.model_dir, "model.onnx")

    def _light_data(self, model: onnx.ModelProto) -> tuple[list[Any], list[Any]]:
        """The inputs that onnx's runner generates, the outputs that lie beside the model."""
        inputs = [
            Runner.generate_dummy_data(i, seed=0, name=self.name) for i in runtime_inputs(model)
        ]
        prefix = os.path.splitext(self._path())[0]
        outputs = [_read(f"{prefix}_output_{i}.pb", o) for i, o in enumerate(model.graph.output)]
        return inputs, outputs


def load_cases(kinds: Sequence[str] = _KINDS) -> Iterator[Case]:
    """All cases of the kinds that the onnx package carries whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in kinds:
            for t in sorted(loader.load_model_tests(kind=kind), key=lambda t: t.name):
                light = kind == "real" and (t.url or "").startswith(_LIGHT)
                if kind == "real" and not light:
                    continue  # not in the package: to be downloaded
                yield Case(t.name, "light" if light else kind, t.rtol, t.atol, t)


def runtime_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Graph inputs that no initializer gives."""
    given = {i.name for i in model.graph.initializer}
    given |= {i.values.name for i in model.graph.sparse_initializer}
    return [i for i in model.graph.input if i.name not in given]


def with_initializers(
    model: onnx.ModelProto, inputs: Sequence[Any]
) -> tuple[onnx.ModelProto, list[Any]] | None:
    """The model with all tensor inputs but the first turned into initializers, and the inputs left.

    None where no input can be turned.
    """
    ports = runtime_inputs(model)
    turned = {
        port.name: tensor_proto(value, port)
        for port, value in list(zip(ports, inputs))[1:]
        if port.type.HasField("tensor_type") and value is not None
    }
    if not turned:
        return None
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.initializer.extend(turned.values())
    if changed.ir_version >= 4:
        kept = [i for i in changed.graph.input if i.name not in turned]
        del changed.graph.input[:]
        changed.graph.input.extend(kept)
    return changed, [v for p, v in zip(ports, inputs) if p.name not in turned]


def compares_training(model: onnx.ModelProto) -> bool:
    """Whether what it expects is what a module computes in train(). (Of Dropout that is random.)"""
    return any(
        n.op_type == "BatchNormalization"
        and any(a.name == "training_mode" and a.i for a in n.attribute)
        for n in model.graph.node
    )


def has_plain_inputs(model: onnx.ModelProto) -> bool:
    """Whether all inputs are tensors, and those that `with_initializers` turns are of types with a
    whole number of bytes, none of float8: 1,314 of the 1,387 cases that it can turn."""
    types = [port.type for port in runtime_inputs(model)]
    return all(t.HasField("tensor_type") for t in types) and all(
        t.tensor_type.elem_type < onnx.TensorProto.FLOAT8E4M3FN for t in types[1:]
    )


def tensor_proto(value: Any, port: onnx.ValueInfoProto) -> onnx.TensorProto:
    """A value of a data set as a TensorProto of the port's name."""
    proto = onnx.TensorProto()
    if isinstance(value, onnx.TensorProto):
        proto.CopyFrom(value)
    else:
        proto.CopyFrom(numpy_helper.from_array(np.asarray(value)))
    proto.name = port.name
    return proto


def _read_protos(folder: str, word: str, ports: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    count = len(glob.glob(os.path.join(folder, f"{word}_*.pb")))
    return [_read(os.path.join(folder, f"{word}_{i}.pb"), ports[i]) for i in range(count)]


def _read(path: str, port: onnx.ValueInfoProto) -> Any:
    with open(path, "rb") as f:
        data = f.read()
    if port.type.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if port.type.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))
