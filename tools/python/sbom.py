"""sbom.py VERSION ONNX_PREFIX NANOBIND_VERSION FILE: what a wheel holds beside its own code, as CycloneDX.

The same for the same build machine: neither time nor serial number.
"""

import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

DEBIAN = {  # by package: licence, and how it is inside
    "libprotobuf32": ("BSD-3-Clause", "lib/onnx2fx/libprotobuf.o2fx"),
    "libre2-9": ("BSD-3-Clause", "lib/onnx2fx/libre2.o2fx"),
    "libcli11-dev": ("BSD-3-Clause", "compiled in"),
    "libfmt-dev": ("MIT", "compiled in"),
    "nlohmann-json3-dev": ("MIT", "compiled in"),
}


def component(purl_type, name, version, licence, place):
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": version,
        "licenses": [{"license": {"id": licence}}],
        "purl": f"pkg:{purl_type}/{name}@{urllib.parse.quote(version)}",
        "properties": [{"name": "onnx2fx:place", "value": place}],
    }


def debian_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"sbom.py: {package}: expected the Debian package to be installed, got: {done.stderr.strip()}")
    return done.stdout


def elkjs_version():
    lock = pathlib.Path(__file__).resolve().parents[1] / "view/package-lock.json"
    return json.loads(lock.read_text())["packages"]["node_modules/elkjs"]["version"]


def main(version, onnx_prefix, nanobind_version, file):
    config = pathlib.Path(onnx_prefix, "lib/cmake/ONNX/ONNXConfigVersion.cmake").read_text()
    onnx_version = re.search(r'set\(PACKAGE_VERSION "([^"]+)"\)', config)[1]
    components = [
        component("pypi", "onnx", onnx_version, "Apache-2.0", "compiled in"),
        component("pypi", "nanobind", nanobind_version, "BSD-3-Clause", "compiled in"),
        component("npm", "elkjs", elkjs_version(), "EPL-2.0", "onnx_to_fx/view.html"),
        *(component("deb/debian", name, debian_version(name), *rest) for name, rest in sorted(DEBIAN.items())),
    ]
    own = {"type": "library", "bom-ref": "onnx-to-fx", "name": "onnx-to-fx", "version": version,
           "licenses": [{"license": {"id": "Apache-2.0"}}], "purl": f"pkg:pypi/onnx-to-fx@{version}"}  # fmt: skip
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": "onnx-to-fx", "dependsOn": [c["bom-ref"] for c in components]}],
    }
    pathlib.Path(file).write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
