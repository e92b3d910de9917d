"""Weights from other places than the model: rules of a manifest, sources of plugins."""

from __future__ import annotations

import json
import os
import pathlib
import struct
import subprocess

import models
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import ConversionError, PluginError, convert_onnx_to_fx, load, report

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PACKS = BUILD / "tests" / "plugins" / "libraries"

NAMES = ("enc.w", "enc.b", "dec.w")
SHAPES = {"enc.w": (16, 32), "enc.b": (32,), "dec.w": (32, 8)}


def weights(seed):
    return {n: models.floats(*SHAPES[n], seed=seed + i) for i, n in enumerate(NAMES)}


def net(tensors):
    """y = (x @ enc.w + enc.b) @ dec.w"""
    nodes = [
        helper.make_node("MatMul", ["x", "enc.w"], ["m"], name="/enc/MatMul"),
        helper.make_node("Add", ["m", "enc.b"], ["h"], name="/enc/Add"),
        helper.make_node("MatMul", ["h", "dec.w"], ["y"], name="/dec/MatMul"),
    ]
    return models.model(nodes, {"x": ["N", 16]}, {"y": ["N", 8]}, tensors)


def result(tensors, x):
    return (x @ tensors["enc.w"] + tensors["enc.b"]) @ tensors["dec.w"]


def safetensors(path, tensors, dtypes=None):
    header, offset = {}, 0
    for name, value in tensors.items():
        dtype = (dtypes or {}).get(name, "F32")
        end = offset + value.nbytes
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(v.tobytes() for v in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def xor_store(path, tensors, key=0x5A):
    head = struct.pack("<8s2q", b"XORSTORE", key, len(tensors))
    offset, entries, data = len(head) + 128 * len(tensors), b"", b""
    for name, value in tensors.items():
        dims = (*value.shape, 0, 0, 0, 0)[:4]
        entries += struct.pack(
            "<64s8q", name.encode(), TensorProto.FLOAT, value.ndim, *dims, offset, value.nbytes
        )
        data += bytes(b ^ key for b in value.tobytes())
        offset += value.nbytes
    path.write_bytes(head + entries + data)


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.own, self.other = weights(0), weights(100)
        self.model = folder / "net.onnx"
        onnx.save(net(self.own), self.model)
        self.x = models.floats(3, 16, seed=9)

    def manifest(self, *sources, **section):
        path = self.folder / "manifest.json"
        section["sources"] = sources
        document = {"config_version": "1.0", "plugin_dirs": [str(PACKS)], "weights": section}
        path.write_text(json.dumps(document))
        return path

    def convert(self, *sources, section=None, **options):
        options.setdefault("manifest", self.manifest(*sources, **(section or {})))
        return convert_onnx_to_fx(self.model, dialect="aten", **options)

    def package(self, *arguments):
        """By the command, and loaded."""
        out = self.folder / "out"
        command = [BUILD / "bin" / "onnx2fx", self.model, "-o", out, "--dialect", "aten"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True)
        assert (done.returncode, done.stderr.partition("wrote ")[0]) == (0, "")
        return load(out)

    def both(self, *sources, **section):
        yield self.convert(*sources, section=section)
        yield self.package("--manifest", self.manifest(*sources, **section))

    def check(self, module, **expected):
        tensors = {**self.own, **{n.replace("_", "."): v for n, v in expected.items()}}
        got = module(torch.from_numpy(self.x)).detach().numpy()
        np.testing.assert_allclose(got, result(tensors, self.x), rtol=1e-4, atol=1e-4)

    def refusal(self, *sources, error=ConversionError, **options):
        with pytest.raises(error) as caught:
            self.convert(*sources, **options)
        return str(caught.value).replace(str(self.folder), "DIR")


def tensor(module, name):
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return next(t for n, t in tensors.items() if tuple(t.shape) == SHAPES[name])


# --- safetensors


def test_safetensors_in_place_of_the_models_own(scene):
    safetensors(scene.folder / "x.safetensors", scene.other)
    for module in scene.both({"tensors": "*", "location": "x.safetensors"}):
        scene.check(module, **{n.replace(".", "_"): scene.other[n] for n in NAMES})


def test_nothing_is_copied(scene):
    safetensors(scene.folder / "x.safetensors", scene.other)
    scene.package("--manifest", scene.manifest({"tensors": "enc.*", "location": "x.safetensors"}))
    document = json.loads((scene.folder / "out" / "graph.json").read_text())
    files = [pathlib.Path(s["path"]).name for s in document["sources"]]
    used = {
        t["name"]: files[t["data"]["source"]] for t in document["tensors"] if "source" in t["data"]
    }
    assert used == {"enc.w": "x.safetensors", "enc.b": "x.safetensors"}
    # A tensor of 1 KiB or less is kept with the graph; dec.w is one.
    assert {t["name"] for t in document["tensors"] if "safetensors" in t["data"]} == {"dec.w"}


def test_copied_on_request(scene):
    safetensors(scene.folder / "x.safetensors", scene.other)
    manifest = scene.manifest({"tensors": "enc.*", "location": "x.safetensors"})
    module = scene.package("--manifest", manifest, "--weights", "copy")
    os.remove(scene.folder / "x.safetensors")
    scene.check(module, enc_w=scene.other["enc.w"], enc_b=scene.other["enc.b"])
    document = json.loads((scene.folder / "out" / "graph.json").read_text())
    assert document["sources"] == []


def test_sharded(scene):
    shards = {"enc.w": "a-1.safetensors", "enc.b": "a-1.safetensors", "dec.w": "a-2.safetensors"}
    (scene.folder / "weights").mkdir()
    for shard in set(shards.values()):
        held = {n: v for n, v in scene.other.items() if shards[n] == shard}
        safetensors(scene.folder / "weights" / shard, held)
    index = scene.folder / "weights" / "a.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    rule = {"tensors": "*", "location": "weights/a.safetensors.index.json"}
    for module in scene.both(rule):
        scene.check(module, **{n.replace(".", "_"): scene.other[n] for n in NAMES})
    os.remove(scene.folder / "weights" / "a-2.safetensors")
    assert scene.refusal(rule) == (
        "error: DIR/net.onnx: weight 'dec.w': 'weights/a.safetensors.index.json': "
        "its shard 'a-2.safetensors' is missing\n"
        "  note: asked for by DIR/manifest.json at /weights/sources/0"
    )


def test_renamed_and_transposed(scene):
    held = {
        "model.encoder.weight": np.ascontiguousarray(scene.other["enc.w"].T),
        "model.encoder.bias": scene.other["enc.b"],
        "head": np.ascontiguousarray(scene.other["dec.w"].T),
    }
    safetensors(scene.folder / "x.safetensors", held)
    rule = {
        "tensors": ["enc.*", "dec.*"],
        "from": "safetensors",
        "location": "x.safetensors",
        "rename": [
            {"match": r"^enc\.", "replace": "model.encoder."},
            {"match": "w$", "replace": "weight"},
            {"match": "b$", "replace": "bias"},
        ],
        "names": {"dec.w": "head"},
        "transposed": ["*.w"],
    }
    for module in scene.both(rule):
        scene.check(module, **{n.replace(".", "_"): scene.other[n] for n in NAMES})


def test_every_fault_in_one_error(scene):
    held = {
        "enc.w": scene.other["enc.w"].T.copy(),
        "enc.b": scene.other["enc.b"].astype(np.float16),
    }
    safetensors(
        scene.folder / "x.safetensors", {**held, "dec.W": scene.other["dec.w"]}, {"enc.b": "F16"}
    )
    note = "\n  note: asked for by DIR/manifest.json at /weights/sources/0"
    where = "error: DIR/net.onnx: weight "
    lines = scene.refusal({"tensors": "*", "location": "x.safetensors"}).split("\nerror: ")
    assert sorted(("error: " + line.removeprefix("error: ")) for line in lines) == [
        where + "'dec.w': 'x.safetensors': no tensor 'dec.w'; did you mean 'dec.W'?" + note,
        where
        + "'enc.b': 'x.safetensors': tensor 'enc.b': expected float32[32], got float16[32]"
        + note,
        where
        + "'enc.w': 'x.safetensors': tensor 'enc.w': expected float32[16, 32], got float32[32, 16]"
        + note,
    ]


def test_what_is_not_required(scene):
    safetensors(scene.folder / "x.safetensors", {"enc.b": scene.other["enc.b"]})
    rule = {"tensors": "*", "location": "x.safetensors", "required": False}
    for module in scene.both(rule):
        scene.check(module, enc_b=scene.other["enc.b"])


def framed(header, size=0):
    return struct.pack("<Q", len(header)) + header.encode() + bytes(size)


@pytest.mark.parametrize(
    "data, what",
    [
        (b"", "expected a safetensors header, got none"),
        (struct.pack("<Q", 1 << 40) + b"{}", "expected a safetensors header, got none"),
        (framed("[]"), "expected an object in the header"),
        (framed('{"a": {}}'), "tensor 'a': expected dtype, shape and data_offsets"),
        (framed('{"a": 1, "a": 2}'), "key 'a' stands there twice"),
        (
            framed('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}}'),
            "tensor 'a': data_offsets: expected a range of the 0 bytes of tensors, got [0,16]",
        ),
        (
            framed('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', 4),
            "tensor 'a': data_offsets: expected 8 bytes, got 4",
        ),
        (
            framed(
                '{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}}'
            ),
            "tensor 'a': shape: expected a product that fits 64 bits, got [4294967296,4294967296]",
        ),
        (
            framed('{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}', 8),
            "tensor 'a': shape: expected integers from 0 on, got -2",
        ),
        (
            framed(
                '{"a": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]},'
                ' "b": {"dtype": "I8", "shape": [4], "data_offsets": [3, 7]}}',
                7,
            ),
            "tensors 'a' and 'b' overlap",
        ),
    ],
)
def test_broken_safetensors(scene, data, what):
    (scene.folder / "x.safetensors").write_bytes(data)
    assert scene.refusal({"tensors": "*", "location": "x.safetensors"}) == (
        f"error: DIR/manifest.json at /weights/sources/0: 'x.safetensors': {what}"
    )


def test_file_that_is_missing_or_outside(scene):
    rule = {"tensors": "*", "location": "x.safetensors"}
    assert scene.refusal(rule) == (
        "error: DIR/manifest.json at /weights/sources/0: file 'x.safetensors' is missing\n"
        "  note: it is looked for in DIR"
    )
    inner = scene.folder / "inner"
    inner.mkdir()
    safetensors(scene.folder / "x.safetensors", scene.other)
    document = {
        "config_version": "1.0",
        "weights": {"sources": [{**rule, "location": "../x.safetensors"}]},
    }
    (inner / "m.json").write_text(json.dumps(document))
    assert scene.refusal(manifest=inner / "m.json") == (
        "error: DIR/inner/m.json at /weights/sources/0: '../x.safetensors': expected a file inside the "
        "manifest's folder or a weights root, got one outside\n"
        "  note: if that file is meant, allow its folder with --weights-root, or in the manifest's weights.roots"
    )
    document["weights"]["roots"] = [".."]
    (inner / "m.json").write_text(json.dumps(document))
    module = scene.convert(manifest=inner / "m.json")
    scene.check(module, **{n.replace(".", "_"): scene.other[n] for n in NAMES})


# --- no weights, random weights


def test_partly_weightless(scene):
    for module in scene.both({"tensors": "enc.*", "from": "meta"}):
        assert tensor(module, "enc.w").is_meta and tensor(module, "enc.b").is_meta
        assert torch.equal(tensor(module, "dec.w"), torch.from_numpy(scene.own["dec.w"]))


def test_weightless_but_for_some(scene):
    safetensors(scene.folder / "x.safetensors", scene.other)
    rule = {"tensors": "enc.w", "location": "x.safetensors"}
    in_process = scene.convert(rule, weights="meta")
    for module in (
        in_process,
        scene.package("--manifest", scene.manifest(rule), "--weights", "meta"),
    ):
        assert torch.equal(tensor(module, "enc.w"), torch.from_numpy(scene.other["enc.w"]))
        assert tensor(module, "dec.w").is_meta


BIG = (300, 200)


def drawn(scene, options, shape=BIG, name="w", **keywords):
    nodes = [helper.make_node("Identity", ["w"], ["v"]), helper.make_node("Add", ["x", "v"], ["y"])]
    onnx.save(
        models.model(nodes, {"x": list(shape)}, {"y": list(shape)}, {name: models.floats(*shape)}),
        scene.model,
    )
    rule = {"tensors": "*", "from": "random", "options": options}
    module = scene.convert(rule, **keywords)
    return next(iter([*module.parameters(), *module.buffers()])).detach().double()


@pytest.mark.parametrize(
    "options, mean, std, low, high",
    [
        ({"distribution": "normal", "mean": 2, "std": 0.5}, 2, 0.5, -1, 5),
        ({"distribution": "uniform", "low": -1, "high": 3}, 1, 4 / 12**0.5, -1, 3),
        ({"distribution": "truncated_normal"}, 0, 0.8796, -2, 2),
        (
            {"distribution": "truncated_normal", "mean": 1, "std": 2, "low": 1, "high": 9},
            2.5957,
            1.2055,
            1,
            9,
        ),
        ({"distribution": "constant", "value": 0.25}, 0.25, 0, 0.25, 0.25),
        (
            {"distribution": "kaiming_uniform"},
            0,
            (2 / 200) ** 0.5,
            -((6 / 200) ** 0.5),
            (6 / 200) ** 0.5,
        ),
        ({"distribution": "kaiming_normal", "mode": "fan_out", "gain": 1}, 0, 300**-0.5, -1, 1),
        (
            {"distribution": "xavier_uniform"},
            0,
            (2 / 500) ** 0.5,
            -((6 / 500) ** 0.5),
            (6 / 500) ** 0.5,
        ),
        ({"distribution": "xavier_normal", "gain": 2}, 0, 2 * (2 / 500) ** 0.5, -2, 2),
        ({}, 0, 200**-0.5, -((3 / 200) ** 0.5), (3 / 200) ** 0.5),
    ],
)
def test_distributions(scene, options, mean, std, low, high):
    values = drawn(scene, options)
    n = values.numel()
    assert abs(values.mean().item() - mean) <= 5 * std / n**0.5 + 1e-9
    assert abs(values.std().item() - std) <= 0.02 * std + 1e-9
    assert low - 1e-6 <= values.min().item() and values.max().item() <= high + 1e-6


def test_kurtosis_tells_normal_from_uniform(scene):
    def kurtosis(options):
        values = drawn(scene, options)
        centred = values - values.mean()
        return ((centred**4).mean() / (centred**2).mean() ** 2).item()

    assert abs(kurtosis({"distribution": "normal"}) - 3) < 0.15
    assert abs(kurtosis({"distribution": "uniform"}) - 1.8) < 0.05


def test_equal_seeds_give_equal_numbers(scene):
    options = {"distribution": "normal"}
    first, again = drawn(scene, options, seed=7), drawn(scene, options, seed=7)
    assert torch.equal(first, again)
    assert not torch.equal(first, drawn(scene, options, seed=8))
    assert torch.equal(first, drawn(scene, {**options, "seed": 7}, seed=1))


def test_seed_of_the_mode(scene):
    zero, also, one = (
        scene.package("--weights", "random", *s) for s in ([], ["--seed", "0"], ["--seed", "1"])
    )
    assert torch.equal(tensor(zero, "enc.w"), tensor(also, "enc.w"))
    assert not torch.equal(tensor(zero, "enc.w"), tensor(one, "enc.w"))
    in_process = convert_onnx_to_fx(scene.model, dialect="aten", weights="random", seed=1)
    assert torch.equal(tensor(in_process, "enc.w"), tensor(one, "enc.w"))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types(scene, dtype):
    shape = BIG
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    port = {"x": (kind, list(shape))}, {"y": (kind, list(shape))}
    onnx.save(models.model(nodes, *port, {"w": np.zeros(shape, dtype)}), scene.model)
    rule = {"tensors": "*", "from": "random", "options": {"distribution": "normal", "std": 1e-3}}
    values = next(iter([*(m := scene.convert(rule)).parameters(), *m.buffers()])).detach()
    assert values.dtype == torch.from_numpy(np.zeros(1, dtype)).dtype
    assert abs(values.double().std().item() - 1e-3) < 2e-5


@pytest.mark.parametrize(
    "options, what",
    [
        (
            {"distribution": "cauchy"},
            "options: distribution: expected one of normal, uniform, truncated_normal, constant, kaiming_uniform, "
            'kaiming_normal, xavier_uniform, xavier_normal, got "cauchy"',
        ),
        ({"distribution": "constant"}, "options: expected the key 'value'"),
        ({"distribution": "normal", "std": 0}, "options: std: expected a number above 0, got 0"),
        ({"distribution": "uniform", "low": 2}, "options: low: expected at most 'high', got 2"),
        (
            {"distribution": "normal", "high": 2},
            "options: unknown key 'high': expected one of 'distribution', 'mean', 'seed', 'std'",
        ),
        (
            {"distribution": "truncated_normal", "low": 8, "high": 9},
            "options: low, high: expected them to hold at least 1 % of the distribution",
        ),
        ({"seed": -1}, "options: seed: expected an integer from 0 on, got -1"),
    ],
)
def test_options_that_are_wrong(scene, options, what):
    rule = {"tensors": "*", "from": "random", "options": options}
    assert scene.refusal(rule) == f"error: DIR/manifest.json at /weights/sources/0: random: {what}"


def test_fans_of_a_vector(scene):
    rule = {"tensors": "enc.b", "from": "random", "options": {"distribution": "xavier_normal"}}
    assert scene.refusal(rule) == (
        "error: DIR/net.onnx: weight 'enc.b': random: xavier_normal: expected a weight of at least two dims, got 1\n"
        "  note: asked for by DIR/manifest.json at /weights/sources/0"
    )


def test_index_tables_are_never_random(scene):
    table = np.arange(400, dtype=np.int64)[::-1].copy()
    nodes = [helper.make_node("Gather", ["x", "table"], ["y"])]
    onnx.save(models.model(nodes, {"x": [400]}, {"y": [400]}, {"table": table}), scene.model)
    x = torch.arange(400.0)
    expected = torch.from_numpy(table).float()
    assert torch.equal(scene.convert({"tensors": "*", "from": "random"})(x), expected)
    assert torch.equal(scene.package("--weights", "random")(x), expected)


# --- a pack's own source


def test_xor_store_by_rule(scene):
    xor_store(scene.folder / "w.xorstore", scene.other)
    for module in scene.both({"tensors": "enc.*", "location": "w.xorstore"}):
        scene.check(module, enc_w=scene.other["enc.w"], enc_b=scene.other["enc.b"])
    assert ["com.acme.xor", "1.0.0"] in [list(p.values()) for p in report(module)["plugins"]]


def scrambled_model(scene, location="xor:w.bin"):
    """The net with enc.w as external data in an XOR store."""
    xor_store(scene.folder / "w.bin", scene.other)
    model = net(scene.own)
    entry = next(t for t in model.graph.initializer if t.name == "enc.w")
    entry.ClearField("raw_data")
    entry.data_location = TensorProto.EXTERNAL
    offset = 24 + 128 * 3  # enc.w is the first
    for key, value in (("location", location), ("offset", offset), ("length", 16 * 32 * 4)):
        entry.external_data.add(key=key, value=str(value))
    scene.model.write_bytes(model.SerializeToString())


def test_xor_store_as_external_data(scene):
    scrambled_model(scene)
    for module in scene.both():
        scene.check(module, enc_w=scene.other["enc.w"])


def test_xor_store_without_its_pack(scene):
    scrambled_model(scene)
    with pytest.raises(ConversionError) as caught:
        convert_onnx_to_fx(scene.model)
    assert str(caught.value) == (
        f"error: {scene.model}: weight 'enc.w': file 'xor:w.bin' is missing\n"
        "  note: put the file beside the model, or convert with --weights meta\n"
        "  note: or is 'xor' the scheme of a plugin? give it with --plugin-dir"
    )


def test_xor_store_stays_in_the_folder(scene):
    scrambled_model(scene, "xor:../w.bin")
    assert scene.refusal() == (
        "error: DIR/net.onnx: weight 'enc.w': external data '../w.bin': expected a path inside the "
        "model's folder, got one with '..'"
    )


def test_suffix_that_a_loader_names(scene):
    scrambled_model(scene, "w.bin")
    module = scene.convert(section={"loaders": {".bin": "com.acme.xor"}})
    scene.check(module, enc_w=scene.other["enc.w"])


def test_scheme_that_nobody_serves(scene):
    rule = {"tensors": "*", "from": "safetensor", "location": "x"}
    assert scene.refusal(rule, error=PluginError) == (
        "error: DIR/manifest.json at /weights/sources/0: expected a plugin that serves weights of scheme "
        "'safetensor', got none\n  note: did you mean 'safetensors'?\n"
        "  note: served are 'meta', 'onnx', 'random', 'safetensors', 'xor'"
    )


def test_rule_that_selects_nothing(scene):
    warnings = report(scene.convert({"tensors": "encoder.*", "from": "meta"}))["warnings"]
    assert "selects no weight of" in json.dumps(warnings)


def test_tensors_of_subgraphs_and_constants(scene):
    constant = helper.make_node(
        "Constant", [], ["c"], value=onnx.numpy_helper.from_array(np.zeros(4, np.float32))
    )
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "inner"], ["t"])],
        "then",
        [],
        [models.port("t", [4])],
        [onnx.numpy_helper.from_array(np.zeros(4, np.float32), "inner")],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["e"])], "else", [], [models.port("e", [4])]
    )
    nodes = [
        constant,
        helper.make_node("If", ["p"], ["i"], then_branch=branch, else_branch=other),
        helper.make_node("Add", ["i", "c"], ["y"]),
    ]
    onnx.save(models.model(nodes, {"p": (TensorProto.BOOL, []), "x": [4]}, {"y": [4]}), scene.model)
    safetensors(
        scene.folder / "x.safetensors",
        {"inner": np.full(4, 3, np.float32), "c": np.full(4, 5, np.float32)},
    )
    module = scene.convert({"tensors": ["inner", "c"], "location": "x.safetensors"})
    assert torch.equal(module(torch.tensor(True), torch.zeros(4)), torch.full((4,), 8.0))
