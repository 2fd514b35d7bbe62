"""onnxruntime, opened small and quiet, with its complaints in one shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vision.detect.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vision.detect.onnx_file import OnnxFile

_FATAL = 4
_LONGEST = 200


class Session:
    """A network that answers one picture.

    Args:
        file: As ``onnx_file.read`` found it harmless.
        threads: That compute one picture together.

    Raises:
        ModelError: onnxruntime cannot run this file, in its own words.
    """

    def __init__(self, file: OnnxFile, threads: int = 1) -> None:
        import onnxruntime as ort  # noqa: PLC0415 - 60 MB, only where it is used

        ort.set_default_logger_severity(_FATAL)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Without its own arena every layer's output goes through malloc, which holds
        # 80 MB for the 25 in use; a pattern keeps another 20 for each size fed.
        options.enable_cpu_mem_arena = True
        options.enable_mem_pattern = False
        options.log_severity_level = _FATAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if file.external:
            # By path they would be mapped: who writes there changes a running model,
            # who cuts the file ends this process. What was hashed is what is loaded.
            options.add_external_initializers_from_files_in_memory(
                list(file.external),
                list(file.external.values()),
                [len(content) for content in file.external.values()],
            )
        self._errors = _errors()
        try:
            self._session = ort.InferenceSession(
                file.data, options, providers=["CPUExecutionProvider"]
            )
        except self._errors as exc:
            raise _refusal(exc) from exc

    @property
    def inputs(self) -> list[tuple[str, Sequence[int | str | None], str]]:
        """Name, shape and type of each."""
        return [(i.name, i.shape, i.type) for i in self._session.get_inputs()]

    @property
    def outputs(self) -> list[tuple[str, Sequence[int | str | None]]]:
        """Name and shape of each; what depends on the input is no number."""
        return [(o.name, o.shape) for o in self._session.get_outputs()]

    def run(
        self, name: str, fed: NDArray[Any], outputs: Sequence[str] | None = None
    ) -> list[NDArray[Any]]:
        """The outputs for one input.

        Raises:
            ModelError: onnxruntime's own words.
        """
        try:
            found = self._session.run(outputs, {name: fed})
        except self._errors as exc:
            raise _refusal(exc) from exc
        if not all(isinstance(one, np.ndarray) for one in found):
            raise ModelError("output_kind")
        return cast("list[NDArray[Any]]", found)


def _errors() -> tuple[type[Exception], ...]:
    """All that onnxruntime raises; its classes share no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    own = [
        kind
        for kind in vars(state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    return (*own, MemoryError, RuntimeError, ValueError, TypeError, OverflowError)


def _refusal(exc: Exception) -> ModelError:
    text = str(exc)
    if isinstance(exc, MemoryError) or "bad_alloc" in text or "Failed to alloc" in text:
        return ModelError("memory")
    return ModelError("runtime", problem=trimmed(text))


def trimmed(text: str) -> str:
    """The library's words without its numbers, source lines and back-traces."""
    first = text.strip().split("\nStacktrace", 1)[0]
    first = re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", first)
    first = re.sub(r"\S*/\S+\.(cc|h|hpp):\d+ ", "", first)
    return " ".join(first.split())[:_LONGEST] or "?"
