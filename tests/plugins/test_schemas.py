"""Python's jsonschema over the corpus that the host's own checker judges in corpus_test.cpp."""
import json
import pathlib

import jsonschema
import pytest

HERE = pathlib.Path(__file__).parent
SCHEMAS = HERE.parents[1] / "sdk" / "schema"


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cases():
    for schema, corpus in (("plugin", "descriptors"), ("manifest", "manifests")):
        for case in load(HERE / "corpus" / f"{corpus}.json"):
            yield pytest.param(schema, case, id=f"{corpus}: {case['why']}")


@pytest.mark.parametrize("name", ["plugin", "manifest"])
def test_schema_is_one(name):
    jsonschema.Draft7Validator.check_schema(load(SCHEMAS / f"{name}.schema.json"))


@pytest.mark.parametrize("schema, case", list(cases()))
def test_agreement(schema, case):
    validator = jsonschema.Draft7Validator(load(SCHEMAS / f"{schema}.schema.json"))
    assert validator.is_valid(case["document"]) == case["good"]
