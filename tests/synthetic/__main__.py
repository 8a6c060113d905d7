"""``python -m tests.synthetic FOLDER``: write a full synthetic study to draw and look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.synthetic import DATASETS, build


def main() -> None:
    """Write the study and say where its configuration lies."""
    parser = argparse.ArgumentParser(prog="tests.synthetic", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=150, help="structures of each slice")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    chosen = parser.parse_args()
    planted = build(chosen.folder, n=chosen.n, datasets=chosen.datasets, report=print)
    print(planted.config)


if __name__ == "__main__":
    main()
