"""What MiniStack does that AWS does not, mended: one patch a fault.

MiniStack is Copyright (c) 2026 MiniStack Contributors, SPDX-License-Identifier: MIT. The fragments of it that the
patches name, so as to replace them, stay under its notice.
"""

from __future__ import annotations

from collections.abc import Callable

from fanfold.engine.bodies import Store
from fanfold.engine.mend import Patch


def _nothing() -> None:
    return None


on_change: Callable[[], None] = _nothing
"""Called when something happened that is worth a snapshot."""


def every(store: Store) -> list[Patch]:
    """Return all patches, in the order in which they are applied."""
    from fanfold.engine.patches import (
        executions,
        functions,
        map_runs,
        objects,
        roles,
        states,
        status_events,
        streams,
        tasks,
        transport,
    )

    # Fragments are replaced before whole functions are wrapped.
    return [
        *states.PATCHES,
        *functions.PATCHES,
        *tasks.PATCHES,
        *executions.PATCHES,
        *map_runs.PATCHES,
        *status_events.PATCHES,
        *objects.patches(store),
        *streams.PATCHES,
        *roles.PATCHES,
        *transport.PATCHES,
    ]
