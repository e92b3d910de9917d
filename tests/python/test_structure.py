"""Documents that FORMAT.md does not allow, as load() refuses them. tests/fuzz/loader_fuzz.py looks for more."""

import copy
import json

import pytest
from documents import call, document, inputs, ref
from onnx_to_fx import PackageError, load


def changed(path, value):
    """A good document with another value at `path`; None deletes."""
    doc = document([*inputs("x"), call("y", "aten::relu", ref("x"))], [ref("y")])
    doc["weights"] = "copy"
    doc["inputs"] = [{"name": "x", "onnx_name": "x", "dtype": "float32", "shape": [2]}]
    at = doc
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = copy.deepcopy(value)
    return doc


def refusal(folder, doc):
    (folder / "graph.json").write_text(json.dumps(doc))
    with pytest.raises(PackageError) as caught:
        load(folder)
    return str(caught.value)


NODES = ("programs", 0, "nodes")
TENSOR = {"name": "w", "path": "w", "dtype": "float32", "shape": [2], "role": "parameter", "requires_grad": True, "data": None}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("inputs",), None, "graph.json: the document: expected a key 'inputs', got ['dialect', 'format', 'generator', 'metadata', 'modules', 'outputs', 'progra..."),
        (("programs",), [], "graph.json: programs: expected at least one, each with a name of its own, got []"),
        (("programs", 0, "name"), 3, "graph.json: programs[0].name: expected a text, got 3"),
        (("programs", 0, "name"), "\ud800", "graph.json: programs[0].name: expected a text in Unicode, got '\\ud800'"),
        (("programs", 0, "nodes"), {}, "graph.json: programs[0].nodes: expected a list, got {}"),
        ((*NODES, 1, "op"), "exec", "graph.json: programs[0].nodes[1]: expected a node whose op is one of placeholder, get_attr, call_function, call_module, output, got {'op': 'exec', 'name': 'y', 'target': 'aten::relu', 'args': [{'node': 'x'}]}"),
        ((*NODES, 1, "target"), None, "graph.json: programs[0].nodes[1]: expected a key 'target', got ['args', 'name', 'op']"),
        ((*NODES, 1, "name"), "x", "graph.json: programs[0].nodes[1].name: expected one that no other node has, got 'x'"),
        ((*NODES, 1, "secret"), 1, "graph.json: programs[0].nodes[1]: expected one of the keys op, name, args, target, onnx, meta, type, kwargs, got 'secret'"),
        ((*NODES, 1, "onnx"), -1, "graph.json: programs[0].nodes[1].onnx: expected an index, got -1"),
        ((*NODES, 2, "args"), [], "graph.json: programs[0].nodes[2].args: expected one argument, got []"),
        ((*NODES, 2), None, "graph.json: programs[0].nodes[1]: expected exactly one output, the last node, got 'y'"),
        ((*NODES, 1, "onnx"), 7, "program 'root': node 'y': list index out of range"),
        ((*NODES, 1, "args"), [ref("z")], "program 'root': node 'y': no 'z' is known"),
        ((*NODES, 1, "target"), "operator::add", "program 'root': Replacement index 1 out of range for positional args tuple"),
        (("dialect",), "jax", "graph.json: dialect: expected one of aten, nn, got 'jax'"),
        (("tensors",), [{**TENSOR, "shape": [-2]}], "graph.json: tensors[0].shape[0]: expected an index, got -2"),
        (("tensors",), [{**TENSOR, "role": "weight"}], "graph.json: tensors[0].role: expected one of parameter, buffer, constant, got 'weight'"),
        (("tensors",), [{**TENSOR, "data": {"source": 0}}], "graph.json: tensors[0].data: expected a key 'offset', got ['source']"),
        (("inputs", 0, "shape"), "N", "graph.json: inputs[0].shape: expected a list, got 'N'"),
    ],
)  # fmt: skip
def test_document_is_refused(tmp_path, path, value, message):
    got = refusal(tmp_path, changed(path, value))
    assert got == message


def test_document_that_is_no_object(tmp_path):
    assert refusal(tmp_path, []) == "graph.json: expected an object, got list"
