"""template.yaml read without the tools that check it elsewhere: plain YAML, its short forms written out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

Node = dict[str, Any]


class Loader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"}, and any other short form `!F x` as {"Fn::F": x}."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> Node:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)


@cache
def read() -> Node:
    """Return the template."""
    template: Node = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    return template


def resources(kind: str) -> dict[str, Node]:
    """Return the resources of one type, by their logical ids; the type without its `AWS::`."""
    return {name: node for name, node in read()["Resources"].items() if node["Type"] == f"AWS::{kind}"}


def properties(name: str) -> Node:
    found: Node = read()["Resources"][name]["Properties"]
    return found


FUNCTIONS = sorted(resources("Serverless::Function"))
MACHINES = sorted(resources("Serverless::StateMachine"))
BUCKETS = sorted(resources("S3::Bucket"))
QUEUES = sorted(resources("SQS::Queue"))
ROLES = sorted(resources("IAM::Role"))


def named(value: Any) -> str:
    """Return a reference as text: `Work`, `Work.Arn`, or a Sub's own text."""
    match value:
        case {"Ref": name}:
            return str(name)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::GetAtt": name} | {"Fn::Sub": name}:
            return str(name)
    return str(value)


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Statement:
    """One Allow of a role: an action, and a resource as text."""

    action: str
    resource: str


def statements(role: str) -> Iterator[Statement]:
    """Yield every pair of action and resource that a role allows."""
    for policy in properties(role)["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in many(statement["Action"]):
                for resource in many(statement["Resource"]):
                    yield Statement(action, named(resource))


def role_of(name: str) -> str:
    """Return the logical id of the role of a function or state machine."""
    return named(properties(name)["Role"]).removesuffix(".Arn")


def environment(function: str) -> dict[str, Any]:
    """Return the environment of a function, as the template gives it to this one alone."""
    found: dict[str, Any] = properties(function)["Environment"]["Variables"]
    return found
