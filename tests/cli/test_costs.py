"""The figures of `inspect` are those of torch's own counters, of torchinfo and of a run."""

import contextlib
import json
import weakref

import onnx_to_fx
import pytest
import torch
import torch.nn.functional as F
import torchinfo
from command_line import onnx2fx
from costed_models import NETWORKS, built, export, value
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    """By network: its file, and what inspect says of it at the sizes of its input."""
    folder, known = tmp_path_factory.mktemp("costs"), {}

    def inspect(name):
        if name not in known:
            export(name, folder / f"{name}.onnx")
            code, out, errors = onnx2fx("inspect", folder / f"{name}.onnx", "--json", "--size", sizes(name))
            assert (code, errors) == (0, "")
            known[name] = folder / f"{name}.onnx", json.loads(out)
        return known[name]

    return inspect


def sizes(name):
    network = NETWORKS[name]
    return ",".join(f"{text}={network.shape[axis]}" for axis, text in network.dims.items())


@contextlib.contextmanager
def plain_kernels():
    """Fused ones hide from the counters what they compute."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_are_those_of_the_flop_counter(inspected, name):
    module, (_, found) = built(name), inspected(name)
    with plain_kernels(), FlopCounterMode(display=False) as counter:
        module(value(name))
    assert found["cost"]["macs"] * 2 == counter.get_total_flops()
    assert (found["cost"]["needed"], found["cost"]["uncounted"]) == ([], [])
    assert sum(layer["macs"] * layer["times"] for layer in found["layers"]) == found["cost"]["macs"]
    assert found["modules"][0]["macs"] == found["cost"]["macs"]


@pytest.mark.parametrize("form", [("--dialect", "aten"), ("--blocks", "flat"), ("--recover", "off")], ids=" ".join)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_form_of_a_program_takes_the_same(inspected, name, form):
    path, found = inspected(name)
    code, out, errors = onnx2fx("inspect", path, "--json", "--size", sizes(name), *form)
    assert (code, errors) == (0, "")
    assert json.loads(out)["cost"]["macs"] == found["cost"]["macs"]
    assert json.loads(out)["parameters"] == found["parameters"]


class Functions(nn.Module):
    """Products whose operands are no parameters; no two alike, of which the exporter would make one."""

    def forward(self, x, y, image, kernel, up):
        products = torch.einsum("bij,bkj->bik", x, y), x @ y.transpose(1, 2), torch.bmm(y, x.mT), x * y
        convolutions = F.conv2d(image, kernel, stride=2), F.conv_transpose2d(image, up, stride=2)
        return *products, *convolutions, torch.baddbmm(x[..., :3], y, y.mT), F.linear(x, y[0])


def test_functions_are_counted_as_modules_are(tmp_path):
    inputs = [torch.randn(s) for s in ((2, 3, 4), (2, 3, 4), (2, 3, 8, 8), (5, 3, 3, 3), (3, 5, 2, 2))]
    module = Functions().eval()
    torch.onnx.export(module, tuple(inputs), tmp_path / "m.onnx", dynamo=True, verbose=False)
    code, out, errors = onnx2fx("inspect", tmp_path / "m.onnx", "--json")
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    assert (code, errors, json.loads(out)["cost"]["uncounted"]) == (0, "", [])
    assert json.loads(out)["cost"]["macs"] * 2 == counter.get_total_flops()


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in ("audio", "unet")])  # it knows conv2d alone
def test_macs_are_those_of_the_profiler(inspected, name):
    module, (_, found) = built(name), inspected(name)
    with plain_kernels(), torch.profiler.profile(with_flops=True) as profile:
        module(value(name))
    products = ("aten::conv2d", "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
    assert found["cost"]["macs"] * 2 == sum(e.flops for e in profile.key_averages() if e.key in products)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_those_of_the_module(inspected, name):
    module, (_, found) = built(name), inspected(name)
    elements = sum(p.numel() for p in module.parameters())
    parameters = dict(found["parameters"])
    assert parameters.pop("tensors") > 0
    assert parameters == {
        "elements": elements,
        "bytes": 4 * elements,
        "dtypes": {"float32": elements},
        "trainable": elements,
    }
    assert found["buffers"]["elements"] == sum(b.numel() for b in module.buffers() if b.is_floating_point())
    assert found["modules"][0]["parameters"] == found["parameters"]["elements"]


def layers(name):
    """Those of torchinfo that have a class of torch.nn with weights."""
    network = built(name)
    with plain_kernels():
        info = torchinfo.summary(network, input_data=value(name), verbose=0)
    paths = {id(m): path for path, m in network.named_modules()}
    known = {paths[i.layer_id]: i for i in info.summary_list if i.layer_id in paths}
    kinds = ("Linear", "Conv", "BatchNorm", "LayerNorm", "Embedding")
    return info, {p: i for p, i in known.items() if i.class_name.startswith(kinds)}


def is_counted_right(layer):
    """torchinfo takes a Linear of any rank for one of a row each, and ConvTranspose for a convolution."""
    return layer.class_name in ("Conv1d", "Conv2d") or (layer.class_name == "Linear" and len(layer.output_size) == 2)


@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "encoder"])  # whose attention calls no Linear
def test_layers_are_those_of_torchinfo(inspected, name):
    info, expected = layers(name)
    found = inspected(name)[1]
    assert info.total_params == found["parameters"]["elements"]
    assert info.trainable_params == found["parameters"]["trainable"]
    known = {layer["path"]: layer for layer in found["layers"]}
    for path, layer in expected.items():
        assert known[path]["class"] == layer.class_name
        assert known[path]["parameters"] == layer.num_params
        assert known[path]["output"] == {"dtype": "float32", "shape": list(layer.output_size)}
        if is_counted_right(layer):
            weight = layer.module.weight.numel()  # it counts a bias as well
            assert known[path]["macs"] == layer.macs * weight // layer.num_params


class Storages(TorchDispatchMode):
    """Bytes of the storages that calls make: of all, and at most at one time."""

    def __init__(self, inputs):
        super().__init__()
        self.known = {t.untyped_storage()._cdata for t in inputs}
        self.all = self.alive = self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        made = [results[0]] if "max_pool2d" in str(function) else tree_leaves(results)  # the indices are not asked for
        for tensor in made:
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        return results

    def add(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.all += size
        self.alive += size
        self.most = max(self.most, self.alive)
        weakref.finalize(storage, self.drop, key, size)

    def drop(self, key, size):
        self.known.discard(key)
        self.alive -= size


# Of these no reshape copies, and no kernel makes tensors of its own.
@pytest.mark.parametrize("name", ["mlp", "resnet", "mobile_net", "unet", "bag", "audio"])
def test_activations_are_those_of_a_run(inspected, name):
    path, found = inspected(name)
    module, x = onnx_to_fx.convert_onnx_to_fx(path).eval(), value(name)
    with torch.no_grad(), Storages([x, *module.parameters(), *module.buffers()]) as storages:
        module(x)
    assert found["cost"]["activation_bytes"] == storages.all
    assert found["cost"]["peak_activation_bytes"] == storages.most
