"""The Python files that MoLFormer's checkpoint folder has beside its weights.

transformers has no MoLFormer: ``config.json`` names the files that define it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_CONFIGURATION = "configuration_molformer"
_MODELING = "modeling_molformer"


def write_code(folder: Path, config: dict[str, Any]) -> None:
    """Write both files below `folder` and name them in `config`.

    Loaded from a folder, one finds the other by a relative import.
    """
    for name in (_CONFIGURATION, _MODELING):
        code = (_HERE / f"{name}.py").read_text(encoding="utf-8")
        code = code.replace(f"from {__name__}.", "from .")
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    config["auto_map"] = {
        "AutoConfig": f"{_CONFIGURATION}.MolformerConfig",
        "AutoModel": f"{_MODELING}.MolformerModel",
        "AutoModelForMaskedLM": f"{_MODELING}.MolformerForMaskedLM",
    }
