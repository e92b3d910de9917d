"""What compilers of PyPI make of converted modules, beside the original: see `tools/compilers --help`."""
