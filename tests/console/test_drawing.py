"""A state machine is drawn whatever its definition, each state once, no box on another, every arrow from and to one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fanfold.console import machine

OURS = json.loads((Path(__file__).parents[2] / "statemachines/fanout.asl.json").read_text())


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    names = [f"S{at}" for at in range(draw(st.integers(1, 9)))]
    name = st.sampled_from(names)
    states: dict[str, Any] = {}
    for one in names:
        kind = draw(st.sampled_from(["Task", "Choice", "Succeed", "Map"]))
        states[one] = {"Type": kind}
        if kind == "Choice":
            states[one] |= {"Choices": [{"Next": to} for to in draw(st.lists(name, min_size=1, max_size=3))]}
            states[one] |= {"Default": draw(name)}
        elif kind != "Succeed":
            states[one] |= {"Next": draw(name), "Catch": [{"Next": to} for to in draw(st.lists(name, max_size=1))]}
    return {"StartAt": names[0], "States": states}


@given(definitions())
def test_any_machine_is_drawn_without_a_box_on_another(definition: dict[str, Any]) -> None:
    drawing = machine.draw(definition)
    boxes = {box.name: box for box in drawing.boxes}
    assert len(boxes) == len(drawing.boxes)
    reached, todo = set(), [definition["StartAt"]]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += re.findall(r'"(?:Next|Default)": "(\w+)"', json.dumps(definition["States"][name]))
    assert set(boxes) == reached
    places = [(box.x, box.y) for box in drawing.boxes]
    assert len(set(places)) == len(places)
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - machine.WIDTH
        assert 0 <= box.y <= drawing.height - machine.HEIGHT
        assert not [x for x, y in places if y == box.y and 0 < abs(x - box.x) < machine.WIDTH]
    assert {(arrow.start, arrow.end) for arrow in drawing.arrows} <= {(a, b) for a in boxes for b in boxes}


def test_ours_reads_from_split_down_to_done() -> None:
    drawing = machine.draw(OURS)
    order = [box.name for box in sorted(drawing.boxes, key=lambda box: box.y)]
    assert order == ["Split", "Any chunks?", "Process", "Merge", "Again?", "Done"]
    assert [box.kind for box in drawing.boxes if box.name == "Process"] == ["Distributed Map of Work"]
