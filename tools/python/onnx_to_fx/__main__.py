"""``python -m onnx_to_fx`` is the command ``onnx2fx`` of the same installation."""

from __future__ import annotations

import os
import pathlib
import sys
import sysconfig


def main() -> int:
    """Becomes the command; returns only where there is none."""
    prefix = pathlib.Path(__file__).absolute().parents[4]  # of lib/pythonX.Y/site-packages
    folders = dict.fromkeys([str(prefix / "bin"), sysconfig.get_path("scripts")])
    for folder in folders:
        program = os.path.join(folder, "onnx2fx")
        if os.access(program, os.X_OK):
            os.execv(program, [program, *sys.argv[1:]])
    print(
        f"error: onnx_to_fx: expected the program onnx2fx in {' or '.join(folders)}, got none\n"
        "  note: install the distribution onnx-to-fx anew",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
