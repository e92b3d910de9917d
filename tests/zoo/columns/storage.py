"""Copies, files and state dicts."""

from __future__ import annotations

import copy
import io
import tempfile

import torch

from ..compare import Wrong, listed, require_equal
from ..subject import Subject
from . import column
from .values import scrambled


def require_same(s: Subject, module: torch.nn.Module, what: str = "outputs") -> None:
    with torch.no_grad():
        require_equal(module.eval()(*s.args()), s.reference(), what)


@column("deepcopy", quick=True)
def deepcopy(s: Subject):
    """A copy takes its source's state dict, and the source the copy's."""
    module = s.module()
    copied = copy.deepcopy(module)
    for a, b in ((copied, module), (module, copied)):
        a.load_state_dict(b.state_dict())
    require_same(s, copied)
    averaged = torch.optim.swa_utils.AveragedModel(module)
    averaged.update_parameters(module)
    require_same(s, averaged, "outputs of the AveragedModel")


@column("torch.save", quick=True)
def whole_module(s: Subject):
    """torch.save and torch.load of the whole module."""
    file = io.BytesIO()
    torch.save(s.module(), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    require_same(s, loaded)
    loaded.load_state_dict(s.module().state_dict())


def saved(state: dict) -> dict:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


@column("state: random", quick=True)
def state_into_random(s: Subject):
    """The state dict through a file into a module whose weights were drawn."""
    module = s.module("random")
    module.load_state_dict(saved(s.module().state_dict()))
    require_same(s, module)


@column("state: meta", quick=True)
def state_into_meta(s: Subject):
    """The state dict through a file into a module without weights."""
    module = s.module("meta")
    module.load_state_dict(saved(s.module().state_dict()), assign=True)
    left = [n for n, t in [*module.named_parameters(), *module.named_buffers()] if t.is_meta]
    if left:
        raise Wrong("tensors stay on the meta device", f"{len(left)}: {listed(left)}")
    require_same(s, module)


@column("safetensors", quick=True)
def safetensors_files(s: Subject):
    """save_model and load_model; then the plain state dict, which must be contiguous and unshared."""
    from safetensors.torch import load, load_model, save, save_model

    module = scrambled(s.module())
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
        save_model(s.module(), f.name)
        load_model(module, f.name)
    require_same(s, module)
    state = s.module().state_dict()
    if len({t.untyped_storage().data_ptr() for t in state.values()}) < len(state):
        tied = [k for k, _ in s.original.named_parameters(remove_duplicate=False)]
        if len(tied) > len(list(s.original.parameters())):
            return "tied: save_model only"
    module = scrambled(s.module())
    module.load_state_dict(load(save(state)))
    require_same(s, module, "outputs after load_state_dict")
    return None


@column("contiguous", quick=True)
def contiguous(s: Subject):
    """What FSDP2, prune and parameters_to_vector ask for."""
    module = s.module()
    views = [n for n, p in module.named_parameters() if not p.is_contiguous()]
    if views:
        raise Wrong("parameters that are not contiguous", f"{len(views)}: {listed(views)}")
    torch.nn.utils.parameters_to_vector(module.parameters())
