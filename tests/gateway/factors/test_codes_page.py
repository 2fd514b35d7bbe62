from pathlib import Path

from gateway.factors.codes_page import page
from gateway.factors.table import table
from gateway.factors.units import units

PAGE = Path(__file__).parents[3] / "docs" / "factor-codes.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "python docs/generate.py"


def test_the_page_has_every_code_and_unit():
    words = page()

    assert all(f"`{code}`" in words for code in (*table(), *units()))
