"""The tables and the chart."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from .common import FAKE, RUNNABLES

if TYPE_CHECKING:
    from .measures import Figures, Results

AGAINST = {
    # What each contender is measured against.
    "ours_events": "hand_events",
    "ours_models": "hand_models",
    "langserve_events": "hand_events",
    "ours_memory": "ours",
    "ours_redis": "ours",
}
GROUPS = {
    # The groups of bars in the chart: their contenders and Runnables.
    "model": [("hand_sr", "model"), ("langserve", "model"), ("ours", "model")],
    "chain": [("hand_sr", "chain"), ("langserve", "chain"), ("ours", "chain")],
    "graph": [("hand_sr", "graph"), ("ours", "graph")],
    "ChatOpenAI": [("langserve", "openai-model"), ("ours", "openai-model")],
    "its chain": [("langserve", "openai-chain"), ("ours", "openai-chain")],
    "its graph": [("ours", "openai-graph")],
    "AI SDK\nstream": [("ai_sdk", "model"), ("pydantic_ai", "model"), ("ours_vercel", "model")],
    "AG-UI": [("ag_ui_langgraph", "graph"), ("ours_agui", "graph")],
}
LABELS = {
    "hand_sr": "hand-written, StreamingResponse",
    "langserve": "LangServe /stream",
    "ai_sdk": "AI SDK 7, Node.js 22",
    "pydantic_ai": "Pydantic AI 2.68",
    "ag_ui_langgraph": "ag-ui-langgraph 0.0.47",
    "ours": "asgi_stream",
}
PACKAGES = ("langchain-core", "langgraph", "starlette", "sse-starlette", "uvicorn", "uvloop")


def tables(results: Results) -> str:
    """All figures as Markdown."""
    lines = [_conditions(), *_cpu(results), *_capacity(results), *_waiting(results)]
    return "\n".join([*lines, *_stalled(results)])


def _conditions() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{date.today()}, Python {platform.python_version()}, {versions}\n"


def ratio(results: Results, name: str, runnable: str, shape: str) -> float:
    """CPU per token against the hand-written loop: the ratio of the means of the rounds."""
    mine = results.figures[name, runnable, shape].cpu
    other = results.figures[AGAINST.get(name, "hand"), runnable, shape].cpu
    return fmean(mine) / fmean(other)


def _names(results: Results) -> list[str]:
    return list(dict.fromkeys(name for name, _, _ in results.figures))


def _cpu(results: Results) -> Iterator[str]:
    if not results.figures:
        return
    yield (
        "| contender | runnable | burst: µs CPU / token | ratio | paced: µs CPU / token | ratio |"
        " above the floor | first byte, ms | over hand | tokens/s, 1 stream | 200 streams |"
        " bytes / token |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for name in _names(results):
        for runnable in RUNNABLES:
            if (name, runnable, "burst") not in results.figures:
                continue
            burst, paced, one, many = (
                results.figures[name, runnable, shape] for shape in ("burst", "paced", "one", "200")
            )
            hand = results.figures[AGAINST.get(name, "hand"), runnable, "paced"]
            late = median(paced.first) - median(hand.first)
            yield (
                f"| {name} | {runnable} | {fmean(burst.cpu):.0f} |"
                f" {ratio(results, name, runnable, 'burst'):.2f} | {fmean(paced.cpu):.0f} |"
                f" {ratio(results, name, runnable, 'paced'):.2f} |"
                f" {_above_floor(results, paced, runnable)} | {median(paced.first):.1f} |"
                f" {late:+.1f} | {_rate(one)} | {_rate(many)} |"
                f" {median(burst.size):.0f} |"
            )
    shares: dict[str, list[float]] = {"burst": [], "paced": []}
    for (_, _, shape), figures in results.figures.items():
        shares.get(shape, []).extend(figures.driver)
    most = {shape: max(values) for shape, values in shares.items()}
    yield (
        f"\nThe driver was busy for at most {most['burst']:.0%} of the time"
        f" in burst and {most['paced']:.0%} in paced."
    )


def _rate(figures: Figures) -> str:
    """Tokens a second, if that was measured."""
    return f"{median(figures.rate):.0f}" if figures.rate else ""


def _above_floor(results: Results, paced: Figures, runnable: str) -> str:
    """Microseconds per paced token above what LangChain and constant frames cost."""
    floor = results.figures.get(("floor", runnable, "paced"))
    if floor is None:
        return ""
    return f"{fmean(paced.cpu) - fmean(floor.cpu):.0f}"


def _capacity(results: Results) -> Iterator[str]:
    if not results.capacity:
        return
    yield "\n| contender | " + " | ".join(FAKE) + " |"
    yield "|---" * (len(FAKE) + 1) + "|"
    for name in dict.fromkeys(name for name, _ in results.capacity):
        cells = [str(results.capacity.get((name, runnable), "")) for runnable in FAKE]
        yield f"| {name} | {' | '.join(cells)} |"


def _waiting(results: Results) -> Iterator[str]:
    if not results.waiting:
        return
    yield (
        "\n| contender | GC | streams | KiB each | tasks each | tokens/s | lag p99, ms | max |"
        " KiB each, after |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name, gc, row in results.waiting:
        yield (
            f"| {name} | {gc} | {row.streams} | {row.kib:.0f} | {row.tasks:.1f} |"
            f" {row.rate:.0f} | {row.p99:.0f} | {row.worst:.0f} | {row.after_kib:.0f} |"
        )


def _stalled(results: Results) -> Iterator[str]:
    if results.stalled:
        yield "\n| contender | runnable | MiB grown |\n|---|---|---|"
    for (name, runnable), grown in results.stalled.items():
        yield f"| {name} | {runnable} | {grown:.1f} |"


def chart(results: Results, path: Path) -> None:
    """CPU per token against the hand-written loop, as an SVG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 1, figsize=(9, 5.6), sharex=True)
    for panel, shape, title in zip(
        panels, ("burst", "paced"), ("as fast as it goes", "50 streams of 50 tokens/s"), strict=True
    ):
        for name, label in LABELS.items():
            bars = [
                (group + (at - (len(bars) - 1) / 2) * 0.27, ratio(results, each, runnable, shape))
                for group, bars in enumerate(GROUPS.values())
                for at, (each, runnable) in enumerate(bars)
                if (each == name or (name == "ours" and each.startswith("ours")))
                and (each, runnable, shape) in results.figures
            ]
            if not bars:
                continue
            drawn = panel.bar(*zip(*bars, strict=True), 0.25, label=label)
            panel.bar_label(drawn, fmt="%.2f", fontsize=8)
        panel.axhline(1, color="grey", linewidth=1)
        panel.set_title(title, fontsize=10)
        panel.set_ylabel("CPU per token\n(hand-written loop = 1)", fontsize=9)
        panel.margins(y=0.15)
    panels[1].set_xticks(range(len(GROUPS)), list(GROUPS))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncol=3, fontsize=8)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={"Date": None})
