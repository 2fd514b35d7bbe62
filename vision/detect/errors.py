"""What is wrong with a model, as a sentence's key and its details."""

from __future__ import annotations

from vision.said import Trouble


class ModelError(Trouble):
    """This model cannot be used; a person must act.

    Attributes:
        key: Of the gateway's catalogue, ``vision.model.*``.
        args_: What its sentence has in it.
    """

    def __init__(self, word: str, **details: object) -> None:
        told = {name: str(value) for name, value in details.items()}
        super().__init__(f"vision.model.{word}", told)
