"""Deploy the project's template to an engine: what `sam deploy` does, without building anything.

`package` does what `aws cloudformation package` does, on a copy: code and definitions go to S3, and the template
says where they are. Of the code only the handlers go: the workers are processes of this environment, with the rest.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from fanfold.errors import EngineError

ARTIFACTS = "fanfold-artifacts"
DEPLOY_S = 120.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short tags, read as their long forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise EngineError(f"a template has no {type(node).__name__} with a tag")
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def stack_folder() -> Path:
    """Return the folder of the project's template.yaml: the checkout, or what a wheel carries."""
    package = Path(__file__).parents[1]
    for folder in (package.parent, package / "stack"):
        if (folder / "template.yaml").exists():
            return folder
    raise EngineError(f"there is no template.yaml beside {package}: install fanfold from its wheel or its repository")


def read_template(folder: Path) -> dict[str, Any]:
    """Return the template of `folder`, with the long forms of CloudFormation's functions."""
    with (folder / "template.yaml").open(encoding="utf-8") as file:
        return dict(yaml.load(file, _Loader))  # noqa: S506 - a SafeLoader


def digest(folder: Path) -> str:
    """Return the hash of everything that is deployed: a stack of another one is updated."""
    made = hashlib.sha256()
    for path in [*sorted(_files(folder)), *_sources()]:
        made.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return made.hexdigest()


def _sources() -> list[Path]:
    """Return the modules that the functions import from this environment: a change of them is a new deployment too."""
    package = Path(__file__).parents[1]
    others = {package / "engine", package / "cli", package / "console"}
    return [path for path in sorted(package.rglob("*.py")) if not others & set(path.parents)]


def _files(folder: Path) -> Iterator[Path]:
    template = read_template(folder)
    yield folder / "template.yaml"
    for properties in _local(template, "AWS::Serverless::StateMachine", "DefinitionUri"):
        yield folder / properties["DefinitionUri"]
    seen = set()
    for properties in _local(template, "AWS::Serverless::Function", "CodeUri"):
        for path, _ in _code(folder, properties):
            if path not in seen:
                seen.add(path)
                yield path


def _local(template: dict[str, Any], type_: str, field: str) -> Iterator[dict[str, Any]]:
    for resource in template["Resources"].values():
        value = resource.get("Properties", {}).get(field)
        if resource["Type"] == type_ and isinstance(value, str) and not value.startswith("s3://"):
            yield resource["Properties"]


def _code(folder: Path, properties: dict[str, Any]) -> list[tuple[Path, str]]:
    """Return the files of the package or module that holds a function's handler, and their names in its zip."""
    top = folder / properties["CodeUri"]
    name = properties["Handler"].split(".")[0]
    if (top / name).is_dir():
        found = [path for path in (top / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    else:
        found = [top / f"{name}.py"]
    return [(path, str(path.relative_to(top))) for path in sorted(found)]


def _zip(files: list[tuple[Path, str]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in files:
            # Without the time of the file, so that the same code is the same package.
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return made.getvalue()


def package(folder: Path, client: Any) -> str:
    """Upload code and definitions through an S3 client; return the URL of the template that names the uploads."""
    template = copy.deepcopy(read_template(folder))
    client.create_bucket(Bucket=ARTIFACTS)
    uploaded: set[str] = set()

    def upload(body: bytes, suffix: str) -> str:
        key = hashlib.sha256(body).hexdigest() + suffix
        if key not in uploaded:
            client.put_object(Bucket=ARTIFACTS, Key=key, Body=body)
            uploaded.add(key)
        return key

    for properties in _local(template, "AWS::Serverless::Function", "CodeUri"):
        properties["CodeUri"] = f"s3://{ARTIFACTS}/{upload(_zip(_code(folder, properties)), '.zip')}"
    for properties in _local(template, "AWS::Serverless::StateMachine", "DefinitionUri"):
        body = (folder / properties["DefinitionUri"]).read_bytes()
        properties["DefinitionUri"] = {"Bucket": ARTIFACTS, "Key": upload(body, ".json")}
    # Larger than a request may be, as `sam deploy` finds too.
    return f"{client.meta.endpoint_url}/{ARTIFACTS}/{upload(json.dumps(template).encode(), '.template')}"


def deploy(folder: Path, stack: str, s3: Any, cloudformation: Any) -> None:
    """Create or update the stack; raise EngineError with CloudFormation's reasons when it fails."""
    template = package(folder, s3)
    arguments = {"StackName": stack, "TemplateURL": template, "Capabilities": CAPABILITIES}
    try:
        if _exists(stack, cloudformation):
            cloudformation.update_stack(**arguments)
        else:
            cloudformation.create_stack(**arguments)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            reason = error.response["Error"]["Message"]
            raise EngineError(f"{folder / 'template.yaml'} was refused: {reason}") from error
    _await(stack, cloudformation)


def _exists(stack: str, cloudformation: Any) -> bool:
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError:
        return False
    if found["StackStatus"] in ("ROLLBACK_COMPLETE", "CREATE_FAILED"):
        # What never came up cannot be updated.
        cloudformation.delete_stack(StackName=stack)
        return False
    return True


def _await(stack: str, cloudformation: Any) -> None:
    deadline = time.monotonic() + DEPLOY_S
    while True:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if not status.endswith("IN_PROGRESS") or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("FAILED")
        ]
        raise EngineError(f"the stack {stack} is {status}: {'; '.join(reasons) or 'no reason given'}")
