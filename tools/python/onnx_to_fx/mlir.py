"""A converted module in MLIR's torch dialect, by torch-mlir."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from .lifted import lift
from .loader.weightless import is_absent
from .values import Bounds

if TYPE_CHECKING:
    from torch_mlir import ir


def to_mlir(
    module: fx.GraphModule, *, scope: str = "model", min: Bounds = None, max: Bounds = None
) -> ir.Module:
    """The module as torch-mlir's importer has it, after its decompositions; ``str()`` is its text.

    Weights that the module has are literals. Those that it lacks (weights="fake" or "meta") are globals under their
    ONNX names, which IREE reads from its parameter `scope`, by their paths: the keys of weights.safetensors. Constants
    are literals either way.

    Args:
      module: of the dialect "aten".
      min, max: bounds of symbolic dimensions, as dynamic_shapes takes them.
    Raises:
      ImportError: torch-mlir is not installed.
      ValueError: see lift.
    """
    try:
        from torch_mlir import ir
        from torch_mlir.dialects import torch as torch_dialect
        from torch_mlir.extras.fx_decomp_util import get_decomposition_table
        from torch_mlir.extras.fx_importer import (
            FxImporter,
            FxImporterHooks,
            create_mlir_tensor_type,
        )
    except ImportError as e:
        raise ImportError(
            "to_mlir: expected the package torch_mlir, got none; install torch-mlir with pip's --no-deps"
        ) from e

    names = _names(module)
    program = lift(module, min=min, max=max).run_decompositions(get_decomposition_table())

    class Weights(FxImporterHooks):
        def prepare_module(self, module_op: ir.Operation) -> None:
            self.body = module_op.regions[0].blocks[0]
            self.made: set[str] = set()

        def resolve_input(self, importer: Any, value: torch.Tensor, info: Any) -> ir.Value | None:
            if not is_absent(value):
                return None
            path = info.input_spec.target
            stored = create_mlir_tensor_type(value)
            if path not in self.made:
                self.made.add(path)
                self.declare(path, stored)
            symbol = ir.FlatSymbolRefAttr.get(names[path])
            load = ir.Operation.create("util.global.load", [stored], attributes={"global": symbol})
            return ir.Operation.create("torch_c.from_builtin_tensor", [info.ir_type], [load.result]).result

        def declare(self, path: str, stored: ir.Type) -> None:
            key = f"#flow.parameter.named<{json.dumps(scope)}::{json.dumps(path)}> : {stored}"
            attributes = {
                "sym_name": ir.StringAttr.get(names[path]),
                "sym_visibility": ir.StringAttr.get("private"),
                "type": ir.TypeAttr.get(stored),
                "initial_value": ir.Attribute.parse(key),
            }
            ir.Operation.create("util.global", attributes=attributes, ip=ir.InsertionPoint.at_block_begin(self.body))

    context = ir.Context()
    torch_dialect.register_dialect(context)
    context.allow_unregistered_dialects = True  # IREE's util and flow
    importer = FxImporter(context=context, hooks=Weights())
    importer.import_program(program)
    return importer.module


def _names(module: fx.GraphModule) -> dict[str, str]:
    """By path: ONNX's, where no two tensors share it."""
    tensors = module.meta["onnx2fx"]["tensors"]
    times = collections.Counter(t["name"] for t in tensors)
    return {t["path"]: t["name"] if times[t["name"]] == 1 else t["path"] for t in tensors}
