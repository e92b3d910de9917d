"""The author's modules come back: called by their parents, at their paths, of their classes."""

import copy
import io
import json
import pathlib
import subprocess
import sys
import warnings

import onnx
import pytest
import torch
from exporting import FORMS, exported
from onnx_to_fx import PackageError, convert_onnx_to_fx, flatten, load, report
from torch import fx, nn
from torch.utils.checkpoint import checkpoint


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.act = nn.Tanh()
        self.drop = nn.Dropout(0.5)

    def forward(self, x, mask):
        y = self.act(self.up(self.norm(x)))
        return x + self.drop(self.down(y)) * mask.reshape(x.size(0), -1, 1)


class Encoder(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))

    def forward(self, x, mask):
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("scale", torch.rand(6), persistent=False)
        self.encoder = Encoder(6, 3)
        self.head = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x, mask):
        return self.head(self.encoder(x * self.scale, mask))


def arguments(batch=2, length=4):
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand(batch, length, generator=generator).round()
    return torch.randn(batch, length, 6, generator=generator), mask


@pytest.fixture(scope="module")
def original():
    return Net().eval()


@pytest.fixture(scope="module")
def files(original):
    sizes = ({0: "batch", 1: "length"}, {0: "batch", 1: "length"})
    legacy = dict(input_names=["x", "mask"], dynamic_axes=dict(zip(("x", "mask"), sizes)))
    return {
        form: exported(original, arguments(), form, **(legacy if form == "legacy" else dict(dynamic_shapes=sizes)))
        for form in FORMS
    }


@pytest.fixture
def net(files):
    return convert_onnx_to_fx(files["unoptimized"])


def calls(module, args):
    """Of each module that is called: its class."""
    seen = {}

    def see(path):
        def hook(child, given, returned):
            seen[path] = type(child).__name__

        return hook

    for path, child in module.named_modules():
        child.register_forward_hook(see(path))
    module(*args)
    return seen


def idle(seen):
    """Dropout does nothing in eval mode: the file has none."""
    return {p: c for p, c in seen.items() if p and not p.endswith("drop")}


@pytest.mark.parametrize("form", ["dynamo", "unoptimized"])
def test_every_module_is_called_at_its_path_and_of_its_class(original, files, form):
    ours = calls(convert_onnx_to_fx(files[form]), arguments())
    assert idle(ours) == idle(calls(copy.deepcopy(original), arguments()))


def test_the_older_exporter_says_paths_and_no_classes(original, files):
    ours = calls(convert_onnx_to_fx(files["legacy"]), arguments())
    assert idle(ours).keys() == idle(calls(copy.deepcopy(original), arguments())).keys()
    assert ours["encoder.layers.0"] == "Block"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(2, 4), (5, 3)])
def test_outputs_are_the_originals(original, files, form, size):
    args = arguments(*size)
    module = convert_onnx_to_fx(files[form])
    torch.testing.assert_close(module(*args), original(*args), rtol=1e-6, atol=1e-6)
    assert torch.equal(module(*args), convert_onnx_to_fx(files[form], blocks="flat")(*args))


PLAIN = [
    nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU(), nn.Mish(), nn.GELU(), nn.GELU(approximate="tanh"), nn.Hardswish(),
    nn.Hardsigmoid(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.CELU(0.7), nn.SELU(), nn.Softplus(), nn.Softmax(dim=1),
    nn.LogSoftmax(dim=-1), nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d((2, 4), stride=2, padding=(0, 1)),
    nn.AdaptiveAvgPool2d(1), nn.PixelShuffle(2),
]  # fmt: skip


@pytest.mark.parametrize("plain", PLAIN, ids=repr)
def test_modules_of_torch_without_weights(plain):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = plain

        def forward(self, x):
            return self.inside(x)

    x = torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(2))
    module = convert_onnx_to_fx(exported(Around(), (x,), "unoptimized"))
    assert type(module.inside) is type(plain) or type(module.inside).__name__ == type(plain).__name__
    torch.testing.assert_close(module.inside(x), plain(x), rtol=1e-6, atol=1e-6)


def test_a_block_takes_and_returns_what_the_authors_did(net):
    layer = net.encoder.layers[1]
    assert [n.op for n in layer.graph.nodes].count("placeholder") == 2
    x, mask = torch.randn(2, 7, 6), torch.ones(2, 7)
    assert layer(x, mask).shape == x.shape


@pytest.mark.parametrize("size, inputs", [(8, 1), (1500, 2)])
def test_a_large_constant_is_there_once(size, inputs):
    """One that two modules read: each holds a small one itself, and is handed a large one."""
    nodes = [onnx.helper.make_node("Gather", ["x", "order"], ["a"], axis=1)]
    nodes += [onnx.helper.make_node("Gather", ["a", "order"], ["y"], axis=1)]
    for node, place in zip(nodes, ("first", "second")):
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=f"['', '{place}', 'gather']")
        node.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value="['Net', 'Shuffle', 'aten']")
    order = onnx.numpy_helper.from_array(torch.arange(size).flip(0).numpy(), "order")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", size]) for n in "xy"]
    graph = onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:], [order])
    module = convert_onnx_to_fx(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10))
    for block in (module.first, module.second):
        assert [n.op for n in block.graph.nodes].count("placeholder") == inputs
    assert sum(b.numel() for b in module.buffers()) == size * (2 if inputs == 1 else 1)
    x = torch.randn(2, size)
    assert torch.equal(module(x), x)
    assert torch.equal(module.first(x, *list(module.buffers())[: inputs - 1]), x.flip(1))


@pytest.mark.parametrize("deep", [60, 200, 500_000])
def test_modules_in_each_other_without_end_are_no_modules(deep):
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="/m" * deep + "/Relu")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "net", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    module = convert_onnx_to_fx(model)
    assert report(module)["summary"]["blocks"] == (deep if deep < 64 else 0)
    assert torch.equal(module(torch.tensor([-1.0, 1.0])), torch.tensor([0.0, 1.0]))


def test_modules_that_lie_in_each_others_way_stay_open():
    """Two nodes each, far apart: to gather them all would take the square of their number."""
    count, nodes = 4000, []
    for i in range(2 * count):
        node = onnx.helper.make_node("Relu", [f"v{i - count}" if i >= count else "x"], [f"v{i}"])
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=f"['', 'm{i % count}', 'n']")
        node.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value="['N', 'm.M', 'aten']")
        nodes.append(node)
    nodes.append(onnx.helper.make_node("Sum", [f"v{i}" for i in range(count, 2 * count)], ["y"]))
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in "xy"]
    graph = onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    said = report(convert_onnx_to_fx(model, weights="meta"))
    assert said["summary"]["blocks"] == 0 and set(said["open_blocks"].values()) == {"its nodes lie too far apart"}


def test_lists_and_sequences_are_indexed_as_the_authors(net):
    layers = net.encoder.layers
    assert type(layers) is nn.ModuleList and len(layers) == 3
    assert [type(m).__name__ for m in layers] == ["Layer"] * 3 and layers[-1] is layers[2]
    assert [type(m).__name__ for m in net.head] == ["Linear", "ReLU", "Linear"] and len(net.head) == 3
    assert net.head[0] is net.head.get_submodule("0") and net.head[-1] is net.head[2]
    first = net.head[:2]
    x = torch.randn(3, 6)
    assert torch.equal(first(x), net.head[1](net.head[0](x)))
    with pytest.raises(IndexError, match=r"^index 5: expected one of \[0, 1, 2\]$"):
        net.head[5]


def test_the_originals_state_dict_loads_strictly(original, net):
    assert net.state_dict().keys() == original.state_dict().keys()
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    net.load_state_dict(original.state_dict())
    torch.testing.assert_close(net(*arguments()), original(*arguments()), rtol=1e-6, atol=1e-6)


def gradients(module, run):
    module.zero_grad()
    run(module).sum().backward()
    return {n: p.grad.clone() for n, p in module.named_parameters()}


def test_a_block_under_checkpoint_gives_the_originals_gradients(original, net):
    def run(module):
        x, mask = arguments()
        x = x * module.scale
        for layer in module.encoder.layers:
            x = checkpoint(layer, x, mask, use_reentrant=False)
        return module.head(x)

    net.scale = original.scale
    want = gradients(copy.deepcopy(original), lambda m: m(*arguments()))
    got = gradients(net, run)
    assert got.keys() == want.keys()
    for name in want:
        torch.testing.assert_close(got[name], want[name], msg=name)


def test_a_block_is_replaced_and_frozen_by_name(net):
    args = arguments()
    before = net(*args)
    for p in net.encoder.layers[0].parameters():
        p.requires_grad_(False)
    net(*args).sum().backward()
    assert {n.split(".")[2] for n, p in net.named_parameters() if p.grad is None} == {"0"}

    class Skip(nn.Module):
        def forward(self, x, mask):
            return x

    net.encoder.layers[1] = Skip()
    assert not torch.equal(net(*args), before)


def test_copies_keep_the_blocks_and_their_constants(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for other in (copy.deepcopy(net), torch.load(file, weights_only=False)):
        assert type(other.encoder.layers) is nn.ModuleList
        assert type(other.encoder).__name__ == "Encoder" and other.head[1] is not net.head[1]
        assert other.state_dict().keys() == net.state_dict().keys()
        assert torch.equal(other(*arguments()), net(*arguments()))
        with torch.no_grad():
            other.head[2].bias += 1
        assert not torch.equal(other(*arguments()), net(*arguments()))


def test_dropout_in_a_block_follows_train(original):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            copy.deepcopy(original).train(), arguments(), file, dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )  # fmt: skip
    module = convert_onnx_to_fx(file.getvalue())
    layer, args = module.encoder.layers[0], (torch.randn(2, 4, 6), torch.ones(2, 4))
    assert torch.equal(layer(*args), layer(*args))
    module.train()
    assert not torch.equal(layer(*args), layer(*args))
    layer.eval()
    assert torch.equal(layer(*args), layer(*args)) and module.encoder.layers[1].training


def test_torchs_own_tools_take_nested_modules(net):
    args, other = arguments(), arguments(5, 3)
    sizes = tuple({0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO} for _ in args)
    program = torch.export.export(net, args, dynamic_shapes=sizes)
    torch.testing.assert_close(program.module()(*other), net(*other))
    stacks = [n.meta["nn_module_stack"] for n in program.graph.nodes if n.op == "call_function"]
    assert any("encoder.layers.1.act" in str(stack) for stack in stacks)
    torch.testing.assert_close(torch.compile(net, backend="aot_eager")(*args), net(*args))
    assert torch.equal(fx.Interpreter(net).run(*args), net(*args))
    torch.testing.assert_close(fx.symbolic_trace(net)(*other), net(*other))


def test_it_goes_back_to_onnx_with_its_modules(net):
    again = convert_onnx_to_fx(exported(net, arguments(), "unoptimized"))
    assert type(again.encoder.layers[1]).__name__ == "Layer"
    torch.testing.assert_close(again(*arguments()), net(*arguments()), rtol=1e-6, atol=1e-6)


def test_an_error_in_a_block_names_the_onnx_node(net):
    with pytest.raises(RuntimeError) as e:
        net(torch.randn(2, 4, 5), torch.ones(2, 4))
    assert str(e.value).count("in the ONNX node") == 1


def test_flatten_gives_one_graph_of_the_same_parameters(net):
    flat = flatten(net)
    assert not [
        n.target for n in flat.graph.nodes
        if n.op == "call_module" and isinstance(flat.get_submodule(n.target), fx.GraphModule)
    ]  # fmt: skip
    assert torch.equal(flat(*arguments()), net(*arguments()))
    assert flat.state_dict().keys() == net.state_dict().keys()
    ours = dict(net.named_parameters())
    assert all(p is ours[n] for n, p in flat.named_parameters())
    assert [n.meta["onnx"]["op_type"] for n in flat.graph.nodes if "onnx" in n.meta].count("LayerNormalization") == 3


def test_the_aten_dialect_is_flat(files):
    module = convert_onnx_to_fx(files["unoptimized"], dialect="aten")
    assert {n.op for n in module.graph.nodes} == {"placeholder", "get_attr", "call_function", "output"}
    assert report(module)["summary"]["blocks"] == 0


def test_blocks_are_an_option():
    with pytest.raises(ValueError, match="^blocks: expected one of nested, flat, got 'deep'$"):
        convert_onnx_to_fx(b"", blocks="deep")


# ---- packages


@pytest.fixture
def package(files, tmp_path):
    onnx.save(files["unoptimized"], tmp_path / "net.onnx")
    out = tmp_path / "out"
    command = pathlib.Path(sys.executable).with_name("onnx2fx")
    done = subprocess.run(
        [command, tmp_path / "net.onnx", "--weights", "copy", "-o", out], capture_output=True, text=True, check=True
    )
    assert "  program  15 layers in 5 blocks, " in done.stderr
    return out


def test_a_package_holds_blocks(package, net):
    module = load(package)
    assert type(module.encoder.layers[2]).__name__ == "Layer"
    assert torch.equal(module(*arguments()), net(*arguments()))
    weightless = load(package, weights="meta")
    assert all(p.is_meta for p in weightless.parameters())
    weightless.load_state_dict(net.state_dict(), assign=True)
    assert torch.equal(weightless(*arguments()), net(*arguments()))


def test_a_block_named_output_is_in_a_package(tmp_path):
    """As in a BERT: the output of the block around it has another name."""
    nodes = []
    for op, given, gives, path in [("Sin", "x", "a", ["m"]), ("Cos", "a", "b", ["m", "m.output"]), ("Tanh", "b", "y", ["m", "m.output"])]:
        node = onnx.helper.make_node(op, [given], [gives])
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr(["", *path, gives]))
        node.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value=repr(["Net", *("a.Part" for _ in path), "aten"]))
        nodes.append(node)
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in "xy"]
    graph = onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    subprocess.run([pathlib.Path(sys.executable).with_name("onnx2fx"), "m.onnx", "-o", "out"], cwd=tmp_path, check=True, capture_output=True)
    module, x = load(tmp_path / "out"), torch.tensor([1.0, 2])
    assert "output = self.output(" in module.m.code
    assert torch.equal(module(x), x.sin().cos().tanh())


def broken(package: pathlib.Path, edit):
    document = json.loads((package / "graph.json").read_text())
    edit(document, {m["path"]: m for m in document["modules"]}, {p["name"]: p for p in document["programs"]})
    (package / "graph.json").write_text(json.dumps(document))
    with pytest.raises(PackageError) as e:
        load(package)
    return str(e.value)


def test_a_block_that_calls_itself_is_refused(package):
    def edit(document, modules, programs):
        modules["encoder.layers.0"]["program"] = modules["encoder"]["program"]

    assert broken(package, edit).endswith("node 'layers_0': block 'encoder.layers.0': it calls itself")


def test_what_lies_outside_of_the_block_that_calls_it_is_refused(package):
    def edit(document, modules, programs):
        modules["encoder.layers.0"]["path"] = "other"

    assert broken(package, edit) == (
        "program 'root': node 'encoder': program 'encoder': node 'layers_0': program 'encoder_layers_0': "
        "node 'layer_norm': expected a path below that of the block, 'other', got 'encoder.layers.0.norm'"
    )


def test_two_blocks_at_one_path_are_refused(package):
    def edit(document, modules, programs):
        modules["encoder.layers.1"]["path"] = "encoder.layers.0"

    assert broken(package, edit) == "block 'encoder.layers.0': expected a path of its own, got one that is taken"


def test_a_program_that_is_not_there_is_refused(package):
    def edit(document, modules, programs):
        modules["encoder"]["program"] = "nowhere"

    assert broken(package, edit) == "program 'root': node 'encoder': no 'nowhere' is known"
