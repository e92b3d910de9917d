"""Weightless modules under FSDP2: two processes, each of which reads only its own shards."""

import datetime
import os
import queue
import re
import socket
import traceback

import bindings
import models
import onnx
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from bindings import exported, package, run, tensors
from onnx import helper
from onnx_to_fx import BindError, bind, convert_onnx_to_fx, shard_placement
from torch import nn

WORLD, SECONDS = 2, 120


def in_processes(work, *args):
    """[work(rank, mesh, *args) for each rank]. What fails, hangs or dies fails the test."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_process, args=(results, work, rank, port, args), daemon=True)
        for rank in range(WORLD)
    ]
    for p in processes:
        p.start()
    try:
        got = dict(_next(results, processes) for _ in processes)
    finally:
        for p in processes:
            p.join(5)
            if p.is_alive():
                p.kill()
                p.join()
    return [got[rank] for rank in range(WORLD)]


def _next(results, processes):
    for _ in range(SECONDS):
        try:
            rank, result, failure = results.get(timeout=1)
        except queue.Empty:
            dead = [p.exitcode for p in processes if p.exitcode not in (None, 0)]
            assert not dead, f"a process ended with {dead}"
            continue
        assert failure is None, f"rank {rank}:\n{failure}"
        return rank, result
    raise AssertionError(f"no result after {SECONDS} seconds")


def _process(results, work, rank, port, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    try:
        timeout = datetime.timedelta(seconds=SECONDS // 2)
        dist.init_process_group("gloo", rank=rank, world_size=WORLD, timeout=timeout)
        mesh = dist.device_mesh.init_device_mesh("cpu", (WORLD,))
        results.put((rank, work(rank, mesh, *args), None))
        dist.barrier()
        dist.destroy_process_group()
    except BaseException:
        results.put((rank, None, traceback.format_exc()))
        raise


# ---- the loss


def shard(module, mesh, how):
    from torch.distributed.fsdp import fully_shard

    calls = [n.target for n in module.graph.nodes if n.op == "call_module"]
    if how == "each Linear":
        for path in calls:
            if isinstance(module.get_submodule(path), nn.Linear):
                fully_shard(module.get_submodule(path), mesh=mesh)
    if how == "groups":
        children = [module.get_submodule(path) for path in calls]
        fully_shard([m for m in children[1:6] if any(True for _ in m.parameters())], mesh=mesh)
    rows = shard_placement(module, mesh.size()) if how == "rows" else None
    fully_shard(module, mesh=mesh, shard_placement_fn=rows)


def losses(module, batches):
    """Of three steps of SGD, each with the mean over the outputs of one batch."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    result = []
    for args in batches:
        y = module(*args)
        loss = (y[0] if isinstance(y, tuple) else y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        result.append(loss.item())
    return result


def batches(name):
    args = bindings.arguments(name)
    return [tuple(torch.cat([a.roll(i, -1)] * 2)[:4] for a in args) for i in range(3)]


def train(rank, mesh, cases):
    """For each case its losses on this process's part of the batch, and its placements."""
    results = []
    for name, path, source, how in cases:
        module = convert_onnx_to_fx(path, weights="meta")
        shard(module, mesh, how)
        bind(module, source)
        own = [tuple(a[2 * rank : 2 * rank + 2] for a in args) for args in batches(name)]
        found = losses(module, own)
        results.append((found, {str(p.placements) for p in module.parameters()}))
    return results


CASES = [
    ("mlp", "dynamo", "file", "whole"),
    ("mlp", "dynamo", "file", "each Linear"),
    ("bert", "legacy", "file", "rows"),
    ("bert", "legacy", "safetensors", "groups"),
    ("gpt2", "dynamo", "file", "whole"),
    ("gpt2", "dynamo", "file", "rows"),
    ("llama", "dynamo", "file", "each Linear"),
    ("llama", "legacy", "package", "rows"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Case -> [train's result for each rank]."""
    cases = []
    for name, exporter, kind, how in CASES:
        path = source = exported(name, exporter)
        if kind != "file":
            mode = "copy" if kind == "safetensors" else "reference"
            source = package(path, tmp_path_factory.mktemp("packages") / "out", mode)
        cases.append((name, path, source + "/weights.safetensors" * (kind == "safetensors"), how))
    ranks = in_processes(train, cases)
    return dict(zip(CASES, zip(*ranks)))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_loss_is_that_of_one_process(trained, case):
    """The batch is split over the processes: the mean of their losses is that of the whole."""
    name, exporter, _, how = case
    expected = losses(convert_onnx_to_fx(exported(name, exporter)), batches(name))
    assert expected[0] != pytest.approx(expected[2], rel=1e-3)  # the steps did something
    for step, wanted in enumerate(expected):
        got = sum(found[step] for found, _ in trained[case]) / WORLD
        assert got == pytest.approx(wanted, rel=1e-5)
    assert ("(Shard(dim=1),)" in trained[case][0][1]) == (how == "rows")


# ---- what is read


def tall():
    """64 MB: a Gemm with transB, stored as torch has it, and a MatMul, transposed."""
    nodes = [
        helper.make_node("Gemm", ["x", "a", "c"], ["h"], transB=1, name="up"),
        helper.make_node("MatMul", ["h", "b"], ["y"], name="down"),
    ]
    weights = {
        "a": models.floats(8192, 1024, seed=1),
        "c": models.floats(8192, seed=2),
        "b": models.floats(8192, 1024, seed=3),
    }
    return models.model(nodes, {"x": [2, 1024]}, {"y": [2, 1024]}, weights)


def reads(rank, mesh, model, files):
    """For each (source, the file with its bytes, how it is sharded): bytes of the file mapped in,
    bytes read by calls, bytes of this process's parameters, their sum."""
    results = []
    for source, data, how in files:
        module = convert_onnx_to_fx(model, weights="meta")
        if how != "not at all":
            shard(module, mesh, how)
        before = resident(data), called()
        bind(module, source)
        own = [p.to_local() if how != "not at all" else p for p in module.parameters()]
        total = sum(float(p.detach().sum(dtype=torch.float64)) for p in own)
        mapped, read = resident(data) - before[0], called() - before[1]
        results.append((mapped, read, sum(p.numel() * p.itemsize for p in own), total))
    return results


def resident(path):
    """Bytes of the file's pages that this process has in its page tables."""
    total, inside = 0, False
    with open("/proc/self/smaps") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                inside = line.rstrip().endswith(os.path.basename(path))
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def called():
    """Bytes that this process read by read() and its like, which no mapping shows."""
    with open("/proc/self/io") as f:
        return int(f.readline().split()[1])


# A fault may map a whole huge page of the page cache: at both ends of the shards of three tensors.
SLACK = 6 * (2 << 20)
KINDS = ["external", "external unaligned", "embedded", "safetensors"]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """(kind, how) -> [reads' result for each rank]; sum of all values."""
    proto, files = tall(), {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("read")
        model = source = bindings.external(proto, folder, 3 if "unaligned" in kind else 0)
        data = str(folder / "w.data")
        if kind == "embedded":
            source = data = str(folder / "embedded.onnx")
            onnx.save(proto, data)
        elif kind == "safetensors":
            source = data = package(model, folder / "out", "copy") + "/weights.safetensors"
        for how in ("rows", "not at all"):
            files[kind, how] = source, data, how
        with open(data, "rb") as f:
            f.read()  # into the page cache: all of it could be mapped
    ranks = in_processes(reads, model, list(files.values()))
    parameters = convert_onnx_to_fx(proto).parameters()
    total = sum(float(p.detach().sum(dtype=torch.float64)) for p in parameters)
    return dict(zip(files, zip(*ranks))), total


@pytest.mark.parametrize("kind", KINDS)
def test_each_process_reads_only_its_own_shards(read, kind):
    size = 4 * (2 * 8192 * 1024 + 8192)
    by_kind, total = read
    for mapped, called, own, _ in by_kind[kind, "rows"]:
        assert own == size // WORLD
        assert mapped <= own + SLACK
        assert called < 1 << 20  # a header, the graph
    assert sum(part for *_, part in by_kind[kind, "rows"]) == pytest.approx(total)


@pytest.mark.parametrize("kind", ["external", "safetensors"])
def test_what_is_mapped_shows_what_is_read(read, kind):
    """Without shards: so the test above would see it if all was read."""
    for mapped, _, own, total in read[0][kind, "not at all"]:
        assert mapped > own - SLACK
        assert total == pytest.approx(read[1])


# ---- what else holds


def said(what, *args):
    try:
        what(*args)
    except (NotImplementedError, RuntimeError, BindError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def whole(path, mesh, weights="meta", first=(), layout="contiguous", blocks="nested"):
    """The root sharded, after the modules at `first`."""
    from torch.distributed.fsdp import fully_shard

    module = convert_onnx_to_fx(path, weights=weights, weights_layout=layout, blocks=blocks)
    for child in first:
        fully_shard(module.get_submodule(child), mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def other_things(rank, mesh, mlp, gpt2, odd):
    args, found = bindings.arguments("mlp"), {}
    sharded, other = bind(whole(mlp, mesh), mlp), whole(mlp, mesh)
    wrong = {k: v.detach().clone() for k, v in tensors(convert_onnx_to_fx(mlp)).items()}
    wrong["0.weight"] = wrong["0.weight"][:1]
    found["wrong shape"] = said(bind, other, wrong)
    found["nothing bound"] = all(p.to_local().is_meta for p in other.parameters())

    bind(other, tensors(sharded))
    found["DTensors"] = torch.equal(run(other, *args)[0], run(sharded, *args)[0])
    plain = convert_onnx_to_fx(mlp, weights="meta")
    found["DTensors for none"] = said(bind, plain, tensors(bind(whole(mlp, mesh), mlp)))

    run(other, *args)  # the root keeps what it has gathered for this
    bind(other, lambda path, tensor: tensor.fill_(0.5), only="*bias")
    biases = [p for path, p in other.named_parameters() if path.endswith("bias")]
    found["filled"] = sorted({v for p in biases for v in p.full_tensor().tolist()})

    module = convert_onnx_to_fx(odd, weights="meta")
    shard(module, mesh, "rows")
    found["unequal"] = run(bind(module, odd), torch.ones(2, 4))[0].tolist()

    run_gpt2 = lambda module: run(bind(module, gpt2), *bindings.arguments("gpt2"))  # noqa: E731
    found["with weights"] = said(whole, gpt2, mesh, "reference", (), "view")
    found["laid out"] = said(whole, gpt2, mesh, "reference")
    found["a block"] = torch.equal(
        run_gpt2(whole(gpt2, mesh, first=["h.0"]))[0], run_gpt2(whole(gpt2, mesh))[0]
    )
    found["a container"] = said(run_gpt2, whole(gpt2, mesh, first=["h.0"], blocks="flat"))
    found["half of a tie"] = said(run_gpt2, whole(gpt2, mesh, first=["lm_head"]))
    return found


@pytest.fixture(scope="module")
def others():
    with bindings.saved(models.mlp(5)) as odd:
        expected = run(convert_onnx_to_fx(odd), torch.ones(2, 4))[0]
        return in_processes(other_things, exported("mlp"), exported("gpt2"), odd), expected


def test_what_does_not_fit_is_reported_and_nothing_is_bound(others):
    for found in others[0]:
        assert found["wrong shape"] == (
            "BindError: bind: the state dict: does not fit the module: 1 wrong\n"
            "  wrong: 0.weight: expected shape [512, 64], got [1, 64]"
        )
        assert found["nothing bound"]


def test_tensors_that_are_sharded_alike(others):
    for found in others[0]:
        assert found["DTensors"]
        assert "  wrong: 0.weight: expected a plain tensor, got a DTensor\n" in (
            found["DTensors for none"]
        )


def test_sharded_weights_are_overwritten_after_a_forward(others):
    assert [found["filled"] for found in others[0]] == [[0.5], [0.5]]


def test_shards_of_unequal_size(others):
    """Five rows, of which two processes hold three and two."""
    for found in others[0]:
        torch.testing.assert_close(torch.tensor(found["unequal"]), others[1])


def test_traps_that_the_documentation_names(others):
    for found in others[0]:
        assert found["with weights"].startswith(
            "NotImplementedError: FSDP does not support non-contiguous parameters yet"
        )
        assert found["laid out"] == "nothing"
        assert found["a block"]
        assert "got mixed torch.Tensor and DTensor" in found["a container"]
        assert found["half of a tie"].startswith("BindError: ")
        assert "does not fit the module: 1 missing\n" in found["half of a tie"]
