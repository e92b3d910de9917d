"""One cell of the table: a model, in one form, through one compiler."""

from __future__ import annotations

import torch
from torch.utils import _pytree as pytree
from zoo import exports
from zoo.subject import Subject

from .consumers import CONSUMERS

TOLERANCE = 1e-4


def module_of(subject: Subject) -> torch.nn.Module:
    if not subject.converted:
        return subject.module()
    from onnx_to_fx import convert_onnx_to_fx

    return convert_onnx_to_fx(subject.path, dialect="aten").eval()


def program_of(subject: Subject, dynamic: bool) -> torch.export.ExportedProgram:
    sizes = subject.dynamic(lambda _: torch.export.Dim.AUTO) if dynamic else None
    with exports.silence():
        return torch.export.export(module_of(subject), subject.args(), dynamic_shapes=sizes)


def operations(subject: Subject, dynamic: bool) -> int:
    """Calls after run_decompositions."""
    with exports.silence():
        graph = program_of(subject, dynamic).run_decompositions().graph
    return sum(n.op == "call_function" for n in graph.nodes)


def run(subject: Subject, dynamic: bool, consumer: str) -> str:
    """What it gives, in a word or two; raises what the consumer raises."""
    program, args = program_of(subject, dynamic), subject.args()
    with exports.silence():
        got = CONSUMERS[consumer](program, args)
    if got is None:
        return "lowers"
    wanted = pytree.tree_leaves(subject.truth())
    worst = max(float((g.double() - w.double()).abs().max()) for g, w in zip(got, wanted, strict=True))
    if not worst <= TOLERANCE:
        raise AssertionError(f"differs by {worst:.1e}")
    return "runs"
