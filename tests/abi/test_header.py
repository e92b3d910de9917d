"""The SDK headers: they compile alone in every dialect, and what a released minor fixed has not moved."""
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
INCLUDE = HERE.parents[1] / "sdk" / "include"
HEADER = INCLUDE / "onnx2fx" / "plugin.h"
REFERENCE = INCLUDE / "onnx2fx" / "reference.h"
GOLDEN = HERE / "layout_1_0.txt"
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]

DIALECTS = [
    (compiler, language, standard)
    for compilers, language, standards in (
        (("gcc", "clang"), "c", ("c11", "c17")),
        (("g++", "clang++"), "c++", ("c++17", "c++20")),
    )
    for compiler in compilers
    if shutil.which(compiler)
    for standard in standards
]


def compile_text(folder, compiler, language, flags, text):
    source = folder / ("a.c" if language == "c" else "a.cpp")
    source.write_text(text)
    command = [compiler, "-x", language, *flags, f"-I{INCLUDE}", "-c", str(source), "-o", str(folder / "a.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler, language, standard", DIALECTS)
@pytest.mark.parametrize("enums", ["", "-fshort-enums"])
@pytest.mark.parametrize("header", [HEADER.name, REFERENCE.name])
def test_c_header_compiles_alone(tmp_path, compiler, language, standard, enums, header):
    flags = [f"-std={standard}", *STRICT, *([enums] if enums else [])]
    if language == "c++":
        flags += ["-fno-exceptions", "-fno-rtti"]
    compile_text(tmp_path, compiler, language, flags, f"#include <onnx2fx/{header}>\nint unused_file;\n")


@pytest.mark.parametrize("compiler", [c for c in ("g++", "clang++") if shutil.which(c)])
@pytest.mark.parametrize("wrapper", ["plugin.hpp", "weights.hpp", "reference.hpp", "mock_host.hpp", "mock_weights.hpp"])
def test_wrapper_compiles_alone(tmp_path, compiler, wrapper):
    compile_text(tmp_path, compiler, "c++", ["-std=c++20", *STRICT], f"#include <onnx2fx/{wrapper}>\n")


def test_example_of_the_header_compiles(tmp_path):
    comment = re.search(r"static o2fx_status relu.*?&kPlugin; }", HEADER.read_text(), re.S).group(0)
    code = re.sub(r"^ \*", "", comment, flags=re.M)
    text = "#include <onnx2fx/plugin.h>\n" + code + (
        "\nstatic o2fx_status relu(const o2fx_host_api *host, o2fx_ctx ctx, const void *op_user) "
        "{ (void)host; (void)ctx; (void)op_user; return O2FX_DECLINE; }\n"
    )
    compile_text(tmp_path, "gcc", "c", ["-std=c11", *STRICT, "-Wno-missing-field-initializers"], text)


def test_newer_minor_than_the_sdk_is_refused(tmp_path):
    source = tmp_path / "a.c"
    source.write_text("#include <onnx2fx/plugin.h>\n")
    done = subprocess.run(["gcc", "-DO2FX_TARGET_MINOR=99u", f"-I{INCLUDE}", "-fsyntax-only", str(source)], capture_output=True, text=True)
    assert done.returncode != 0 and "O2FX_TARGET_MINOR is newer than this SDK" in done.stderr


HOST_TABLES = {  # and the slots that share the comment of the one before
    "o2fx_host_api": {"attr_graph", "attr_type"},
    "o2fx_weights_host": {"set_error", "scratch"},
    "o2fx_reference_host": set(),
}


def declarations():
    """Of both headers, without comments."""
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text() + REFERENCE.read_text(), flags=re.S)


def test_every_host_function_says_where_it_may_be_called():
    """[ctx] in the comment before each slot, or behind it."""
    for name, shared in HOST_TABLES.items():
        body = re.search(rf"typedef struct {name} \{{(.*?)\n\}} {name};", HEADER.read_text() + REFERENCE.read_text(), re.S)[1]
        slots = re.split(r"\(O2FX_CALL\* (\w+)\)", body)
        assert len(slots) > 4
        untagged = set()
        for before, slot, behind in zip(slots[::2], slots[1::2], slots[2::2]):
            same_line = behind.partition(";")[2].partition("\n")[0]
            if "[ctx]" not in before.rpartition(";")[2] + same_line:
                untagged.add(slot)
        assert untagged == shared, name


def structs():
    """(struct, [field]) of every struct that the headers define."""
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\n\} (\w+);", declarations(), re.S):
        body = re.sub(r"union \{.*?\} u;", "int u;", body, flags=re.S)
        fields = []
        for declaration in body.split(";"):
            function = re.search(r"\(O2FX_CALL\* (\w+)\)", declaration)
            if function:
                fields.append(function.group(1))
            elif declaration.strip():
                fields += [re.search(r"(\w+)\s*$", part).group(1) for part in declaration.split(",")]
        yield name, fields


def layout(folder):
    lines = []
    for name, fields in structs():
        lines += [f'printf("{name} size %zu\\n", sizeof({name}));']
        lines += [f'printf("{name}.{f} %zu\\n", offsetof({name}, {f}));' for f in fields]
    program = folder / "layout"
    source = folder / "layout.c"
    source.write_text("#include <stdio.h>\n#include <onnx2fx/reference.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n")
    subprocess.run(["gcc", f"-I{INCLUDE}", str(source), "-o", str(program)], check=True)
    return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines()


def test_layout_is_that_of_minor_0(tmp_path):
    """Fields may be appended to structs with struct_size; nothing else may change."""
    now = dict(line.rsplit(" ", 1) for line in layout(tmp_path))
    for line in GOLDEN.read_text().splitlines():
        key, value = line.rsplit(" ", 1)
        name = key.split(" ")[0].split(".")[0]
        grows = f"{name}.struct_size" in now
        if key.endswith(" size") and grows:
            assert int(now[key]) >= int(value), key
        else:
            assert now.get(key) == value, key


def test_tables_know_every_slot(tmp_path):
    """A slot that was added must be pinned too: regenerate layout_1_0.txt until minor 0 is released."""
    assert layout(tmp_path) == GOLDEN.read_text().splitlines()


# ---- what libabigail finds

EVERYTHING = """#include <onnx2fx/reference.h>
const o2fx_plugin* onnx2fx_plugin_entry_1(void) { return 0; }
O2FX_EXPORT void tables(const o2fx_host_api* a, const o2fx_weights_ext* b, const o2fx_weights_host* c) { (void)a, (void)b, (void)c; }
O2FX_EXPORT void references(const o2fx_reference_ext* a) { (void)a; }
"""
BASELINE = HERE / "abi_1_0.xml"


def debug_library(folder):
    """A library that has every type of the header in its debug information."""
    (folder / "all.c").write_text(EVERYTHING)
    command = ["gcc", "-std=c11", "-g", "-shared", "-fPIC", f"-I{INCLUDE}", "all.c", "-o", "liball.so"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "liball.so"


@pytest.mark.skipif(not shutil.which("abidiff"), reason="needs Debian's abigail-tools")
def test_abidiff_finds_nothing_against_the_baseline(tmp_path):
    """Until minor 0 is released the baseline moves with the header: abidw --no-architecture
    --no-corpus-path --no-show-locs --no-comp-dir-path --short-locs liball.so > abi_1_0.xml."""
    done = subprocess.run(["abidiff", "--no-architecture", str(BASELINE), str(debug_library(tmp_path))], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("abidiff"), reason="needs Debian's abigail-tools")
def test_abidiff_would_find_a_slot_of_another_type(tmp_path):
    library = debug_library(tmp_path)
    text = HEADER.read_text()
    changed = text.replace("o2fx_value(O2FX_CALL* input)(o2fx_ctx, uint32_t index);", "o2fx_value(O2FX_CALL* input)(o2fx_ctx, int64_t index);")
    assert changed != text
    (tmp_path / "onnx2fx").mkdir()
    (tmp_path / "onnx2fx" / "plugin.h").write_text(changed)
    shutil.copy(REFERENCE, tmp_path / "onnx2fx")
    command = ["gcc", "-std=c11", "-g", "-shared", "-fPIC", f"-I{tmp_path}", str(tmp_path / "all.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    done = subprocess.run(["abidiff", "--no-architecture", str(BASELINE), str(library)], capture_output=True, text=True)
    assert done.returncode != 0 and "o2fx_host_api" in done.stdout
