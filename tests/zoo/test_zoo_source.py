"""model.py of the zoo's models: as a formatter leaves it, without a converter's names, and there and back again."""

from __future__ import annotations

import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest
import torch
from torch.utils._pytree import tree_leaves

from zoo.models import BY_NAME
from zoo.subject import Converted

PLAIN = {
    "mlp": "dynamo", "norms": "unoptimized", "resnet": "preserve", "unet": "dynamo", "deeplab": "legacy",
    "mixture_of_experts": "unoptimized", "transformer": "legacy", "tied_embeddings": "dynamo", "vocoder": "dynamo",
    "unrolled": "dynamo",
}  # fmt: skip
CONTROL_FLOW = {"detector": "dynamo", "merged_decoder": "legacy", "if": "dynamo", "while": "legacy", "scan": "legacy"}
OTHERS = {"qdq_cnn": "unoptimized", "siamese_lstm": "legacy", "lstm_tagger": "dynamo", "graph_net": "legacy"}
MODELS = PLAIN | CONTROL_FLOW | OTHERS

A_CONVERTERS = {
    "a name for want of one": r"\b(node|val)_",
    "an operator's overload": r"torch\.ops\b",
    "a Python operator by name": r"\boperator\.",
    "times or by one": r"(\*|//) 1\b(?!\.)|(?<![\w.])1 \* ",
    "plus nothing": r"\.size\(\d\) [+-] 0\b|(?<![\w.])0 \+ \w+\.size",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def written(folder):
    """Name -> (subject, module, model.py); each is written once."""
    from onnx_to_fx import write_source

    torch.backends.mha.set_fastpath_enabled(False)
    made = {}

    def write(name: str) -> tuple[Converted, torch.nn.Module, pathlib.Path]:
        if name not in made:
            subject = Converted(BY_NAME[name], MODELS[name])
            module = subject.module()
            write_source(module, folder / name)
            made[name] = subject, module, folder / name / "model.py"
        return made[name]

    return write


def outputs(module, arguments):
    with torch.no_grad():
        return tree_leaves(module(*arguments))


def loaded(path):
    return runpy.run_path(str(path))["Model"].load()


@pytest.mark.parametrize("name", MODELS)
def test_no_converter_shows(written, name):
    text = written(name)[2].read_text()
    assert {what: re.findall(shape, text) for what, shape in A_CONVERTERS.items() if re.search(shape, text)} == {}


@pytest.mark.parametrize("name", MODELS)
def test_a_formatter_leaves_it_as_it_is(written, name):
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff"]
    done = subprocess.run([*command, str(written(name)[2])], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", MODELS)
def test_it_loads_alone_and_trains(written, name):
    """In a process without onnx_to_fx, and from there to a step of training."""
    subject, module, path = written(name)
    code = "from model import Model; import sys; Model.load(); assert 'onnx_to_fx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=path.parent, env={**os.environ, "PYTHONPATH": "."}, check=True)
    model = loaded(path)
    for size in subject.sizes:
        got, want = outputs(model, subject.args(size)), outputs(module, subject.args(size))
        assert len(got) == len(want) and all(map(torch.equal, got, want))
    before = {n: p.clone() for n, p in model.named_parameters()}
    losses = [v.float().sum() for v in tree_leaves(model(*subject.args())) if v.requires_grad]
    sum(losses).backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert any(not torch.equal(p, before[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("name", PLAIN)
def test_it_goes_there_and_back(written, name, tmp_path):
    """convert(export(Model)): its parameters under their names, its numbers to the last bit."""
    from onnx_to_fx import convert_onnx_to_fx

    subject, _, path = written(name)
    model = loaded(path)
    shapes, names = subject.dynamic(lambda n: n), [i.name for i in subject.inputs]
    file = tmp_path / "again.onnx"
    torch.onnx.export(
        model, subject.args(), file, dynamo=True, optimize=False, verbose=False, dynamic_shapes=shapes, input_names=names
    )
    again = convert_onnx_to_fx(file).eval()
    assert again.state_dict().keys() == model.state_dict().keys()
    for size in subject.sizes:
        got, want = outputs(again, subject.args(size)), outputs(model, subject.args(size))
        assert len(got) == len(want) and all(map(torch.equal, got, want))
