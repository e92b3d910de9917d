"""What other packages do with a module, which find its parts by class and by name."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile

import torch
from torch import nn
from torch.nn import functional as F

from ..compare import (
    Wrong,
    cloned,
    gradients_of,
    listed,
    loss_of,
    require_equal,
    require_gradients,
    tensors,
)
from ..exports import ROOT
from ..subject import Subject
from . import Skip, column
from .values import scrambled

PACKAGES = ROOT / "build/zoo/ecosystem"


def package(name: str):
    """The module of that name, of the packages that only these columns see."""
    if str(PACKAGES) not in sys.path:
        sys.path.append(str(PACKAGES))
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise Skip(f"{name} is not installed") from e


def linears(s: Subject) -> list[str]:
    """Names of the original's."""
    return [n for n, m in s.original.named_modules() if type(m) is nn.Linear]


def adaptable(s: Subject) -> list[str]:
    """Names of the original's linears, and of GPT-2's Conv1Ds. No head that is tied to an embedding: what is merged into
    one moves the other."""
    tied = {id(m.weight) for m in s.original.modules() if isinstance(m, nn.Embedding)}
    linear = lambda m: type(m) is nn.Linear or type(m).__name__ == "Conv1D"  # noqa: E731
    return [n for n, m in s.original.named_modules() if linear(m) and id(m.weight) not in tied]


def adapted(s: Subject, targets) -> None:
    """A LoRA adapter: changes nothing at first, is all that a step moves, and can be merged."""
    peft = package("peft")
    model = peft.get_peft_model(s.module(), peft.LoraConfig(r=2, target_modules=targets))
    with torch.no_grad():
        require_equal(model(*s.args()), s.reference(), "outputs with a new adapter")
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    if not trained or not all("lora_" in n for n in trained):
        raise Wrong("LoRA trains other parameters", listed(trained))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss_of(model(*s.args())).backward()
    optimizer.step()
    with torch.no_grad():
        tuned = model.eval()(*s.args())
        require_equal(model.merge_and_unload()(*s.args()), tuned, "outputs with the adapter merged")


@column("lora by name", ecosystem=True)
def lora(s: Subject):
    """PEFT's LoRA in the linears of the original's names."""
    names, there = adaptable(s), dict(s.module().named_modules())
    if missing := [n for n in names if n not in there]:
        raise Wrong("no module of the original's name", f"{len(missing)} of {len(names)}: {listed(missing)}")
    adapted(s, names)


@column("lora all-linear", ecosystem=True)
def lora_all_linear(s: Subject):
    adapted(s, "all-linear")


@column("quantize_", ecosystem=True)
def torchao_quantize(s: Subject):
    """torchao's quantize_: as many linears as in the original, outputs near."""
    ao = package("torchao.quantization")

    def quantized(module):
        ao.quantize_(module, ao.Int8WeightOnlyConfig())
        changed = [n for n, p in module.named_parameters() if type(p.data) is not torch.Tensor or type(p) is not nn.Parameter]
        with torch.no_grad():
            return changed, module(*s.args())

    changed, got = quantized(s.module())
    want, _ = quantized(s.module_of_original()) if not s.converted else (linears(s), None)
    if len(changed) != len(want):
        raise Wrong("another count of quantised linears", f"{len(changed)}, expected {len(want)}")
    require_equal(got, s.reference(), "outputs with int8 weights", 0.1)


def pt2e(s: Subject, qat: bool) -> None:
    package("torchao")
    from torchao.quantization.pt2e import quantize_pt2e as q
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config(is_qat=qat))
    program = torch.export.export(s.module(), s.args()).module()
    prepared = (q.prepare_qat_pt2e if qat else q.prepare_pt2e)(program, quantizer)
    loss_of(prepared(*s.args())).backward()
    if qat and not any(p.grad is not None and p.grad.abs().max() > 0 for p in prepared.parameters()):
        raise Wrong("QAT gives no gradient")
    converted = q.convert_pt2e(prepared)
    with torch.no_grad():
        require_equal(converted(*s.args()), s.reference(), "quantised outputs", 0.3)
    if not any("quantize_per" in str(n.target) for n in converted.graph.nodes):
        raise Wrong("nothing was quantised")


@column("pt2e", ecosystem=True)
def pt2e_static(s: Subject):
    pt2e(s, False)


@column("pt2e qat", ecosystem=True)
def pt2e_qat(s: Subject):
    pt2e(s, True)


@column("lightning", ecosystem=True)
def lightning(s: Subject):
    """Two steps of Lightning's Trainer, and its checkpoint into a module of random weights."""
    pl = package("pytorch_lightning")

    class Tuned(pl.LightningModule):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def training_step(self, batch, _):
            return loss_of(self.module(*batch))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-3)

    tuned = Tuned(s.module())
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False,
                             enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder)  # fmt: skip
        trainer.fit(tuned, torch.utils.data.DataLoader([s.args()], batch_size=None))
        trainer.save_checkpoint(f"{folder}/tuned.ckpt")
        state = torch.load(f"{folder}/tuned.ckpt", weights_only=True)["state_dict"]
    other = Tuned(scrambled(s.module()))
    other.load_state_dict(state)
    with torch.no_grad():
        require_equal(other.module.eval()(*s.args()), tuned.module.eval()(*s.args()), "outputs of the checkpoint")


def in_two_processes(function, *args) -> None:
    """Runs function(rank, *args) with a gloo group; raises what the first raises."""
    with tempfile.TemporaryDirectory() as folder:
        context = torch.multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        ranks = [context.Process(target=_rank, args=(r, f"{folder}/store", queue, function, args)) for r in (0, 1)]
        for p in ranks:
            p.start()
        errors = [queue.get() for _ in ranks]
        for p in ranks:
            p.join(10)
    for e in errors:
        if e is not None:
            raise e


def _rank(rank: int, store: str, queue, function, args) -> None:
    from ..cells import kind_of

    error = None
    try:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
        function(rank, *args)
    except Exception as e:
        error = Wrong(kind_of(e), str(e)[:800])
    queue.put(error)
    os._exit(0)


def expected_step(s: Subject) -> dict[str, torch.Tensor]:
    """Gradients of the module by itself."""
    return {n: g.clone() for n, g in gradients_of(s.module(), s.args()).items() if g is not None}


def _ddp(rank: int, s: Subject, want: dict) -> None:
    module = nn.parallel.DistributedDataParallel(s.module(), find_unused_parameters=True)
    got = gradients_of(module, s.args())
    require_gradients({n.removeprefix("module."): g for n, g in got.items()}, want)


@column("ddp", ecosystem=True)
def ddp(s: Subject):
    in_two_processes(_ddp, s, expected_step(s))


def _fsdp(rank: int, s: Subject, want: dict, leaves: bool) -> None:
    from torch.distributed.fsdp import fully_shard

    module = s.module()
    if leaves:
        for child in [m for m in module.modules() if not list(m.children()) and list(m.parameters(recurse=False))]:
            if child is not module:
                fully_shard(child)
    fully_shard(module)
    require_equal(module(*s.args()), s.reference(), "outputs of the sharded module")
    got = gradients_of(module, s.args())
    require_gradients({n: g if g is None else g.full_tensor() for n, g in got.items()}, want)


@column("fsdp2 root", ecosystem=True)
def fsdp_root(s: Subject):
    in_two_processes(_fsdp, s, expected_step(s), False)


@column("fsdp2 leaves", ecosystem=True)
def fsdp_leaves(s: Subject):
    in_two_processes(_fsdp, s, expected_step(s), True)


def _tensor_parallel(rank: int, s: Subject, names: list[str]) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    plan = {n: ColwiseParallel(output_layouts=Replicate()) for n in names}
    module = parallelize_module(s.module(), init_device_mesh("cpu", (2,)), plan)
    sharded = [n for n, p in module.named_parameters() if type(p.data) is not torch.Tensor and n.endswith("weight")]
    if len(sharded) != len(names):
        raise Wrong("tensor parallel: another count of sharded linears", f"{len(sharded)}, expected {len(names)}")
    with torch.no_grad():
        require_equal(module(*s.args()), s.reference(), "outputs of the parallel module")


@column("tensor parallel", ecosystem=True)
def tensor_parallel(s: Subject):
    """Every linear by the original's name, split by columns over two processes."""
    tied = {id(m.weight) for m in s.original.modules() if isinstance(m, nn.Embedding)}
    names = [n for n in linears(s) if id(s.original.get_submodule(n).weight) not in tied]
    in_two_processes(_tensor_parallel, s, names)


@column("hooks by name", own=True, ecosystem=True)
def hooks(s: Subject):
    """Forward hooks on the original's leaf modules: the same outputs under the same names."""
    folded = s.folded_batch_norms()
    leaves = [
        n for n, m in s.original.named_modules()
        if next(m.parameters(recurse=False), None) is not None and n and n not in folded
    ]  # fmt: skip

    def seen(module, args):
        found: dict[str, list] = {}
        there = dict(module.named_modules(remove_duplicate=False))
        handles = [
            there[n].register_forward_hook(lambda m, a, y, n=n: found.setdefault(n, []).append(tensors(y)))
            for n in leaves if n in there
        ]  # fmt: skip
        with torch.no_grad():
            module(*args)
        for h in handles:
            h.remove()
        return found

    want, got = seen(s.module_of_original(), s.model_args()), seen(s.module(), s.args())
    if missing := [n for n in want if n not in got]:
        raise Wrong("no module of the original's name", f"{len(missing)} of {len(want)}: {listed(missing)}")
    if not folded:
        for n, y in want.items():
            require_equal(got[n], y, "outputs seen by hooks", 1e-3)


@column("prepare_fx", ecosystem=True)
def prepare_fx(s: Subject):
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    prepared = prepare_fx(s.module(), get_default_qconfig_mapping("x86"), s.args())
    with torch.no_grad():
        [prepared(*s.args(size)) for size in s.sizes]
        require_equal(prepared(*s.args()), s.reference(), "outputs of the prepared module")
        convert_fx(prepared)


@contextlib.contextmanager
def counted(function):
    """A list with an entry for each call of the function."""
    calls: list[int] = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, f, types, args=(), kwargs=None):
            if f is function:
                calls.append(1)
            return f(*args, **(kwargs or {}))

    with Mode():
        yield calls


_PATTERNS = {
    F.gelu: (lambda x: F.gelu(x), lambda x: F.silu(x), nn.GELU),
    F.relu: (lambda x: F.relu(x), lambda x: F.elu(x), nn.ReLU),
    torch.relu: (lambda x: torch.relu(x), lambda x: F.elu(x), ()),
}


@column("replace_pattern", own=True, ecosystem=True)
def replace_pattern(s: Subject):
    """gelu(x) by silu(x), relu(x) by elu(x): as many places, or modules, as the original calls; in one graph."""
    from onnx_to_fx import flatten

    found: dict[str, int] = {}
    want: dict[str, int] = {}
    for function, (old, new, kind) in _PATTERNS.items():
        name, module = function.__name__, flatten(s.module())
        with counted(function) as calls, torch.no_grad():
            s.module_of_original()(*s.model_args())
        want[name] = want.get(name, 0) + len(calls)
        modules = [n for n in module.graph.nodes if n.op == "call_module"]
        found[name] = found.get(name, 0) + sum(isinstance(module.get_submodule(n.target), kind) for n in modules)
        found[name] += len(torch.fx.replace_pattern(module, old, new))
    if found != want:
        raise Wrong("replace_pattern finds another count", f"{found}, expected {want}")


@column("checkpoint", ecosystem=True)
def checkpoint(s: Subject):
    """torch.utils.checkpoint of the whole: the same gradients."""
    from torch.utils.checkpoint import checkpoint

    module = s.module()
    want = {n: g.clone() for n, g in gradients_of(module, s.args()).items() if g is not None}
    module.zero_grad()
    loss_of(checkpoint(module, *cloned(s.args()), use_reentrant=False)).backward()
    require_gradients({n: p.grad for n, p in module.named_parameters(remove_duplicate=False)}, want)
