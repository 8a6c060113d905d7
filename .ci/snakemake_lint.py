"""Run ``snakemake --lint`` and fail on anything but the advice that this project answers itself.

Every rule is told to name a conda environment or a container. Here the workflow builds
pinned environments with uv, so that one lint is left out and every other one counts.
"""

from __future__ import annotations

import json
import subprocess
import sys

ANSWERED = "Specify a conda environment or container for each rule."


def main() -> int:
    command = [sys.executable, "-m", "snakemake", "--lint", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        print(done.stdout, done.stderr, file=sys.stderr)
        return 1
    groups = [("Snakefile", found["global"])]
    groups += [(rule["for"], rule["lints"]) for rule in found["rules"]]
    open_lints = [
        f"{where}: {lint['title']}\n    {lint['body']}"
        for where, lints in groups
        for lint in lints
        if lint["title"] != ANSWERED
    ]
    for line in open_lints:
        print(line, file=sys.stderr)
    answered = sum(lint["title"] == ANSWERED for _, lints in groups for lint in lints)
    print(f"snakemake --lint: {len(open_lints)} open, {answered} answered by uv environments")
    return bool(open_lints)


if __name__ == "__main__":
    sys.exit(main())
