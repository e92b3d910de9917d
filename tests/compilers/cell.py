"""One cell of the table: a model, in one form, through one compiler."""

from __future__ import annotations

import time

import torch
from torch.utils import _pytree as pytree
from zoo import exports
from zoo.subject import Subject

from .consumers import CONSUMERS

TOLERANCE = 1e-4


def module_of(subject: Subject, dynamic: bool, weights: str = "copy") -> torch.nn.Module:
    if not subject.converted:
        return subject.module()
    from onnx_to_fx import convert_onnx_to_fx

    sizes = None if dynamic else {i.name: a.shape for i, a in zip(subject.inputs, subject.args())}
    return convert_onnx_to_fx(subject.path, dialect="aten", input_shapes=sizes, weights=weights).eval()


def program_of(subject: Subject, dynamic: bool, module: torch.nn.Module) -> torch.export.ExportedProgram:
    """Both ways are tried: ours of dynamic sizes is lifted, all others are traced."""
    with exports.silence(), torch.no_grad():
        if subject.converted and dynamic:
            from onnx_to_fx import lift

            return lift(module, max=64)
        sizes = subject.dynamic(lambda _: torch.export.Dim.AUTO) if dynamic else None
        return torch.export.export(module, subject.args(), dynamic_shapes=sizes)


def operations(subject: Subject, dynamic: bool) -> str:
    """Calls after run_decompositions."""
    program = program_of(subject, dynamic, module_of(subject, dynamic))
    with exports.silence():
        graph = program.run_decompositions().graph
    return str(sum(n.op == "call_function" for n in graph.nodes))


def seconds(subject: Subject, dynamic: bool) -> str:
    """Of the processor, from the module to the program, once torch has imported what it does that with."""
    module = module_of(subject, dynamic)
    program_of(subject, dynamic, module)
    start = time.process_time()
    program_of(subject, dynamic, module)
    return f"{time.process_time() - start:.2f}"


def mlir(subject: Subject, dynamic: bool) -> str:
    """Kilobytes of text in the torch dialect, with the weights and (ours) without."""
    from torch_mlir import fx

    program = program_of(subject, dynamic, module_of(subject, dynamic))
    texts = [str(fx.export_and_import(program, experimental_support_mutation=True))]
    if subject.converted:
        from onnx_to_fx import to_mlir

        texts.append(str(to_mlir(module_of(subject, dynamic, weights="fake"))))
    return ", ".join(f"{len(t) / 1000:.0f}" for t in texts)


MEASURES = {"ops": operations, "seconds": seconds, "MLIR": mlir}


def run(subject: Subject, dynamic: bool, consumer: str) -> str:
    """What it gives, in a word or two; raises what the consumer raises."""
    program, args = program_of(subject, dynamic, module_of(subject, dynamic)), subject.args()
    with exports.silence():
        got = CONSUMERS[consumer](program, args)
    if got is None:
        return "lowers"
    wanted = pytree.tree_leaves(subject.truth())
    worst = max(float((g.double() - w.double()).abs().max()) for g, w in zip(got, wanted, strict=True))
    if not worst <= TOLERANCE:
        raise AssertionError(f"differs by {worst:.1e}")
    return "runs"
