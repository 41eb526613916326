"""Other programs than PyTorch to compute a network with, where they are installed."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import torch

from .errors import CTError

ENGINES = ("torch", "onnxruntime")


class OnnxRuntimeNetwork(torch.nn.Module):
    """A generator computed by ONNX Runtime on the processor; the same output to rounding.

    Args:
        network: a generator ready for inference.
        threads: of the processor; ``None`` leaves it to ONNX Runtime.

    Raises:
        CTError: if ONNX Runtime, or what PyTorch needs to export to it, is not installed.
    """

    def __init__(self, network: torch.nn.Module, threads: int | None = None) -> None:
        super().__init__()
        try:
            import onnxruntime
            import onnxscript  # noqa: F401 - the exporter imports it later and says less
        except ImportError as error:
            raise CTError(
                f"engine onnxruntime needs the package {error.name}; pip install 'ctsgan[onnxruntime]', "
                "or leave out --engine"
            ) from None
        self.scale = network.scale
        self.size_multiple = network.size_multiple
        self.reach = network.reach
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        self._session = onnxruntime.InferenceSession(
            _exported(network), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (result,) = self._session.run(None, {"image": image.contiguous().numpy()})
        return torch.from_numpy(result)


def _exported(network: torch.nn.Module) -> bytes:
    """The network as an ONNX model for images of any size that it takes."""
    multiple = network.size_multiple
    rows, columns = (multiple * torch.export.Dim(name, min=2) for name in ("rows", "columns"))
    file = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 1, 24, 20),),
            input_names=["image"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1), 2: rows, 3: columns},),
            dynamo=True,
            verbose=False,
        )
        program.save(file)
    return file.getvalue()


def with_engine(network: torch.nn.Module, engine: str, device: torch.device, threads: int | None) -> torch.nn.Module:
    """The network, computed by one of :data:`ENGINES`.

    Raises:
        CTError: if the engine is not installed, or is not for the device.
    """
    if engine == "torch":
        return network
    if device.type != "cpu":
        raise CTError(f"engine {engine} computes on the processor; use --device cpu or leave out --engine")
    return OnnxRuntimeNetwork(network, threads)
