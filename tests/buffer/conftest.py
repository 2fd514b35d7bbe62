"""A store folder of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import store_home
from tests.support.store_home import Home

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from buffer import Entry


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.close_all()


@pytest.fixture(name="put")
def _put() -> Callable[..., list[int]]:
    return store_home.put


@pytest.fixture(name="drain")
def _drain() -> Callable[..., Awaitable[list[Entry]]]:
    return store_home.drain
