"""Writes aten_schemas.txt: the ATen schemas of the installed LibTorch, one a line, sorted.

    python generate_schemas.py [--check] [FILE]

--check: writes nothing, exits 1 and names the first line that differs.
TorchScript's list has `aten::` entries that no dispatcher knows (`aten::add(str, str)`); they are left out.
"""

import pathlib
import sys

import torch


def in_dispatcher(schema):
    """Whether torch.ops.aten has the overload and a kernel is registered for it."""
    packet = getattr(torch.ops.aten, schema.name.removeprefix("aten::"), None)
    if getattr(packet, schema.overload_name or "default", None) is None:
        return False
    overload = "." + schema.overload_name if schema.overload_name else ""
    return torch._C._dispatch_has_kernel(schema.name + overload)


def schemas():
    all_schemas = (s for s in torch._C._jit_get_all_schemas() if s.name.startswith("aten::"))
    # The target is all that stands before "(": sorted by it, for binary search.
    return sorted({str(s) for s in all_schemas if in_dispatcher(s)}, key=lambda s: s.partition("("))


def main(arguments):
    check = "--check" in arguments
    names = [a for a in arguments if a != "--check"]
    path = pathlib.Path(names[0] if names else pathlib.Path(__file__).with_name("aten_schemas.txt"))
    text = "".join(s + "\n" for s in schemas())
    if not check:
        path.write_text(text)
        return 0
    have, want = path.read_text().splitlines(), text.splitlines()
    for i in range(max(len(have), len(want))):
        a, b = (have[i : i + 1] or ["nothing"])[0], (want[i : i + 1] or ["nothing"])[0]
        if a != b:
            print(f"{path.name}:{i + 1}: expected {b}, got {a}\n  note: run {pathlib.Path(__file__).name}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
