"""The tables of ``run.py`` and ``idle.py``, in Markdown, and their place in README.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring import PASSES, WORKERS
from peers import Peer
from results import START, Results
from workloads import Workload, tasks

README = Path(__file__).resolve().parent / "README.md"
OURS = "scoop_mpi"
Rows = Sequence[tuple[Workload, int]]


def report(
    results: Results, peers: Sequence[Peer], rows: Rows, versions: Mapping[str, str],
    repeat: int, quick: bool,
) -> str:
    """All tables.

    Args:
        rows: the workloads and their sizes.
        versions: of what was measured, by name.
        repeat: processes for each figure.
        quick: it was a smoke run.
    """
    names = [peer.name for peer in peers]
    compared = [(workload, size) for workload, size in rows if not workload.ours_only]
    parts = [_conditions(versions, repeat, quick)]
    if OURS in names:
        parts.append(_reach(results, rows))
    for workload, size in compared:
        heading = f"**{workload.title}: {tasks(workload.verb, size):,} tasks**"
        asked = [peer.name for peer in peers if _is_asked(peer, workload)]
        parts += [heading, _comparison(results, asked, workload.verb, size, "µs a task", 1)]
    parts += ["**From the launch to the first result of one task**",
              _comparison(results, names, *START, "ms", 1000)]
    if OURS in names:
        parts += ["**scoop_mpi, ten times as many tasks**", _linearity(results, rows)]
    return "\n\n".join(parts)


def _is_asked(peer: Peer, workload: Workload) -> bool:
    return peer.verbs is None or workload.verb in peer.verbs


def _conditions(versions: Mapping[str, str], repeat: int, quick: bool) -> str:
    listed = ", ".join(f"{name} {version}" for name, version in versions.items()
                       if name != "MPI")
    warning = "**A smoke run of a tenth of the work: not a measurement.**\n\n" if quick else ""
    return (
        f"{warning}{machine()}; {listed}, {versions.get('MPI', 'no MPI library')}. "
        f"{WORKERS} workers each; medians of "
        f"{repeat} process(es), up to {PASSES} passes each."
    )


def machine() -> str:
    """The machine, without its name."""
    cores = len(os.sched_getaffinity(0))
    return f"{_model()}, {cores} cores"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return os.uname().machine


def _reach(results: Results, rows: Rows) -> str:
    lines = []
    for workload, size in rows:
        if workload.reach_us is None:
            continue
        median = results.cell(OURS, workload.verb, size).median
        hit = median is not None and median <= workload.reach_us
        lines.append((workload.title, f"{tasks(workload.verb, size):,}", _number(median),
                      f"≤ {workload.reach_us:g}", "hit" if hit else "miss"))
    return table(("scoop_mpi", "tasks", "µs a task", "reach", ""), lines)


def _comparison(
    results: Results, names: Sequence[str], verb: str, size: int, unit: str, divisor: float
) -> str:
    ours = results.cell(OURS, verb, size).median
    lines = []
    for name in names:
        cell = results.cell(name, verb, size)
        median = cell.median
        if median is None:
            why = results.missing.get(name) or _why_nothing(cell.impossible, cell.failures)
            lines.append((name, why, "", ""))
            continue
        spread = f"{_number(min(cell.figures) / divisor)} – {_number(max(cell.figures) / divisor)}"
        ratio = f"{_number(median / ours)} ×" if ours else "–"
        lines.append((name, _number(median / divisor), ratio, spread))
    return table(("", unit, "ratio to scoop_mpi", "lowest – highest"), lines)


def _why_nothing(impossible: str, failures: Sequence[str]) -> str:
    if impossible:
        return f"not possible: {impossible}"
    return failures[-1] if failures else "missing: not run"


def _linearity(results: Results, rows: Rows) -> str:
    lines = []
    for workload, size in rows:
        if not workload.ours_only:
            continue
        large = results.cell(OURS, workload.verb, size).median
        small = results.cell(OURS, workload.verb, size // 10).median
        ratio = _number(large / small) if large and small else "–"
        lines.append((workload.title, f"{size // 10:,}: {_number(small)}",
                      f"{size:,}: {_number(large)}", ratio))
    return table(("", "µs a task", "µs a task", "ratio (linear: 1)"), lines)


def _number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    ruler = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ruler, *lines))


def write_between(name: str, text: str) -> None:
    """Replaces what stands in README.md between the two comments called ``name``."""
    content = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found_begin, rest = content.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"{README.name} has no comments {begin} and {end}")
    README.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
