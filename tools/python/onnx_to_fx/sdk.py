"""What a lowering in Python works with: the C++ SDK's classes, name for name. See onnx_to_fx.register_op."""

from ._native import (
    ROLE_BUFFER,
    ROLE_CONSTANT,
    ROLE_PARAMETER,
    Decline,
    DeviceOf,
    Dtype,
    Graph,
    Info,
    Int,
    Invalid,
    Node,
    Program,
    Training,
    Unsupported,
    Value,
)

__all__ = [
    "ROLE_BUFFER",
    "ROLE_CONSTANT",
    "ROLE_PARAMETER",
    "Decline",
    "DeviceOf",
    "Dtype",
    "Graph",
    "Info",
    "Int",
    "Invalid",
    "Node",
    "Program",
    "Training",
    "Unsupported",
    "Value",
]
