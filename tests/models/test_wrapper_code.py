"""No wrapper's code changes unnoticed: old latents would pass for new ones."""

from __future__ import annotations

import json

from tests.models.wrapper_code import KEPT, ROOM, code_of_today


def test_code_of_a_wrapper_changes_with_its_version_or_by_a_statement() -> None:
    kept, today = json.loads(KEPT.read_text()), code_of_today()
    changed = sorted(name for name in {*kept, *today} if kept.get(name) != today.get(name))
    assert not changed, (
        f"values may have changed: {', '.join(changed)}. Where the same structures may give other "
        "latents or energies, raise the number in WRAPPER_VERSIONS (models/base/catalogue.py). "
        "Then, or where they cannot, state so: `python -m tests.models.wrapper_code`, and commit "
        "the file"
    )


def test_what_a_wrapper_imports_is_part_of_its_code() -> None:
    assert (ROOM / "extraction" / "extract.py").is_file()
    today = code_of_today()
    assert len({entry["code"] for entry in today.values()}) > 20
