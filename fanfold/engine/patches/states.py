"""The state of the services that change all the time, handed over as it is.

MiniStack copies a service's state when it stops, when nobody changes it any more. A snapshot is taken while executions
run: copying a dictionary that grows fails. JSON is made of the live state instead, in one step of the interpreter's.
"""

from __future__ import annotations

from typing import TypeVar

from fanfold.engine.mend import Original, Patch

State = TypeVar("State")
COPIES = {
    Original("ministack.services.stepfunctions", "get_state", "7d1a3261edd65c33"): 7,
    Original("ministack.services.cloudwatch_logs", "get_state", "969fbca606beb6e6"): 10,
    Original("ministack.services.sqs", "get_state", "759c348b6e841407"): 2,
    Original("ministack.services.dynamodb", "get_state", "ce90690a6033950f"): 10,
}
"""How often each copies something."""


def as_is(state: State) -> State:
    return state


def _apply() -> None:
    for state, copies in COPIES.items():
        state.amend(("copy.deepcopy(", "_as_is("), times=copies, _as_is=as_is)


PATCHES = [
    Patch("live-states", "The state of a service that changes meanwhile cannot be read.", tuple(COPIES), _apply),
]
