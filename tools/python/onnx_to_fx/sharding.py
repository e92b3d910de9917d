"""Modules whose parameters are spread over processes: FSDP2 (``fully_shard``), or any DTensor.

Convert without weights, shard, bind; each process reads its own shards from the mapped file::

    module = convert_onnx_to_fx("model.onnx", weights="meta")
    fully_shard(module, mesh=mesh, shard_placement_fn=shard_placement(module, mesh.size()))
    bind(module, "model.onnx")

What to know of ``fully_shard`` on a module that onnx_to_fx made (torch 2.13):

* The order is convert, shard, bind, optimizer: no process reads more than its shards. A module that
  has its weights can be sharded, too, but for one of ``weights_layout="view"`` ("does not support
  non-contiguous parameters").
* Where the exporter said the author's modules, they are called, and each can be a group of its
  own, before the root, which takes the rest::

      for layer in module.model.layers:
          fully_shard(layer, mesh=mesh)
      fully_shard(module, mesh=mesh)

* Only what a graph calls runs FSDP's hooks. In a flat module (``blocks="flat"``, or a file that says
  no modules) that is the root and the nn modules (nn.Linear, ...). The plain containers between
  them, such as ``layers.0``, are never called: ``fully_shard`` on one takes its parameters and never
  gathers them ("got mixed torch.Tensor and DTensor"). There, shard a block as one group of the
  modules that are called::

      calls = [n.target for n in module.graph.nodes if n.op == "call_module"]
      fully_shard([module.get_submodule(path) for path in calls[1:8]], mesh=mesh)
      fully_shard(module, mesh=mesh)

* Parameters that the graph reads itself (``get_attr``: the weight of an RMSNorm, ...) belong to the
  root's group, as nothing else is called around their use.
* A tied weight has to be in one group: leave its modules to the root, or pass them as one list.
  Else it falls into two parameters, of which bind reports one as missing.
* ``load_state_dict(assign=True)`` with plain tensors ends in an error of torch; bind takes them.
* Buffers are not sharded: every process holds them whole.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Callable, TypeGuard

import torch
from torch import nn

from .notes import notes_of

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor, Shard


def is_sharded(tensor: Any) -> TypeGuard[DTensor]:
    """Is it a DTensor? Does not import torch.distributed for the answer."""
    dtensors = sys.modules.get("torch.distributed.tensor")
    return dtensors is not None and isinstance(tensor, dtensors.DTensor)


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This process's part of a DTensor; another tensor as it is."""
    return tensor._local_tensor if is_sharded(tensor) else tensor


def reshard(module: nn.Module) -> None:
    """Gives back what FSDP2 has gathered, so that the module holds its own shards again."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    if fsdp is None:
        return
    for child in module.modules():
        if isinstance(child, fsdp.FSDPModule):
            child.reshard()


def block(tensor: DTensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(offsets, shape) of this process's part in the whole tensor.

    Raises:
      ValueError: a placement other than Shard and Replicate.
    """
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    for placement in tensor.placements:
        if type(placement) not in (Shard, Replicate):
            raise ValueError(f"placement: expected Shard or Replicate, got {placement}")
    shape, offsets = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )
    if not math.prod(shape):
        return (0,) * tensor.ndim, shape
    return offsets, shape


def with_local(tensor: DTensor, part: torch.Tensor) -> DTensor:
    """A DTensor like `tensor` whose part in this process is `part`."""
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(
        part,
        tensor.device_mesh,
        tensor.placements,
        run_check=False,
        shape=tensor.shape,
        stride=tensor.stride(),
    )


def shard_placement(
    module: nn.Module, shards: int
) -> Callable[[nn.Parameter], Shard | None]:
    """The `shard_placement_fn` of ``fully_shard`` by which a shard is one range of the model file.

    A weight that the file holds transposed ([in, out], as MatMul takes it) is sharded along dim 1
    of the nn.Linear, so that each shard is one range of the file; others, and those that `shards`
    does not divide evenly, along dim 0 as usual. Without it binding works just as well, but a
    shard of such a weight is a piece of every row, and the pages between are read along.

    Args:
      module: weightless or not; its parameters are looked up by identity.
      shards: processes that a parameter is spread over.
    """
    stored = {
        t["path"] for t in notes_of(module).get("tensors", ()) if t["transposed"]
    }
    turned = {
        id(p)
        for path, p in module.named_parameters(remove_duplicate=False)
        if path in stored and p.shape[1] % shards == 0
    }

    def placement(parameter: nn.Parameter) -> Shard | None:
        from torch.distributed.tensor import Shard

        return Shard(1) if id(parameter) in turned else None

    return placement
