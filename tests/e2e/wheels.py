"""Trained ONNX models that ship inside wheels on PyPI, fetched once into .deps/models."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_FOLDER = ROOT / ".deps" / "models"
_WHEELS = {"magika": "1.0.3", "rapidocr-onnxruntime": "1.4.4", "silero-vad": "6.2.3"}


def model(package: str, file: str) -> pathlib.Path:
    """The path of `file` (its name in the wheel) of `package`, downloaded if need be."""
    version = _WHEELS[package]
    path = _FOLDER / f"{package}-{version}" / file
    if path.exists():
        return path
    wheels = _FOLDER / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary", ":all:", "-d", str(wheels), f"{package}=={version}"], check=True,
    )
    wheel = next(wheels.glob(f"{package.replace('-', '_')}-{version}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".onnx"):
                archive.extract(name, path.parents[len(pathlib.PurePath(file).parts) - 1])
    return path
