"""Compilers that take an exported program. Each gives its results, or None where it only lowers."""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np
import torch
from torch.export import ExportedProgram

Tensors = Sequence[torch.Tensor]


def torch_mlir(program: ExportedProgram, args: Tensors) -> None:
    """To linalg on tensors."""
    from torch_mlir import fx
    from torch_mlir.compiler_utils import OutputType

    fx.export_and_import(program, output_type=OutputType.LINALG_ON_TENSORS)


def iree(program: ExportedProgram, args: Tensors) -> Tensors:
    """Of torch-mlir's text, for any CPU, and run."""
    import iree.compiler.tools as compiler
    import iree.runtime as runtime
    from torch_mlir import fx

    text = str(fx.export_and_import(program, experimental_support_mutation=True))
    flags = ["--iree-llvmcpu-target-cpu=generic", "--iree-opt-strip-assertions"]
    code = compiler.compile_str(text, target_backends=["llvm-cpu"], input_type="torch", extra_args=flags)
    module = runtime.load_vm_flatbuffer(code, driver="local-sync")
    results = module.main(*[a.numpy() for a in args])
    each = results if isinstance(results, (tuple, list)) else [results]
    return [torch.from_numpy(np.array(r.to_host())) for r in each]


def openvino(program: ExportedProgram, args: Tensors) -> Tensors:
    """Compiled for the CPU, in float32, and run."""
    import openvino

    model = openvino.convert_model(program)
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([a.numpy() for a in args])
    return [torch.from_numpy(np.array(results[i])) for i in range(len(compiled.outputs))]


def tvm(program: ExportedProgram, args: Tensors) -> Tensors:
    """Relax, built for the CPU, and run."""
    import tvm
    from tvm import relax
    from tvm.relax.frontend.torch import from_exported_program

    machine = relax.VirtualMachine(relax.build(from_exported_program(program), "llvm"), tvm.cpu())
    results = machine["main"](*[tvm.runtime.from_dlpack(a.contiguous()) for a in args])
    each = [results] if hasattr(results, "numpy") else list(results)
    return [torch.from_numpy(np.array(r.numpy())) for r in each]


def executorch(program: ExportedProgram, args: Tensors) -> Tensors:
    """Its edge dialect, and run by its runtime with portable kernels."""
    from executorch.exir import to_edge
    from executorch.runtime import Runtime

    buffer = to_edge(program).to_executorch().buffer
    return Runtime.get().load_program(buffer).load_method("forward").execute(list(args))


CONSUMERS: dict[str, Callable[[ExportedProgram, Tensors], Tensors | None]] = {
    "torch-mlir": torch_mlir,
    "IREE": iree,
    "OpenVINO": openvino,
    "TVM": tvm,
    "ExecuTorch": executorch,
}
