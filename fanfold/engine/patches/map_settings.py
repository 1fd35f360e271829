"""Step Functions: the fields of a Map state, which may be values, JSONata expressions, or paths."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import stepfunctions as sf

State = dict[str, Any]


class Settings:
    """The fields of a Map state, in either query language."""

    def __init__(self, state: dict[str, Any], raw: Any, effective: Any, ctx: dict[str, Any]) -> None:
        self.state, self.raw, self.effective, self.ctx = state, raw, effective, ctx
        self.jsonata = sf._state_query_language(state, ctx) == "JSONata"
        self.limits = {
            "maxConcurrency": int(self.number("MaxConcurrency")),
            "toleratedFailureCount": int(self.number("ToleratedFailureCount")),
            "toleratedFailurePercentage": float(self.number("ToleratedFailurePercentage")),
        }
        self.tolerates = [
            name
            for name in ("ToleratedFailureCount", "ToleratedFailurePercentage")
            if name in state or f"{name}Path" in state
        ]

    def number(self, name: str) -> float:
        """Return a number that is given as one, as a JSONata expression, or by a path."""
        if self.jsonata and isinstance(self.state.get(name), str):
            return float(sf._jsonata_state_field(self.state, name, "number", self.raw, self.ctx))
        if f"{name}Path" in self.state:
            return float(sf._resolve_path_or_ctx(self.state[f"{name}Path"], self.effective, self.ctx))
        return float(self.state.get(name) or 0)

    def resolve(self, template: Any, **context: Any) -> Any:
        """Return a template with its expressions evaluated."""
        ctx = self.ctx | context
        if self.jsonata:
            return sf._apply_jsonata_template(template, self.raw, ctx)
        return sf._resolve_params_obj(template, self.effective, ctx)

    def items(self) -> list[Any]:
        """Read the items; raises _ExecutionError States.ItemReaderFailed."""
        if self.state.get("ItemReader"):
            return self._read(self.state["ItemReader"])
        if self.jsonata and "Items" in self.state:
            return list(sf._jsonata_state_field(self.state, "Items", "array", self.raw, self.ctx))
        found = sf._resolve_path_or_ctx(self.state.get("ItemsPath", "$"), self.effective, self.ctx)
        return found if isinstance(found, list) else [found]

    def _read(self, reader: dict[str, Any]) -> list[Any]:
        config = dict(reader.get("ReaderConfig") or {})
        if self.jsonata and isinstance(config.get("MaxItems"), str):
            config["MaxItems"] = int(self.resolve(config["MaxItems"]))
        arguments = self.resolve(reader.get("Arguments") or reader.get("Parameters") or {})
        resolved = {"Resource": reader.get("Resource", ""), "Arguments": arguments, "ReaderConfig": config}
        try:
            return list(sf._read_map_items(resolved, self.effective, self.ctx))
        except ValueError as error:
            raise sf._ExecutionError("States.ItemReaderFailed", f"the items cannot be read: {error}") from error

    def inputs(self) -> list[str]:
        """Return the JSON of each child's input."""
        selector = self.state.get("ItemSelector") or self.state.get("Parameters")
        return [
            json.dumps(self.resolve(selector, Map={"Item": {"Index": index, "Value": item}}) if selector else item)
            for index, item in enumerate(self.items())
        ]
