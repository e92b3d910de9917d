"""Training mode: statistics, dropout, one step of SGD."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..compare import Wrong, cloned, distance, listed, loss_of, require_equal
from ..subject import Converted
from . import column
from .values import matched, turned_as


class MeanNoise(TorchDispatchMode):
    """Every draw of dropout is its mean: dropout changes nothing, and is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name
        if name == "aten::bernoulli_":
            self.draws += 1
            return args[0].fill_(args[1])
        if name == "aten::native_dropout":
            self.draws += 1
            return args[0] * 1.0, torch.ones_like(args[0], dtype=torch.bool)
        if name == "aten::bernoulli":
            self.draws += 1
            return torch.full_like(args[0], args[1] if len(args) > 1 else 0.5)
        return function(*args, **(kwargs or {}))


def step(module: nn.Module, args: tuple) -> tuple:
    """One step of SGD in the mode that the module is in: (outputs before it, draws of dropout)."""
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.01)
    with MeanNoise() as noise:
        y = module(*cloned(args))
        loss_of(y).backward()
    optimizer.step()
    return y, noise.draws


@column("train step", "dropout", own=True, quick=True)
def train_step(s: Converted):
    """Outputs and statistics of a step in train mode, parameters after it; then dropout itself."""
    module, original = s.module().train(), s.module_of_original().train()
    found, _ = matched(s, module)
    for name, (other, _) in found.items():  # what is frozen is in no file
        module.get_parameter(other).requires_grad_(original.get_parameter(name).requires_grad)
    for name in s.folded_batch_norms():
        original.get_submodule(name).eval()
    before = {n: p.detach().clone() for n, p in original.named_parameters(remove_duplicate=False)}
    got, drawn = step(module, s.args())
    want, draws = step(original, s.model_args())
    require_equal(got, want, "outputs in train mode", 2e-4)
    require_moved(module, original, found, before)
    require_statistics(s, module, original)
    absent = [n for n in before if not s.holds(n)]
    if not absent:
        after = s.eval_after(original)
        with torch.no_grad():
            require_equal(module.eval()(*s.args()), after, "outputs after the step", 1e-3)
    yield f"{len(absent)} of {len(before)} not in the file" if absent else None
    require_dropout(s, module, drawn, draws)
    yield f"dropout is not in the file ({draws} draws)" if draws and not s.has_dropout() else None


def require_moved(module, original, found, before) -> None:
    """Every parameter moved as the original's did, to a hundredth of the way."""
    ours = dict(module.named_parameters(remove_duplicate=False))
    wrong = []
    for name, (other, turned) in found.items():
        p, q = original.get_parameter(name).detach(), turned_as(ours[other].detach(), turned)
        way = (p - before[name]).abs().max().item()
        if (q - p).abs().max().item() > 0.01 * way + 1e-6:
            wrong.append(name)
    if wrong:
        raise Wrong("a step moves parameters elsewhere", f"{len(wrong)} of {len(found)}: {listed(wrong)}")


def require_statistics(s: Converted, module, original) -> None:
    folded = s.folded_batch_norms()
    ours = dict(module.named_buffers())
    wrong, missing = [], []
    for name, b in original.named_buffers():
        if name.endswith(("running_mean", "running_var")) and name.rsplit(".", 1)[0] not in folded:
            if name not in ours:
                missing.append(name)
            elif ours[name].shape != b.shape or distance(ours[name], b) > 1e-4:
                wrong.append(name)
    if wrong:
        raise Wrong("statistics differ after a step", listed(wrong))
    if missing:
        raise Wrong("no buffer for statistics of the file", listed(missing))


def require_dropout(s: Converted, module: nn.Module, drawn: int, draws: int) -> None:
    """Active in training mode where the file has it, as often as the original's, and off in eval mode."""
    if not s.has_dropout():
        if drawn:
            raise Wrong("dropout that is not in the file")
        return
    if drawn != draws:
        raise Wrong("dropout in other places", f"{drawn} draws, expected {draws}")
    if not draws:  # it is there with a ratio of 0
        return
    with torch.no_grad():
        a, b = module.train()(*s.args()), module(*s.args())
        c, d = module.eval()(*s.args()), module(*s.args())
    require_equal(c, d, "outputs of two runs in eval mode", 0)
    try:
        require_equal(a, b, "", 1e-6)
    except Wrong:
        return
    raise Wrong("dropout is not active in train mode")
