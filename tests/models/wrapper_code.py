"""The code that decides each wrapper's latents, as one hash beside the wrapper's version.

``python -m tests.models.wrapper_code`` writes the hashes of today, after a look at what changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matteralign import models
from matteralign.core.code import code_digest, imported_files
from matteralign.models.base.catalogue import _CLASSES, WRAPPER_VERSIONS

KEPT = Path(__file__).parent / "data" / "wrapper-code.json"
ROOM = Path(models.__file__).parent
# The table of versions itself, and what only prints.
NOT_CODE = ("base/catalogue.py", "running/progress.py")


def code_of_today() -> dict[str, dict[str, Any]]:
    """Return version and hash of every wrapper.

    A wrapper's code is its module, all of the room that this imports, and how batches become rows.
    """
    found = {}
    for name, version in WRAPPER_VERSIONS.items():
        module = _CLASSES[name].partition(":")[0].removeprefix("matteralign.models.")
        own = ROOM.joinpath(*module.split(".")).with_suffix(".py")
        start = [own, ROOM / "extraction" / "extract.py"]
        files = imported_files(start, ROOM, "matteralign.models", NOT_CODE)
        found[name] = {"version": version, "code": code_digest(files, ROOM)}
    return found


if __name__ == "__main__":
    KEPT.write_text(json.dumps(code_of_today(), indent=1, sort_keys=True) + "\n")
