"""The C++ library as somebody gets it who has an installation and nothing else: its headers, its symbols, a program
built against it out of tree."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import onnx
import onnx.parser
import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
CONSUMER = pathlib.Path(__file__).parent / "consumer"
CMAKE = ROOT / ".venv" / "bin" / "cmake"
CORE_HEADERS = {"convert", "diagnostic", "export", "options", "program", "version"}
SDK_HEADERS = {"mock_host", "mock_weights", "plugin", "reference", "weights"}


def run(*command, **options):
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, errors="replace", **options
    )
    return done.returncode, done.stdout, done.stderr


def succeed(*command, **options):
    code, out, err = run(*command, **options)
    assert code == 0, out + err
    return out


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation that was moved after it was made."""
    folder = tmp_path_factory.mktemp("installation")
    succeed(CMAKE, "--install", BUILD, "--prefix", folder / "made")
    (folder / "made").rename(folder / "moved")
    return folder / "moved"


@pytest.fixture(scope="module")
def has_runtime(prefix):
    if not (prefix / "include/onnx2fx/module.hpp").exists():
        pytest.skip("built without the LibTorch runtime")


def test_the_manual_page(prefix):
    page = (prefix / "share/man/man1/onnx2fx.1").read_text()
    assert page.startswith(".TH ONNX2FX 1") and page == succeed(prefix / "bin/onnx2fx", "man")


def configure(prefix, build, *options):
    succeed(CMAKE, "-S", CONSUMER, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_PREFIX_PATH={prefix}", *options)  # fmt: skip


@pytest.fixture(scope="module")
def convert(prefix, tmp_path_factory):
    build = tmp_path_factory.mktemp("consumer")
    configure(prefix, build)
    succeed(CMAKE, "--build", build)
    return build / "convert"


def saved(folder, graph, imports='"": 17'):
    model = onnx.parser.parse_model(f"<ir_version: 8, opset_import: [{imports}]> {graph}")
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_the_snippet_of_the_readme_is_the_consumer():
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("## Embed in C++") :]
    assert re.search(r"```cpp\n(.*?)```", section, re.DOTALL)[1] == (
        CONSUMER / "convert.cpp"
    ).read_text()


def test_installed_headers(prefix):
    installed = {h.stem for h in (prefix / "include/onnx2fx").glob("*.h*")} - {"module"}
    assert installed == CORE_HEADERS | SDK_HEADERS


@pytest.mark.parametrize("header", sorted(CORE_HEADERS | SDK_HEADERS))
def test_header_stands_alone(prefix, header, tmp_path):
    source = tmp_path / "alone.cpp"
    source.write_text(f"#include <onnx2fx/{header}.hpp>\n#include <onnx2fx/{header}.hpp>\n")
    succeed("g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
            "-Wno-missing-field-initializers", "-I", prefix / "include", source)  # fmt: skip
    # and reads nothing but its own kind and the standard library
    read = succeed("g++", "-std=c++20", "-MM", "-I", prefix / "include", source)
    others = [f for f in read.replace("\\\n", " ").split()[2:] if f"{prefix}/include/onnx2fx/" not in f]
    assert others == []


def test_header_of_the_runtime_stands_alone(prefix, has_runtime, tmp_path):
    torch = pathlib.Path(
        re.search(r'candidates ".*" "(.*)"', (prefix / "lib/cmake/onnx2fx/onnx2fx-runtime.cmake").read_text())[1]
    )  # fmt: skip
    source = tmp_path / "alone.cpp"
    source.write_text("#include <onnx2fx/module.hpp>\n")
    succeed("g++", "-std=c++20", "-fsyntax-only", "-I", prefix / "include", "-isystem", torch / "include",
            "-isystem", torch / "include/torch/csrc/api/include", source)  # fmt: skip


def test_exported_symbols(prefix):
    out = succeed("nm", "-DC", "--defined-only", prefix / "lib/libonnx2fx_core.so")
    names = sorted(line.split(" ", 2)[2] for line in out.splitlines())
    assert [n for n in names if "convert" in n or "write_package" in n or "::bytes" in n] == [
        "onnx2fx::Conversion::bytes(onnx2fx::fx::TensorData const&) const",
        "onnx2fx::convert(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&, "
        "onnx2fx::Options const&, onnx2fx::plugin::Registry*)",
        "onnx2fx::convert(std::shared_ptr<std::__cxx11::basic_string<char, std::char_traits<char>, "
        "std::allocator<char> > const>, std::__cxx11::basic_string<char, std::char_traits<char>, "
        "std::allocator<char> > const&, std::__cxx11::basic_string<char, std::char_traits<char>, "
        "std::allocator<char> > const&, onnx2fx::Options const&, onnx2fx::plugin::Registry*)",
        "onnx2fx::write_package(onnx2fx::Conversion const&, std::__cxx11::basic_string<char, "
        "std::char_traits<char>, std::allocator<char> > const&)",
    ]
    # all others are of these types: their destructors, their type_infos
    own = r"(typeinfo for )?onnx2fx::(Conversion|\w*Error)(::~?\w+\(.*)?"
    assert [n for n in names if not re.match(rf"{own}$|onnx2fx::(convert|write_package)\(|onnx2fx::Conversion::bytes", n)] == []  # fmt: skip


def test_consumer_converts(convert, tmp_path):
    model = saved(
        tmp_path,
        "g (float[2] x) => (float[2] y) <float[2, 2] w = {1, 2, 3, 4}> { h = MatMul(x, w) y = Relu(h) }",
    )
    out = succeed(convert, model, tmp_path / "out")
    document = json.loads((tmp_path / "out/graph.json").read_text())
    assert out.split() == [n["name"] for n in document["programs"][0]["nodes"]]
    assert [n["op"] for n in document["programs"][0]["nodes"]][0::2] == ["placeholder", "call_function"]


def test_consumer_catches_what_the_library_throws(convert, tmp_path):
    model = saved(
        tmp_path,
        "g (float[2] x) => (float[2] y) { h = acme.Rope(x) i = acme.Foo(h) y = acme.Rope(i) }",
        imports='"": 17, "acme": 1',
    )
    assert run(convert, model, tmp_path / "out") == (1, "", "acme.Rope\nacme.Foo\n")


@pytest.mark.parametrize("library", ["protobuf", "re2"])
def test_library_of_an_installation_needs_none_of_the_system(prefix, library):
    out = succeed("ldd", prefix / "lib/libonnx2fx_core.so")
    found = re.search(rf"lib{library}\.so\.\d+ => (\S+)", out)[1]
    assert pathlib.Path(found).parent.resolve() == (prefix / "lib/onnx2fx").resolve()


def test_pack_in_c_takes_the_same_package(prefix, tmp_path):
    shutil.copytree(prefix / "share/onnx2fx/template/ops-c", tmp_path / "pack")
    succeed(CMAKE, "-S", tmp_path / "pack", "-B", tmp_path / "build", "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={prefix}")  # fmt: skip
    succeed(CMAKE, "--build", tmp_path / "build")
    assert (tmp_path / "build/example_pack.onnx2fx.json").exists()


def test_consumer_of_the_runtime_trains(prefix, has_runtime, tmp_path):
    configure(prefix, tmp_path / "build", "-DWITH_RUNTIME=ON")
    succeed(CMAKE, "--build", tmp_path / "build")
    model = saved(
        tmp_path, "g (float[2] x) => (float[2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }"
    )
    # sum(x w) = 7 + 10; d/dw = [[1, 1], [2, 2]], a step of 0.5: w = [[0.5, 1.5], [2, 3]]
    assert succeed(tmp_path / "build/train", model).split() == ["17", "12"]
