"""A state machine drawn: from its definition to boxes and arrows, layer by layer from the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 168, 46
GAP_X, GAP_Y = 40, 38
MARGIN = 8
BEND = 46
"""How far an arrow that skips a layer, or leads back, swings out."""


@dataclass(frozen=True, slots=True)
class Box:
    """A state, where it is drawn."""

    name: str
    kind: str
    """Its Type, with how it works through items for a Map."""
    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """A transition, as the path of an SVG; `catch` is one that an error takes."""

    start: str
    end: str
    path: str
    catch: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A state machine, ready to be drawn."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    width: int
    height: int


def draw(definition: Mapping[str, Any]) -> Drawing:
    """Return the drawing of a definition in Amazon States Language; unreachable states are left out.

    https://states-language.net/spec.html
    """
    states: Mapping[str, Any] = definition["States"]
    layers = _layers(definition["StartAt"], states)
    rows: dict[int, list[str]] = {}
    for name, layer in layers.items():
        rows.setdefault(layer, []).append(name)
    widest = max(len(row) for row in rows.values())
    span = widest * WIDTH + (widest - 1) * GAP_X
    boxes: dict[str, Box] = {}
    for layer, row in rows.items():
        indent = MARGIN + BEND + (span - len(row) * WIDTH - (len(row) - 1) * GAP_X) // 2
        for at, name in enumerate(row):
            x, y = indent + at * (WIDTH + GAP_X), MARGIN + layer * (HEIGHT + GAP_Y)
            boxes[name] = Box(name, _kind(states[name]), x, y)
    arrows = [
        Arrow(name, target, _path(boxes[name], boxes[target], layers[target] - layers[name], span), catch)
        for name in layers
        for target, catch in _targets(states[name])
    ]
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * GAP_Y
    return Drawing(list(boxes.values()), arrows, span + 2 * (MARGIN + BEND), height)


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the names of the states that may follow, each once, and whether only an error leads there."""
    ways = [(choice["Next"], False) for choice in state.get("Choices", ())]
    ways += [(state[field], False) for field in ("Next", "Default") if field in state]
    ways += [(catch["Next"], True) for catch in state.get("Catch", ())]
    found: dict[str, bool] = {}
    for target, catch in ways:
        found.setdefault(target, catch)
    yield from found.items()


def _layers(start: str, states: Mapping[str, Any]) -> dict[str, int]:
    """Return the layer of every state: one below the lowest of those that lead to it, loops left aside."""
    layers: dict[str, int] = {}

    def visit(name: str, layer: int, way: tuple[str, ...]) -> None:
        if name in way or layers.get(name, -1) >= layer:
            return
        layers[name] = layer
        for target, _ in _targets(states[name]):
            visit(target, layer + 1, (*way, name))

    visit(start, 0, ())
    return layers


def _kind(state: Mapping[str, Any]) -> str:
    kind = str(state["Type"])
    if kind == "Map":
        inner = state.get("ItemProcessor", {})
        inside = " → ".join(inner.get("States", {}))
        return f"{inner.get('ProcessorConfig', {}).get('Mode', 'inline').capitalize()} Map of {inside}"
    return kind


def _path(start: Box, end: Box, down: int, span: int) -> str:
    """Return an arrow: straight down to the next layer, around on the left past layers, on the right back up."""
    if down == 1:
        x1, y1, x2, y2 = start.middle, start.y + HEIGHT, end.middle, end.y - 2
        half = (y1 + y2) // 2
        return f"M{x1} {y1}C{x1} {half} {x2} {half} {x2} {y2}"
    y1, y2 = start.y + HEIGHT // 2, end.y + HEIGHT // 2
    if down > 1:
        side, x1, x2 = MARGIN + 4, start.x, end.x - 2
        return f"M{x1} {y1}C{side} {y1} {side} {y1} {side} {y1 + 24}V{y2 - 24}C{side} {y2} {side} {y2} {x2} {y2}"
    side = span + MARGIN + 2 * BEND - 4
    x1, x2 = start.x + WIDTH, end.x + WIDTH
    return f"M{x1} {y1}C{side} {y1} {side} {y1} {side} {y1 - 24}V{y2 + 24}C{side} {y2} {side} {y2} {x2 + 2} {y2}"
