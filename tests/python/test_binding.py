"""bind: every source, what it checks, what it leaves alone; load_state_dict without weights."""

import contextlib
import copy
import json
import os
import re
import shutil

import bindings
import models
import onnx
import pytest
import safetensors.torch
import torch
from bindings import arguments, exported, names, package, run, sharded, tensors
from onnx import helper
from onnx_to_fx import (
    BindError,
    ConversionError,
    PackageError,
    bind,
    convert_onnx_to_fx,
    fake_mode,
    load,
)
from torch import nn

MODELS = [("mlp", "dynamo"), ("bert", "legacy"), ("bert", "dynamo"), ("gpt2", "dynamo")]
MODELS += [("llama", "dynamo"), ("llama", "legacy")]
X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def meta(model=None, **options):
    return convert_onnx_to_fx(model or models.mlp(), weights="meta", **options)


def check_equal(module, reference, *args):
    """Every tensor bit by bit, and with arguments every output."""
    expected = tensors(reference)
    for path, value in tensors(module).items():
        assert value.shape == expected[path].shape and value.dtype == expected[path].dtype
        assert same_bits(value, expected[path]), path
        assert value.requires_grad == expected[path].requires_grad
    assert tensors(module).keys() == expected.keys()
    if args:
        for got, wanted in zip(run(module, *args), run(reference, *args), strict=True):
            assert torch.equal(got, wanted)


def same_bits(a, b):
    flat = [t.detach().contiguous().view(-1).view(torch.uint8) for t in (a, b)]
    return torch.equal(*flat)


# ---- sources


def source(kind, path, folder, reference):
    if kind == "file":
        return path
    if kind == "proto":
        return onnx.load(path)
    if kind == "bytes":
        return onnx.load(path).SerializeToString()
    if kind.startswith("package"):
        return package(path, folder / "package", kind.partition(" ")[2])
    if kind == "safetensors":
        return package(path, folder / "package", "copy") + "/weights.safetensors"
    if kind == "sharded":
        return sharded(reference, folder / "sharded")
    if kind == "index":
        return sharded(reference, folder / "sharded") + "/model.safetensors.index.json"
    if kind == "paths":
        return {k: v.detach().clone() for k, v in tensors(reference).items()}
    if kind == "state dict":
        return reference.state_dict()
    assert kind == "names"
    turned = {t["path"]: t["transposed"] for t in reference.meta["onnx2fx"]["tensors"]}
    by_path = tensors(reference)
    return {
        name: (by_path[p].t() if turned[p] else by_path[p]).detach().clone()
        for p, name in names(reference).items()
    }


KINDS = ["file", "proto", "bytes", "package copy", "package reference", "safetensors"]
KINDS += ["sharded", "index", "paths", "state dict", "names"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name, exporter", MODELS)
def test_every_source_gives_what_the_conversion_gives(tmp_path, name, exporter, kind):
    path = exported(name, exporter)
    reference = convert_onnx_to_fx(path)
    module = convert_onnx_to_fx(path, weights="meta")
    assert any(t.is_meta for t in tensors(module).values())
    assert bind(module, source(kind, path, tmp_path, reference)) is module
    check_equal(module, reference, *arguments(name))


def test_a_loaded_package_takes_the_model_file(tmp_path):
    path = exported("bert", "legacy")
    module = load(package(path, tmp_path / "out", "meta"))
    bind(module, path)
    check_equal(module, convert_onnx_to_fx(path), *arguments("bert"))


@pytest.mark.parametrize("dialect", ["nn", "aten"])
@pytest.mark.parametrize("kind", ["file", "proto", "paths", "names"])
def test_weights_wherever_a_model_has_them(tmp_path, kind, dialect):
    path = tmp_path / "m.onnx"
    onnx.save(bindings.everywhere(), path)
    reference = convert_onnx_to_fx(path, dialect=dialect)
    module = convert_onnx_to_fx(path, weights="meta", dialect=dialect)
    given = source(kind, str(path), tmp_path, reference)
    if kind == "names":  # both branches have a "w": only the path tells which is which
        assert sorted(names(reference).values()).count("w") == 2
        with pytest.raises(BindError, match=r": 1 missing\n  missing: w_1: "):
            bind(module, given)
        given |= {p: tensors(reference)[p].detach() for p in ("w", "w_1")}
    bind(module, given)
    args = torch.ones(20, 20), torch.tensor(True)
    check_equal(module, reference, *args)
    check_equal(module, reference, args[0], ~args[1])


@pytest.mark.parametrize("gap", [0, 3])
def test_external_data_aligned_or_not(tmp_path, gap):
    path = bindings.external(models.mlp(200), tmp_path, gap)
    module = bind(meta(path), path)
    check_equal(module, convert_onnx_to_fx(models.mlp(200)), X)


def test_external_data_of_a_model_in_memory(tmp_path):
    path = bindings.external(models.mlp(200), tmp_path)
    proto, reference = onnx.load(path, load_external_data=False), convert_onnx_to_fx(path)
    module = meta(proto)
    with pytest.raises(ConversionError, match="w.data"):
        bind(module, proto)
    check_equal(bind(module, proto, directory=tmp_path), reference, X)
    check_equal(bind(meta(proto, directory=tmp_path), proto), reference, X)


def test_external_data_that_is_missing(tmp_path):
    path = bindings.external(models.mlp(), tmp_path)
    module = meta(path)
    os.unlink(tmp_path / "w.data")
    with pytest.raises(ConversionError, match=r"w\.data' is missing"):
        bind(module, path)
    assert all(p.is_meta for p in module.parameters())


@pytest.mark.parametrize("kind", ["file", "safetensors", "paths"])
def test_all_dtypes_scalars_and_empty_tensors(tmp_path, kind):
    path = tmp_path / "m.onnx"
    onnx.save(bindings.one_of_each_dtype(), path)
    reference = convert_onnx_to_fx(path, weights="copy")
    dtypes = {t.dtype for t in tensors(reference).values()}
    assert len(dtypes) >= 19
    module = bind(meta(path), source(kind, str(path), tmp_path, reference))
    check_equal(module, reference)


def recurrent():
    """An LSTM, whose weights torch wants in another order than ONNX."""
    weights = {"w": models.floats(1, 32, 6), "r": models.floats(1, 32, 8, seed=1)}
    weights["b"] = models.floats(1, 64, seed=2)
    nodes = [helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=8)]
    return models.model(nodes, {"x": [5, 2, 6]}, {"y": [5, 1, 2, 8]}, weights)


def prelu():
    """One slope for each channel, stored [C, 1, 1]."""
    nodes = [helper.make_node("PRelu", ["x", "slope"], ["y"])]
    x = {"x": [2, 3, 4, 4]}
    return models.model(nodes, x, {"y": [2, 3, 4, 4]}, {"slope": models.floats(3, 1, 1)})


@pytest.mark.parametrize("model, shape", [(recurrent(), (5, 2, 6)), (prelu(), (2, 3, 4, 4))])
def test_tensors_that_a_lowering_rearranged(model, shape):
    x = torch.randn(shape)
    check_equal(bind(meta(model), model), convert_onnx_to_fx(model), x)


def test_operators_that_nothing_lowers():
    node = helper.make_node("Unknown", ["x", "w"], ["y"], domain="com.example")
    model = models.model([node], {"x": [20]}, {"y": [20]}, {"w": models.floats(300)})
    module = bind(meta(model, keep_going=True), model)
    check_equal(module, convert_onnx_to_fx(model, keep_going=True))


def test_options_of_the_conversion_are_those_of_the_source():
    options = {"frozen": ["w1"], "trainable": ["b*"], "dialect": "aten"}
    module = bind(meta(**options), models.mlp())
    check_equal(module, convert_onnx_to_fx(models.mlp(), **options), X)


def batch_norm():
    names = ["scale", "bias", "mean", "var"]
    nodes = [helper.make_node("BatchNormalization", ["x", *names], ["y"])]
    weights = {n: abs(models.floats(300, seed=i)) for i, n in enumerate(names)}
    return models.model(nodes, {"x": [2, 300, 4]}, {"y": [2, 300, 4]}, weights)


def test_counters_of_batches_come_from_the_source_or_start_at_zero():
    reference = convert_onnx_to_fx(batch_norm())
    (counter,) = [k for k in reference.state_dict() if k.endswith("num_batches_tracked")]
    check_equal(bind(meta(batch_norm()), batch_norm()), reference, torch.randn(2, 300, 4))
    trained = {**reference.state_dict(), counter: torch.tensor(7)}
    assert bind(meta(batch_norm()), trained).state_dict()[counter] == 7
    del trained[counter]
    module = bind(meta(batch_norm()), trained)
    assert module.state_dict()[counter] == 0
    with torch.no_grad():
        module.state_dict()[counter].fill_(5)
    assert bind(module, trained).state_dict()[counter] == 5


# ---- what does not fit


def test_all_that_does_not_fit_is_listed_and_nothing_is_bound():
    module = meta()
    weights = dict(bind(meta(), models.mlp()).state_dict())
    path_of = {n: p for p, n in names(module).items()}
    fc1, fc2 = path_of["w1"], path_of["w2"]
    weights["more"] = torch.zeros(2)
    weights["most"] = torch.zeros(3, 3, dtype=torch.int64)
    weights[fc1] = weights[fc1].double()
    weights[path_of["b1"]] = weights[path_of["b1"]].long()
    weights[path_of["b2"]] = torch.zeros(4)
    del weights[fc2]
    with pytest.raises(BindError) as error:
        bind(module, weights)
    assert str(error.value) == (
        "bind: the state dict: does not fit the module: 1 missing, 2 extra, 3 wrong\n"
        f"  missing: {fc2}: float32[3, 8] (ONNX 'w2')\n"
        "  extra: more: float32[2]\n"
        "  extra: most: int64[3, 3]\n"
        f"  wrong: {fc1}: expected dtype float32, got float64 (cast=True converts it)\n"
        f"  wrong: {path_of['b1']}: expected dtype float32, got int64\n"
        f"  wrong: {path_of['b2']}: expected shape [3], got [4]\n"
        "note: strict=False leaves out what is missing or extra; "
        "rename= maps keys of the source to paths of the module"
    )
    assert error.value.missing == (fc2,) and error.value.extra == ("more", "most")
    assert set(error.value.wrong) == {fc1, path_of["b1"], path_of["b2"]}
    assert all(p.is_meta for p in module.parameters())
    with pytest.raises(BindError, match="does not fit the module: 3 wrong\n"):
        bind(module, weights, strict=False)
    assert all(p.is_meta for p in module.parameters())


def test_another_model_does_not_fit():
    other = models.mlp(16)
    module = meta()
    with pytest.raises(BindError, match=r"<memory>: does not fit the module: 3 wrong\n") as error:
        bind(module, other)
    assert all(text.startswith("expected shape [") for text in error.value.wrong.values())
    other.graph.initializer[0].name = "renamed"
    other.graph.node[0].input[1] = "renamed"
    with pytest.raises(BindError, match="1 missing, 1 extra, 2 wrong"):
        bind(module, other)


def test_one_name_with_the_shape_of_the_onnx_tensor_or_of_the_attribute():
    reference = convert_onnx_to_fx(models.mlp())
    path = {n: p for p, n in names(reference).items()}["w2"]
    attribute = tensors(reference)[path].detach()  # [3, 8]; the ONNX tensor is [8, 3]
    for weights in ({path: attribute}, {"w2": attribute.t()}):
        module = bind(meta(), weights, only=path)
        assert torch.equal(tensors(module)[path], attribute)
    for weights in ({path: attribute.t()}, {"w2": attribute}):
        with pytest.raises(BindError, match=r"expected shape \[3, 8\], got \[8, 3\]"):
            bind(meta(), weights, only=path)


def test_missing_and_extra_are_left_out_on_demand():
    reference = convert_onnx_to_fx(models.mlp()).state_dict()
    first, *rest = reference
    module = meta()
    bind(module, {**{k: reference[k] for k in rest}, "more": X}, strict=False)
    assert [k for k, v in module.state_dict().items() if v.is_meta] == [first]
    bind(module, {first: reference[first]}, strict=False)
    check_equal(module, convert_onnx_to_fx(models.mlp()), X)


def test_values_of_another_precision():
    reference = convert_onnx_to_fx(models.mlp())
    halves = {k: v.half() for k, v in reference.state_dict().items()}
    module = bind(meta(), halves, cast=True)
    assert all(p.dtype == torch.float32 for p in module.parameters())
    for path, value in module.state_dict().items():
        assert torch.equal(value, halves[path].float())
    with pytest.raises(BindError, match="6 wrong|4 wrong"):
        bind(meta(), {k: v.int() for k, v in halves.items()}, cast=True)


def test_tensors_without_values_are_no_source():
    with pytest.raises(BindError, match="expected values, got a tensor without any") as error:
        bind(meta(), meta().state_dict())
    assert len(error.value.wrong) == 4


def test_a_package_without_weights_lacks_them_all(tmp_path):
    path = exported("mlp")
    folder = package(path, tmp_path / "out", "meta")
    with pytest.raises(BindError, match="6 missing"):
        bind(meta(path), folder)


# ---- parts


def test_parts_by_glob():
    path = exported("bert", "legacy")
    reference, module = convert_onnx_to_fx(path), meta(path)
    every = set(tensors(module))
    before = {k for k, v in tensors(module).items() if not v.is_meta}
    bind(module, path, only="layers.0.*")
    bound = {k for k, v in tensors(module).items() if not v.is_meta} - before
    assert bound == {k for k in every if k.startswith("layers.0.")} - before and bound
    bind(module, path, only=["words.*", "positions.*"])
    assert not module.get_parameter("words.weight").is_meta
    bind(module, path)
    check_equal(module, reference, *arguments("bert"))


def test_a_part_needs_only_its_own_tensors():
    w1 = {n: p for p, n in names(meta()).items()}["w1"]
    weights = convert_onnx_to_fx(models.mlp()).state_dict()
    for glob in (w1, "w1"):
        module = bind(meta(), {w1: weights[w1]}, only=glob)
        assert [k for k, v in module.state_dict().items() if not v.is_meta] == [w1]
        with pytest.raises(BindError, match="1 missing"):
            bind(meta(), {"other": X}, only=glob)
    bind(meta(), {w1: weights[w1], "other": X}, only=w1)
    with pytest.raises(BindError, match=r"1 extra\n  extra: w3: float32\[2, 4\]\n"):
        bind(meta(), {**weights, "w3": X, "other": X}, only="w*")


def test_a_glob_that_matches_nothing():
    with pytest.raises(ValueError) as error:
        bind(meta(), models.mlp(), only=["*", "encodr.*"])
    assert str(error.value) == (
        "only: expected globs of paths or ONNX names, nothing matches 'encodr.*'"
    )


def test_keys_are_renamed():
    reference = convert_onnx_to_fx(models.mlp())
    weights = {"model." + k: v for k, v in reference.state_dict().items()}
    weights["model.more"] = X
    drop = {"model.more": None}
    mapping = drop | {k: k.removeprefix("model.") for k in weights if k not in drop}
    for rename in (mapping, mapping.get):
        check_equal(bind(meta(), weights, rename=rename), reference, X)
    with pytest.raises(ValueError, match="rename: 'a' and 'b': both become 'c'"):
        bind(meta(), {"a": X, "b": X}, rename=lambda key: "c")


# ---- how it is held


@pytest.mark.parametrize("kind", ["file", "paths", "safetensors", "package reference", "sharded"])
def test_tied_weights_stay_one(tmp_path, kind):
    path = exported("gpt2")
    reference, module = convert_onnx_to_fx(path), meta(path)
    bind(module, source(kind, path, tmp_path, reference))
    tied = tied_paths(module)
    assert len(tied) == 2 and tied == tied_paths(reference)


def tied_paths(module):
    first = {}
    for path, p in module.named_parameters(remove_duplicate=False):
        first.setdefault(id(p), []).append(path)
    return next(paths for paths in first.values() if len(paths) > 1)


def test_values_of_tied_weights_that_differ():
    path = exported("gpt2")
    module = meta(path)
    a, b = tied_paths(module)
    weights = source("paths", path, None, convert_onnx_to_fx(path))
    weights[b] += 1
    with pytest.raises(BindError) as error:
        bind(module, weights)
    assert error.value.wrong == {a: f"tied: expected equal values, {a!r} and {b!r} differ"}
    assert module.get_parameter(a).is_meta
    del weights[b]
    bind(module, weights)
    assert module.get_parameter(a) is module.get_parameter(b)


def test_one_tensor_for_two_weights_is_not_shared():
    nodes = [helper.make_node("Sum", ["x", "a", "b"], ["y"])]
    values = {n: models.floats(300, seed=i) for i, n in enumerate("ab")}
    module = meta(models.model(nodes, {"x": [300]}, {"y": [300]}, values))
    one = torch.ones(300)
    bind(module, {"a": one, "b": one})
    with torch.no_grad():
        module.a.zero_()
    assert torch.equal(module.b, torch.ones(300))


@pytest.mark.parametrize("kind", ["file", "safetensors", "package reference", "sharded"])
def test_training_never_reaches_the_files(tmp_path, kind):
    path = str(tmp_path / "m.onnx")
    shutil.copy(exported("mlp"), path)
    given = source(kind, path, tmp_path, convert_onnx_to_fx(path))
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    before = {p: p.read_bytes() for p in files}
    module = bind(meta(path), given)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    first = [p.detach().clone() for p in module.parameters()]
    module(*arguments("mlp")).square().mean().backward()
    optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(first, module.parameters()))
    assert {p: p.read_bytes() for p in files} == before
    check_equal(bind(meta(path), given), convert_onnx_to_fx(path))


def test_copies_do_not_need_the_file(tmp_path):
    path = str(tmp_path / "m.onnx")
    shutil.copy(exported("mlp"), path)
    module = bind(meta(path), path, copy=True)
    with open(path, "r+b") as f:
        f.write(b"\xff" * os.path.getsize(path))
    check_equal(module, convert_onnx_to_fx(exported("mlp")), *arguments("mlp"))
    weights = source("paths", None, None, module)
    bound = bind(meta(exported("mlp")), weights, copy=True)
    for value in weights.values():
        value.zero_()
    check_equal(bound, module)


@pytest.mark.parametrize("gap", [0, 3])
def test_binding_takes_no_resident_memory(tmp_path, gap):
    """64 MB of weights as views; what is not aligned is moved inside the kernel."""
    path = bindings.external(models.mlp(2 << 20), tmp_path, gap)
    module = meta(path, weights_layout="view")
    bind(module, path)  # what is loaded once
    before = resident()
    bind(meta(path, weights_layout="view"), path)
    assert resident() - before < 8 << 20
    embedded = tmp_path / "embedded.onnx"
    onnx.save(models.mlp(2 << 20), embedded)
    before = resident()
    bind(meta(path, weights_layout="view"), embedded)
    assert resident() - before < 8 << 20


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_real_weights_are_overwritten_in_place():
    module = convert_onnx_to_fx(models.mlp(), weights="random")
    held = dict(module.named_parameters())
    bind(module, models.mlp())
    check_equal(module, convert_onnx_to_fx(models.mlp()), X)
    assert all(module.get_parameter(k) is p for k, p in held.items())


def test_a_module_takes_its_own_tensors_in_another_order():
    nodes = [helper.make_node("Sum", ["x", "a", "b"], ["y"])]
    values = {n: models.floats(300, seed=i) for i, n in enumerate("ab")}
    module = convert_onnx_to_fx(models.model(nodes, {"x": [300]}, {"y": [300]}, values))
    bind(module, {"a": module.b, "b": module.a})
    assert module.a.tolist() == values["b"].tolist()
    assert module.b.tolist() == values["a"].tolist()


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("kind", ["file", "paths"])
def test_fake_weights_are_replaced(kind, active):
    path = exported("gpt2")
    reference = convert_onnx_to_fx(path)
    module = convert_onnx_to_fx(path, weights="fake")
    given = source(kind, path, None, reference)
    with fake_mode(module) if active else contextlib.nullcontext():
        bind(module, given)
    check_equal(module, reference, *arguments("gpt2"))
    assert tied_paths(module) == tied_paths(reference)


def test_constants_of_the_graph_come_with_the_last_weight():
    path = exported("gpt2")
    module = meta(path)
    some, last = [k for k in convert_onnx_to_fx(path).state_dict() if k != "ln_f.bias"], "ln_f.bias"
    constants = [k for k, _ in module.named_buffers() if k not in some]
    bind(module, path, only=some)
    assert constants and all(module.get_buffer(k).is_meta for k in constants)
    bind(module, convert_onnx_to_fx(path).state_dict(), only=last)
    check_equal(module, convert_onnx_to_fx(path), *arguments("gpt2"))


def test_constants_of_the_source_come_before_those_of_the_graph():
    path = exported("gpt2")
    module, weights = meta(path), source("paths", path, None, convert_onnx_to_fx(path))
    constant = next(k for k, _ in module.named_buffers() if k not in module.state_dict())
    weights[constant] += 1
    bind(module, weights)
    assert torch.equal(module.get_buffer(constant), weights[constant])


# ---- init functions


def test_an_init_function_fills_what_it_gets():
    seen = {}

    def init(path, tensor):
        seen[path] = tuple(tensor.shape)
        assert not tensor.is_meta and not tensor.requires_grad and not tensor.any()
        if path.endswith("bias"):
            return torch.ones_like(tensor)
        nn.init.constant_(tensor, 2.0)

    module = bind(meta(), init)
    assert seen == {k: tuple(p.shape) for k, p in module.named_parameters()}
    for path, p in module.named_parameters():
        assert p.unique().tolist() == [1.0 if path.endswith("bias") else 2.0]
        assert isinstance(p, nn.Parameter) and p.requires_grad


def test_an_init_function_for_tied_weights_is_called_once():
    module, seen = meta(exported("gpt2")), []
    bind(module, lambda path, tensor: seen.append(path))
    a, b = tied_paths(module)
    assert a in seen and b not in seen and len(seen) == len(set(seen))


def test_an_init_function_sees_the_values_that_there_are():
    module = bind(meta(), models.mlp())
    bind(module, lambda path, tensor: tensor.mul_(2), only="*weight")
    reference = convert_onnx_to_fx(models.mlp())
    for path, p in reference.named_parameters():
        expected = 2 * p if path.endswith("weight") else p
        assert torch.equal(module.get_parameter(path), expected)


def test_what_an_init_function_gives_back_is_checked():
    results = iter([torch.zeros(1), torch.zeros(8).double(), 3, None])
    module = meta()
    with pytest.raises(BindError, match="bind: the init function: .*: 3 wrong") as error:
        bind(module, lambda path, tensor: next(results))
    w1, b1, w2 = error.value.wrong.values()
    assert w1 == "expected shape [8, 4], got [1]"
    assert b1 == "expected dtype float32, got float64"
    assert w2 == "expected a tensor or None, got int"
    assert all(p.is_meta for p in module.parameters())


# ---- load_state_dict


@pytest.mark.parametrize("name, exporter", MODELS)
def test_load_state_dict_assigns_to_a_weightless_module(name, exporter):
    path = exported(name, exporter)
    reference, module = convert_onnx_to_fx(path), meta(path)
    weights = {k: v.clone() for k, v in reference.state_dict().items()}
    result = module.load_state_dict(weights, assign=True)
    assert not result.missing_keys and not result.unexpected_keys
    for key, value in module.state_dict(keep_vars=True).items():
        assert torch.equal(value, weights[key])
        assert value.requires_grad == reference.state_dict(keep_vars=True)[key].requires_grad
    if name == "gpt2":
        assert tied_paths(module) == tied_paths(reference)
    check_equal(module, reference, *arguments(name))


@pytest.mark.parametrize("how", ["itself", "copied", "inside another"])
def test_load_state_dict_keeps_tied_weights_tied(how):
    path = exported("gpt2")
    module, prefix = meta(path), ""
    a, b = tied_paths(module)
    holder = module
    if how == "copied":
        holder = module = copy.deepcopy(module)
    if how == "inside another":
        holder, prefix = nn.Sequential(module), "0."
    weights = {prefix + k: v.clone() for k, v in convert_onnx_to_fx(path).state_dict().items()}
    # torch's deepcopy of a GraphModule makes persistent buffers of all: not in this state dict
    holder.load_state_dict(weights, assign=True, strict=how != "copied")
    assert module.get_parameter(a) is module.get_parameter(b)
    assert module.get_parameter(a).requires_grad


def test_load_state_dict_refuses_two_values_for_one_weight():
    path = exported("gpt2")
    module = meta(path)
    a, b = tied_paths(module)
    weights = convert_onnx_to_fx(path).state_dict()
    weights[b] = weights[b] + 1
    text = f"{b} is tied to {a}: expected the same values, got others"
    with pytest.raises(RuntimeError, match=re.escape(text)):
        module.load_state_dict(weights, assign=True)


def test_load_state_dict_is_as_strict_as_torch():
    path = exported("gpt2")
    module = meta(path)
    a, b = tied_paths(module)
    weights = convert_onnx_to_fx(path).state_dict()
    del weights[b]
    with pytest.raises(RuntimeError, match=re.escape(f'Missing key(s) in state_dict: "{b}"')):
        module.load_state_dict(weights, assign=True)
    module = meta(path)
    result = module.load_state_dict({**weights, "more": X}, assign=True, strict=False)
    assert result.missing_keys == [b] and result.unexpected_keys == ["more"]
    assert module.get_parameter(a) is module.get_parameter(b)
    assert not module.get_parameter(b).is_meta


# ---- what is no source


class Unfit:
    pass


@pytest.mark.parametrize(
    "given, text",
    [
        (Unfit(), "got Unfit"),
        (nn.Linear(1, 1), "got Linear"),
        (None, "got NoneType"),
        ({"state_dict": {}, "epoch": 3}, "source: 'state_dict': expected a tensor, got dict; "),
    ],
)
def test_something_else_is_refused(given, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        bind(meta(), given)


def test_files_that_are_no_source(tmp_path):
    with pytest.raises(ValueError, match="expected graph.json or .*safetensors files, got none"):
        bind(meta(), tmp_path)
    for name, content, text in [
        ("a.safetensors", b"\xff" * 20, "expected a safetensors file"),
        ("a.pt", b"PK\x03\x04" + bytes(20), "this is a zip archive: a PyTorch checkpoint"),
        ("absent", None, "absent"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises((PackageError, ConversionError, OSError), match=text):
            bind(meta(), path)


def test_folders_of_safetensors(tmp_path):
    reference = convert_onnx_to_fx(models.mlp())
    weights = {k: v.contiguous() for k, v in reference.state_dict().items()}
    for i, (key, value) in enumerate(weights.items()):
        safetensors.torch.save_file({key: value}, tmp_path / f"{i}.safetensors")
    check_equal(bind(meta(), tmp_path), reference)
    first = next(iter(weights))
    safetensors.torch.save_file({first: weights[first]}, tmp_path / "9.safetensors")
    text = f"tensor {first!r}: stands in {tmp_path}/0.safetensors and in {tmp_path}/9.safetensors"
    with pytest.raises(ValueError, match=re.escape(text)):
        bind(meta(), tmp_path)


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/passwd", "a/b", "", "..", 3])
def test_an_index_names_files_of_its_own_folder(tmp_path, name):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(ValueError, match=re.escape(f"in the same folder, got {name!r}")):
        bind(meta(), tmp_path)


def test_a_folder_with_two_indices(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors.index.json").write_text("{}")
    with pytest.raises(ValueError, match=r"expected one \*\.safetensors\.index\.json, got"):
        bind(meta(), tmp_path)
