"""The tables that C++ includes, as the loader reads them: each name is one that torch has."""

import inspect
import re

import pytest
import safetensors.torch
import torch
from onnx_to_fx.loader import own_modules, targets, vocabulary

TARGETS = {
    *vocabulary.NUMBER_OPERATORS,
    *vocabulary.HIGHER_ORDER,
    *vocabulary.NN_FUNCTIONS,
    *vocabulary.NN_NAMES.values(),
}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_is_callable(target):
    assert callable(targets.resolve(target))


@pytest.mark.parametrize("name", sorted(vocabulary.LEAVES))
def test_every_leaf_has_a_function_of_its_signature(name):
    _, schema = vocabulary.LEAVES[name]
    parameters = re.match(r"\((.*)\) ->", schema)[1].split(", ")
    expected = [p.split("=")[0].split()[-1] for p in parameters if p not in ("", "*")]
    function = targets.resolve("onnx2fx::" + name)
    is_operator = isinstance(function, torch._ops.OpOverload)
    names = [a.name for a in function._schema.arguments] if is_operator else inspect.signature(function).parameters
    assert [p.rstrip("_") for p in names] == expected


def test_no_leaf_lacks_a_schema():
    functions = {
        name
        for family in targets._FAMILIES.values()
        for name, f in vars(family).items()
        if isinstance(f, torch._ops.OpOverload)
        or (inspect.isfunction(f) and not name.startswith("_") and f.__module__ == family.__name__)
    }
    assert functions == set(vocabulary.LEAVES)


@pytest.mark.parametrize("name", sorted(vocabulary.MODULES))
def test_every_module_is_of_torch(name):
    assert issubclass(getattr(torch.nn, name), torch.nn.Module)


def test_every_other_module_is_the_loaders():
    assert vocabulary.OWN_MODULES == {
        n for n, c in vars(own_modules).items() if inspect.isclass(c) and c.__module__ == own_modules.__name__
    }


def test_dtypes_of_safetensors_are_those_of_the_library():
    theirs = {k: str(v).removeprefix("torch.") for k, v in safetensors.torch._TYPES.items()}
    shared = vocabulary.SAFETENSORS.keys() & theirs.keys()
    assert len(shared) >= 15
    assert {k: vocabulary.SAFETENSORS[k] for k in shared} == {k: theirs[k] for k in shared}
    assert set(vocabulary.SAFETENSORS.values()) == vocabulary.DTYPES - {"complex128"}
