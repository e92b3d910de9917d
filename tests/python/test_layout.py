"""Weights that the file holds transposed: parameters as torch.nn has them, or views."""

import subprocess

import numpy as np
import onnx
import onnx_to_fx
import pytest
import torch
from bindings import ONNX2FX
from onnx import helper, numpy_helper

ROWS, COLUMNS = 150, 800  # several blocks each way, none of them whole
FORMS = ("file", "unaligned", "external", "memory")


def weight(dtype):
    return (np.arange(ROWS * COLUMNS) % 251).reshape(ROWS, COLUMNS).astype(dtype)


def saved(folder, form="file", dtype=np.float32):
    """x @ w, w being [in, out]: nn.Linear's transposed. `unaligned`: one byte off in the file."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensor = numpy_helper.from_array(weight(dtype), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")],
        "g",
        [helper.make_tensor_value_info("x", kind, ["N", ROWS])],
        [helper.make_tensor_value_info("y", kind, ["N", COLUMNS])],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if form == "memory":
        return model
    if form == "external":
        onnx.external_data_helper.convert_model_to_external_data(model, location="w.bin", size_threshold=0)
    path = folder / "model.onnx"
    onnx.save(model, path)
    if form == "unaligned":
        for shift in range(8):
            model.producer_name = "p" * shift
            onnx.save(model, path)
            if path.read_bytes().index(weight(dtype).tobytes()) % np.dtype(dtype).itemsize:
                break
    return path


@pytest.mark.parametrize("weights", ["reference", "copy"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_parameters_are_contiguous(tmp_path, form, weights, dtype):
    module = onnx_to_fx.convert_onnx_to_fx(saved(tmp_path, form, dtype), weights=weights)
    (parameter,) = module.parameters()
    assert parameter.is_contiguous()
    np.testing.assert_array_equal(parameter.detach().numpy(), weight(dtype).T)


@pytest.mark.parametrize("form", FORMS)
def test_a_view_is_a_view(tmp_path, form):
    module = onnx_to_fx.convert_onnx_to_fx(saved(tmp_path, form), weights_layout="view")
    (parameter,) = module.parameters()
    assert parameter.stride() == (1, COLUMNS)
    np.testing.assert_array_equal(parameter.detach().numpy(), weight(np.float32).T)


@pytest.mark.parametrize("weights", ["meta", "fake"])
def test_without_weights_they_are_contiguous_in_either_layout(tmp_path, weights):
    for layout in ("contiguous", "view"):
        module = onnx_to_fx.convert_onnx_to_fx(saved(tmp_path), weights=weights, weights_layout=layout)
        (parameter,) = module.parameters()
        assert parameter.shape == (COLUMNS, ROWS) and parameter.is_contiguous()


@pytest.mark.parametrize("layout", ["contiguous", "view"])
def test_bind_lays_out_as_the_conversion_does(tmp_path, layout):
    path = saved(tmp_path)
    module = onnx_to_fx.convert_onnx_to_fx(path, weights="meta", weights_layout=layout)
    (parameter,) = onnx_to_fx.bind(module, path).parameters()
    assert parameter.is_contiguous() == (layout == "contiguous")
    np.testing.assert_array_equal(parameter.detach().numpy(), weight(np.float32).T)


def test_a_package_is_loaded_as_it_says_or_as_the_caller_does(tmp_path):
    path = saved(tmp_path)
    for said, asked, contiguous in [
        ("view", None, False),
        ("view", "contiguous", True),
        ("contiguous", None, True),
        ("contiguous", "view", False),
    ]:
        folder = tmp_path / f"{said}-{asked}"
        subprocess.run([ONNX2FX, path, "-o", folder, "--weights-layout", said], check=True)
        (parameter,) = onnx_to_fx.load(folder, weights_layout=asked).parameters()
        assert parameter.is_contiguous() == contiguous
        np.testing.assert_array_equal(parameter.detach().numpy(), weight(np.float32).T)


def test_unknown_layouts_are_refused(tmp_path):
    expected = "weights_layout: expected one of contiguous, view, got 'rows'"
    with pytest.raises(ValueError) as error:
        onnx_to_fx.convert_onnx_to_fx(saved(tmp_path), weights_layout="rows")
    assert str(error.value) == expected


def test_a_file_that_ends_early_is_refused(tmp_path):
    path = saved(tmp_path, "external")
    subprocess.run([ONNX2FX, path, "-o", tmp_path / "out"], check=True)
    data = tmp_path / "w.bin"
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(onnx_to_fx.PackageError, match="w.bin"):
        onnx_to_fx.load(tmp_path / "out")


def test_what_asks_for_contiguous_parameters_takes_them(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    from torch.nn.utils import parameters_to_vector, prune, vector_to_parameters

    module = onnx_to_fx.convert_onnx_to_fx(saved(tmp_path))
    safetensors.save_file(module.state_dict(), tmp_path / "w.safetensors")
    (stored,) = safetensors.load_file(tmp_path / "w.safetensors").values()
    np.testing.assert_array_equal(stored.numpy(), weight(np.float32).T)
    vector = parameters_to_vector(module.parameters())
    vector_to_parameters(2 * vector, module.parameters())
    np.testing.assert_array_equal(module.get_parameter("fc.weight").detach().numpy(), 2 * weight(np.float32).T)
    prune.l1_unstructured(module.fc, "weight", 0.5)
    assert int((module.fc.weight == 0).sum()) >= ROWS * COLUMNS // 2


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_fully_shard_takes_a_module_that_has_its_weights(tmp_path, one_process):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    path, mesh = saved(tmp_path), init_device_mesh("cpu", (1,))
    module = fully_shard(onnx_to_fx.convert_onnx_to_fx(path), mesh=mesh)
    x = torch.ones(2, ROWS)
    np.testing.assert_allclose(module(x).detach().numpy(), x.numpy() @ weight(np.float32), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="non-contiguous"):
        fully_shard(onnx_to_fx.convert_onnx_to_fx(path, weights_layout="view"), mesh=mesh)
