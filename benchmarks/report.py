"""The tables of the benchmarks, in Markdown, and their place in README.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring import PASSES
from peers import Peer
from results import Cell, Results
from workloads import (BY_NAME, COST, EFFICIENCY, FIRST_RESULT, GRANULARITY, LONG_PAIR_S,
                       ONLY_OURS, OURS, PAIR, WORKERS, Reach, Workload)

README = Path(__file__).resolve().parent / "README.md"
BARE = "two bare processes"


def report(
    results: Results, peers: Sequence[Peer], workloads: Sequence[Workload],
    versions: Mapping[str, str], repeat: int, quick: bool,
) -> str:
    """All tables.

    Args:
        versions: of what was measured, by name.
        repeat: processes for each figure.
        quick: it was a smoke run.
    """
    parts = [_conditions(versions, repeat, quick)]
    if any(peer.key == OURS for peer in peers):
        parts.append(_reach(results, workloads, quick))
    efficiencies = [workload for workload in workloads if workload.figure is EFFICIENCY]
    for workload in workloads:
        lines = [peer for peer in peers if peer.has_line(workload)]
        if workload.figure is PAIR:
            parts += [f"**{workload.title}**", _pairs(results, lines, workload)]
        elif workload.only != ONLY_OURS and workload.figure is not EFFICIENCY:
            parts += [heading(workload, quick), _comparison(results, lines, workload)]
    if efficiencies:
        parts += ["**CPU-bound tasks: part of the ideal that is reached** (in brackets: of "
                  f"what {BARE} reach)", _efficiencies(results, peers, efficiencies)]
    parts += [f"**{FIRST_RESULT.title}**", _comparison(
        results, [peer for peer in peers if not peer.reference], FIRST_RESULT)]
    if tenfold := [workload for workload in workloads if workload.tenth]:
        parts += ["**scoop_mpi, ten times as many tasks**",
                  _linearity(results, tenfold, quick)]
    return "\n\n".join(parts)


def heading(workload: Workload, quick: bool = False) -> str:
    """Of the workload's table."""
    if workload.figure is COST:
        return f"**{workload.title}: {workload.tasks(quick):,} tasks**"
    return f"**{workload.title}**"


def _conditions(versions: Mapping[str, str], repeat: int, quick: bool) -> str:
    listed = ", ".join(f"{name} {version}" for name, version in versions.items()
                       if name != "MPI")
    warning = "**A smoke run of a tenth of the work: not a measurement.**\n\n" if quick else ""
    return (
        f"{warning}{machine()}; {listed}, {versions.get('MPI', 'no MPI library')}. "
        f"{WORKERS} workers each; medians of up to "
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


def _reach(results: Results, workloads: Sequence[Workload], quick: bool) -> str:
    lines = []
    for workload in workloads:
        tasks = f"{workload.tasks(quick):,}" if workload.tasks(quick) else "–"
        if workload.figure is GRANULARITY:
            shown = number(results.cell(OURS, workload).median)
            lines.append((workload.title, tasks, f"{shown} {workload.figure.unit}", "", ""))
        for reach in workload.reach:
            lines.append((workload.title, tasks, *_verdict(results, workload, reach)))
    return table(("scoop_mpi", "tasks", "figure", "reach", ""), lines)


def _verdict(results: Results, workload: Workload, reach: Reach) -> tuple[str, str, str]:
    """The figure, its limit, and whether it is kept."""
    ours = results.cell(OURS, workload)
    if reach.peer:
        theirs = results.cell(reach.peer, workload)
        pair = (theirs.memory, ours.memory) if reach.memory else (theirs.median, ours.median)
        value = None if None in pair or not pair[1] else pair[0] / pair[1]
        what = "memory: " if reach.memory else ""
        shown = f"{what}{reach.peer} {number(value)} ×"
        limit, kept = f"≥ {reach.limit:g} ×", value is not None and value >= reach.limit
    elif workload.figure is PAIR:
        value = _long_pairs(ours) if ours.passes else None
        shown = f"{'–' if value is None else value} of {len(ours.passes)} over {LONG_PAIR_S:g} s"
        limit, kept = f"≤ {reach.limit:g}", value is not None and value <= reach.limit
    else:
        value = ours.median
        shown = f"{number(value)} {workload.figure.unit}"
        more = workload.figure.more_is_better
        limit = f"{'≥' if more else '≤'} {reach.limit:g}"
        kept = value is not None and (value >= reach.limit if more else value <= reach.limit)
    return shown, limit, "–" if value is None else "hit" if kept else "miss"


def _comparison(results: Results, peers: Sequence[Peer], workload: Workload) -> str:
    ours = results.cell(OURS, workload).median
    lines = []
    for peer in peers:
        cell = results.cell(peer.name, workload)
        median = cell.median
        if median is None:
            line = [peer.name, cell.why_nothing, "", ""]
        else:
            spread = f"{number(min(cell.figures))} – {number(max(cell.figures))}"
            ratio = f"{number(median / ours)} ×" if ours else "–"
            line = [_name(peer, cell), number(median), ratio, spread]
        lines.append([*line, number(cell.memory)] if workload.memory else line)
    header = ["", workload.figure.unit, "ratio to scoop_mpi", "lowest – highest"]
    return table([*header, "memory, MiB"] if workload.memory else header, lines)


def _name(peer: Peer, cell: Cell) -> str:
    return f"{peer.name} ({cell.note})" if cell.note else peer.name


def _efficiencies(
    results: Results, peers: Sequence[Peer], workloads: Sequence[Workload]
) -> str:
    lines = []
    for peer in peers:
        asked = [workload for workload in workloads if peer.has_line(workload)]
        if asked:
            lines.append([peer.name, *(_efficiency(results, peer, workload)
                                       for workload in workloads)])
    return table(("", *(workload.title for workload in workloads)), lines)


def _efficiency(results: Results, peer: Peer, workload: Workload) -> str:
    cell, bare = results.cell(peer.name, workload), results.cell(BARE, workload).median
    if cell.median is None:
        return cell.why_nothing
    relative = f" ({cell.median / bare:.3f})" if bare else ""
    return f"{cell.median:.3f}{relative}"


def _pairs(results: Results, peers: Sequence[Peer], workload: Workload) -> str:
    lines = []
    for peer in peers:
        cell = results.cell(peer.name, workload)
        if cell.passes:
            lines.append((peer.name, f"{_long_pairs(cell)} of {len(cell.passes)}",
                          number(cell.median), number(max(cell.passes))))
        else:
            lines.append((peer.name, cell.why_nothing, "", ""))
    return table(("", f"over {LONG_PAIR_S:g} s", "median, s", "slowest, s"), lines)


def _long_pairs(cell: Cell) -> int:
    return sum(seconds > LONG_PAIR_S for seconds in cell.passes)


def _linearity(results: Results, workloads: Sequence[Workload], quick: bool) -> str:
    lines = []
    for workload in workloads:
        tenth = BY_NAME[workload.tenth]
        large, small = (results.cell(OURS, one).median for one in (workload, tenth))
        ratio = number(large / small) if large and small else "–"
        lines.append((workload.title, f"{tenth.tasks(quick):,}: {number(small)}",
                      f"{workload.tasks(quick):,}: {number(large)}", ratio))
    return table(("", "µs a task", "µs a task", "ratio (linear: 1)"), lines)


def number(value: float | None) -> str:
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


def read_table(title: str) -> list[list[str]]:
    """The lines of the table in README.md that follows ``title``, without its header."""
    _, _, rest = README.read_text(encoding="utf-8").partition(f"{title}\n\n")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
