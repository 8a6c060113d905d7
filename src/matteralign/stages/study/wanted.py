"""Tell the workflow which results must be made again, by files alone.

Snakemake decides by the times of files and by its own records below ``.snakemake``. A copy or a
clean-up loses those records. So each result has one more input, a small file that says what the
result must be made from. It is rewritten, and becomes the newest file, only when the existing
result was made from something else. For results that are up to date, the order of file times is
restored, since a copy may have lost it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matteralign.core.errors import IntegrityError
from matteralign.core.files import atomic_path, read_record
from matteralign.core.hashing import canonical_json
from matteralign.stages.study.across import analysis_result
from matteralign.stages.study.layout import AnalysisLayout, Layout
from matteralign.stages.study.standing import Result, Standing
from matteralign.stages.study.study import Study

_SECOND = 1_000_000_000
Report = Callable[[str], None]


def settle_slice(study: Study, layout: Layout, report: Report) -> None:
    """Write what is wanted of a slice, and say which existing results are out of date.

    Parameters
    ----------
    report
        Called with one line for each result that differs, and one that names what follows.
    """
    standing = Standing(study, layout)
    asked: list[Result] = []
    after: list[Result] = []
    gone: set[Path] = set()
    for result in standing.results():
        made_anew = {path for before in (*asked, *after) for path in before.outputs}
        why = result.differs()
        if why is None and result.there and gone.intersection(result.inputs):
            # Snakemake makes what is missing only for a job that is to run.
            why = f"was made from {min(gone.intersection(result.inputs))}, which is missing"
        gone.update(path for path in result.outputs if not path.exists())
        told = _settle(
            layout.wanted(result.stage, result.model),
            result.identity,
            result.inputs,
            result.outputs,
            why,
        )
        if told:
            report(f"{layout.slice}, {result.name}: {why}; to be made again")
            asked.append(result)
        elif made_anew.intersection(result.inputs):
            after.append(result)
    if after:
        report(f"{layout.slice}: then what is made from it, as far as it changes: {_named(after)}")


def settle_analysis(study: Study, layout: AnalysisLayout, report: Report) -> None:
    """Write what is wanted of an analysis, and say why existing results are out of date."""
    result = analysis_result(study, layout)
    why = result.differs()
    if _settle(layout.wanted, result.identity, result.inputs, result.outputs, why):
        report(f"{layout.analysis}: {why}; to be made again")


def _named(results: Sequence[Result]) -> str:
    """Name stages in their order; of a stage of many models how many they are."""
    models = Counter(result.stage for result in results if result.model is not None)
    named = {
        r.stage: r.name if models[r.stage] < 2 else f"{r.stage} ({models[r.stage]} models)"
        for r in results
    }
    return ", ".join(named.values())


def settle_record(
    layout: Layout, record: Path, identity: Mapping[str, Any], *, write: bool = True
) -> Path:
    """Write what a record of fetched data, weights or an environment must be of; return where.

    Parameters
    ----------
    write
        False only returns where.
    """
    wanted = layout.shared / ".wanted" / record.relative_to(layout.shared)
    if not write:
        return wanted
    why = None
    if record.exists():
        try:
            # One of before it said so counts as it is: nothing is fetched again for that.
            asked = read_record(record).get("asked", identity)
            why = None if asked == identity else "was asked for otherwise"
        except IntegrityError as error:
            why = str(error)
    _settle(wanted, identity, [], [record], why)
    return wanted


def _settle(
    wanted: Path,
    identity: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    why: str | None,
) -> bool:
    """Bring the wanted file of one result up to date; return whether the result is stale."""
    there = _read(wanted)
    same = there is not None and canonical_json(there.get("identity")) == canonical_json(identity)
    left = [path for path in outputs if path.exists()]
    if not left:
        if not same:
            _write(wanted, {"identity": identity})
        return False
    oldest = min(path.stat().st_mtime_ns for path in left)
    if why is None:
        newest = max((p.stat().st_mtime_ns for p in inputs if p.exists()), default=0)
        if newest > oldest:
            for path in outputs:
                os.utime(path, ns=(newest, newest))
            oldest = newest
        if not same:
            _write(wanted, {"identity": identity})
        if wanted.stat().st_mtime_ns >= oldest:
            os.utime(wanted, ns=(oldest - _SECOND, oldest - _SECOND))
        return False
    known = same and there is not None and there.get("found", {}).get("why") == why
    if not known or wanted.stat().st_mtime_ns <= oldest:
        # The time makes it another file for Snakemake, which may remember this one.
        found = {"why": why, "at": datetime.now(UTC).isoformat()}
        _write(wanted, {"identity": identity, "found": found})
    return True


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return read_record(path)
    except IntegrityError:
        return None


def _write(path: Path, value: Mapping[str, Any]) -> None:
    # Not flushed: it is read by this run, and a damaged one is written again.
    with atomic_path(path, flush=False) as temporary:
        temporary.write_text(canonical_json(value) + "\n", encoding="utf-8")
