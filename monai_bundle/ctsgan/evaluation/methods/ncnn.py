"""Weights in ncnn's two files: what layers there are (.param, text) and their numbers (.bin), little-endian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

MAGIC = "7767517"
HALF, SINGLE = 0x01306B47, 0
"""Flags in front of a convolution's weights: 16-bit or 32-bit floats."""


@dataclass(frozen=True)
class Layer:
    """One line of a .param file: kind, name, and numbered parameters (an array is a tuple of floats)."""

    kind: str
    name: str
    parameters: dict[int, float | tuple[float, ...]]


def read_layers(text: str) -> list[Layer]:
    """The layers of a .param file, in its order.

    Raises:
        ValueError: if it is not one.
    """
    lines = text.split("\n")
    if lines[0].strip() != MAGIC:
        raise ValueError("not an ncnn .param file")
    layers = []
    for line in lines[2:]:
        words = line.split()
        if not words:
            continue
        kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
        parameters = {}
        for word in words[4 + inputs + outputs :]:
            key, value = word.split("=")
            if int(key) <= -23300:
                # an array is numbered -23300 minus its number, and begins with its length
                parameters[-23300 - int(key)] = tuple(float(item) for item in value.split(",")[1:])
            else:
                parameters[int(key)] = float(value)
        layers.append(Layer(kind, name, parameters))
    return layers


def read_model(param: bytes, content: bytes) -> dict[str, tuple[torch.Tensor, torch.Tensor | None]]:
    """:func:`read_weights` of the contents of a .param and a .bin file."""
    return read_weights(read_layers(param.decode()), content)


def read_weights(layers: list[Layer], content: bytes) -> dict[str, tuple[torch.Tensor, torch.Tensor | None]]:
    """Weight (out, in, k, k) and bias (out,) of each convolution by layer name, in the file's order; float32.

    A constant (``MemoryData``) comes as (values, ``None``).

    Raises:
        ValueError: for weights in another form, or where file and layers do not fit together.
    """
    position = 0

    def take(count: int, kind: str) -> torch.Tensor:
        nonlocal position
        size = count * np.dtype(kind).itemsize
        if position + size > len(content):
            raise ValueError("the .bin file ends before its layers do")
        values = np.frombuffer(content, kind, count, position)
        position += size + -size % 4
        return torch.from_numpy(values.astype(np.int64 if kind == "<u4" else np.float32))

    weights: dict[str, tuple[torch.Tensor, torch.Tensor | None]] = {}
    for layer in layers:
        numbers = layer.parameters
        if layer.kind == "MemoryData":
            count = int(np.prod([max(int(numbers.get(axis, 1)), 1) for axis in (0, 1, 2)]))
            weights[layer.name] = (take(count, "<f4"), None)
        elif layer.kind == "Convolution":
            outputs, width = int(numbers[0]), int(numbers[1])
            height = int(numbers.get(11, width))
            flag = int(take(1, "<u4")[0])
            if flag not in (HALF, SINGLE):
                raise ValueError(f"layer {layer.name}: weights of form {flag:#010x} are not read here")
            values = take(int(numbers[6]), "<f2" if flag == HALF else "<f4")
            bias = take(outputs, "<f4") if numbers.get(5, 0) else None
            weights[layer.name] = (values.reshape(outputs, -1, height, width), bias)
    if position != len(content):
        raise ValueError(f"{len(content) - position} bytes of the .bin file belong to no layer")
    return weights
