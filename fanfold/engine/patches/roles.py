"""Step Functions: a state machine may do what its role allows, where the engine enforces permissions.

(https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html)
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import stepfunctions as sf

from fanfold.engine.mend import Original, Patch
from fanfold.engine.patches import executions, map_runs, result_writer
from fanfold.engine.patches.executions import Execution
from fanfold.engine.patches.map_runs import MapRun
from fanfold.engine.patches.map_settings import Settings, State

MODULE = "ministack.services.stepfunctions"
CALL = Original(MODULE, "_call_lambda", "25830369b12636da")
TEXT = Original(MODULE, "_s3_object_text", "9351030b682220e3")
GATHER = Original("ministack.core.iam_evaluator", "_gather_role_policies", "d83d1661b86595ac")
EVALUATE = Original("ministack.core.iam_evaluator", "evaluate", "2a5dd6932d1aca6a")
RESOURCE = Original("ministack.core.iam_actions", "extract_resource_arn", "82f51700695c62fd")
WILDCARD = Original("ministack.core.iam_evaluator", "_fnmatch_compile", "c95d90f11ae7a023")


def demand(error: str, action: str, resource: str) -> None:
    """Raise the _ExecutionError `error` unless the role of the running state machine allows an action on a resource."""
    from ministack import app

    role = executions.ROLE.get()
    if not app.AUTH or not role:
        return
    account, name = role.split(":")[4], role.rpartition("/")[2]
    principal = f"arn:aws:sts::{account}:assumed-role/{name}/states"
    context = iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    result = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account))
    if result.decision != "Allow":
        raise sf._ExecutionError(
            error, f"User: {principal} is not authorized to perform: {action} on resource: {resource}"
        )


def _function_arn(reference: str) -> str:
    from ministack.services import lambda_svc

    _, config, _ = lambda_svc._get_func_record_for_ref(reference)
    return str((config or {}).get("FunctionArn", reference))


def _apply() -> None:
    calling, reading = CALL.value(), TEXT.value()
    writing, starting = result_writer.put, map_runs.create

    def call(reference: str, event: Any) -> Any:
        demand("Lambda.AWSLambdaException", "lambda:InvokeFunction", _function_arn(reference))
        return calling(reference, event)

    def read(bucket: str, key: str) -> Any:
        demand("States.ItemReaderFailed", "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        return reading(bucket, key)

    def write(bucket: str, key: str, text: str) -> None:
        demand("States.ResultWriterFailed", "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}")
        writing(bucket, key, text)

    def create(execution: Execution, state: State, settings: Settings) -> MapRun:
        demand("States.Permissions", "states:StartExecution", execution["stateMachineArn"])
        return starting(execution, state, settings)

    CALL.replace(call)
    TEXT.replace(read)
    result_writer.put = write
    map_runs.create = create


def _apply_resources() -> None:
    asked = '_safe_json_field(body, "activityArn")'
    RESOURCE.amend((asked, f'{asked} or _safe_json_field(body, "mapRunArn")'))


def _apply_wildcards() -> None:
    WILDCARD.amend(
        ("re.IGNORECASE if ignore_case else 0", "re.DOTALL | (re.IGNORECASE if ignore_case else 0)"),
        ('f"^{regex}$"', 'f"^{regex}" + chr(92) + "Z"'),
    )


PATCHES = [
    Patch(
        "wildcards",
        "A wildcard in a policy matches no line end, so that a role is denied a key that holds one.",
        (WILDCARD,),
        _apply_wildcards,
    ),
    Patch(
        "map-run-permissions",
        "A permission that names Map Runs allows nothing: a call about one is judged as if it named no resource.",
        (RESOURCE,),
        _apply_resources,
    ),
    Patch(
        "machine-roles",
        "A state machine may call, read and write what its role does not allow, even where permissions are enforced.",
        (CALL, TEXT, GATHER, EVALUATE),
        _apply,
    ),
]
