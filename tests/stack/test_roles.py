"""Who may do what: exact actions, on exact resources, for whoever needs them."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from fanfold import intake
from fanfold.job import Keys
from fanfold.model import Line
from tests.stack import template
from tests.stack.template import Statement, environment, named, resources, role_of, statements
from tests.stack.test_definition import STATES

# AWS knows no resources for these.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html,
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html,
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrekognition.html and
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazontranscribe.html
WITHOUT_RESOURCE = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "rekognition:DetectFaces",
    "rekognition:DetectText",
    "transcribe:StartTranscriptionJob",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}

# Actions on a bucket itself, and on what may lie under a prefix of it.
BUCKET_ACTIONS = {"s3:ListBucket"}

NAMES = {
    "Work": "WORK_BUCKET",
    "Outputs": "OUTPUTS_BUCKET",
    "Jobs": "JOBS_TABLE",
    "Records": "RECORDS_TABLE",
}

LINE = Line(id="0-7", role="rows", span={}, layout=0)
KEYS = Keys("0123456789abcdef")


def allowed(role: str, bucket: str, key: str) -> set[str]:
    """Return the actions that a role may do on a key of a bucket."""
    arn = f"${{{bucket}.Arn}}/"
    return {
        found.action
        for found in statements(role)
        if found.resource.startswith(arn) and fnmatchcase(key, found.resource.removeprefix(arn))
    }


@pytest.mark.parametrize("role", template.ROLES)
def test_no_role_uses_a_wildcard_where_aws_knows_names(role: str) -> None:
    for statement in statements(role):
        assert "*" not in statement.action
        assert (statement.resource == "*") == (statement.action in WITHOUT_RESOURCE), statement


@pytest.mark.parametrize("role", template.ROLES)
def test_every_action_on_objects_names_their_bucket_and_every_action_on_a_bucket_only_it(role: str) -> None:
    for statement in statements(role):
        if statement.action.startswith("s3:"):
            names_objects = statement.resource.startswith("${") and ".Arn}/" in statement.resource
            assert names_objects == (statement.action not in BUCKET_ACTIONS), statement


def test_every_function_and_machine_has_a_role_of_its_own() -> None:
    roles = [role_of(name) for name in (*template.FUNCTIONS, *template.MACHINES)]
    assert len(set(roles)) == len(roles)
    assert sorted(roles) == template.ROLES


@pytest.mark.parametrize("role", template.ROLES)
def test_a_role_is_for_one_service_alone(role: str) -> None:
    (statement,) = template.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    functions = {role_of(name) for name in template.FUNCTIONS}
    service = "lambda" if role in functions else "states"
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert "ManagedPolicyArns" not in template.properties(role)


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_a_function_is_told_the_name_of_a_store_exactly_if_it_may_use_it(function: str) -> None:
    resources = [statement.resource for statement in statements(role_of(function))]
    used = {
        variable
        for store, variable in NAMES.items()
        if any(resource == f"{store}.Arn" or resource.startswith(f"${{{store}.Arn}}/") for resource in resources)
    }
    assert {name for name in environment(function) if name != "MACHINES" and not name.startswith("MALLOC_")} == used


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_a_function_writes_its_own_log_and_no_other(function: str) -> None:
    log = named(template.properties(function)["LoggingConfig"]["LogGroup"])
    group = resources("Logs::LogGroup")[log]["Properties"]
    assert named(group["LogGroupName"]) == f"/aws/lambda/{named(template.properties(function)['FunctionName'])}"
    written = {found for found in statements(role_of(function)) if found.action.startswith("logs:")}
    assert {found.action for found in written} == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert all(found.resource.endswith(f":log-group:${{{log}}}:*") for found in written)


STEPS = [name for name in template.FUNCTIONS if name.startswith(("Table", "Image", "Video"))]


@pytest.mark.parametrize("function", STEPS)
def test_the_steps_reach_every_object_of_a_job_and_no_recipe(function: str) -> None:
    keys = [
        KEYS.layout(0),
        KEYS.plan(0),
        KEYS.plan(3),
        KEYS.note(LINE, "f"),
        KEYS.part(LINE, "f"),
        KEYS.part_object(LINE, "f", "rows.parquet"),
        KEYS.failure(LINE),
    ]
    reads = set() if function.endswith("Split") else {"s3:GetObject"}
    for key in keys:
        assert allowed(role_of(function), "Work", key) == {"s3:PutObject"} | reads
    assert allowed(role_of(function), "Work", intake.RECIPES_KEY) == set()


def test_intake_reads_recipes_and_no_job() -> None:
    assert allowed("IntakeRole", "Work", intake.RECIPES_KEY) == {"s3:GetObject"}
    assert allowed("IntakeRole", "Work", KEYS.plan(0)) == set()


def test_only_merge_and_who_places_fragments_write_outputs_and_nobody_writes_or_deletes_uploads() -> None:
    for role in template.ROLES:
        uploads = allowed(role, "Uploads", "orders/a.csv")
        assert uploads <= {"s3:GetObject", "s3:GetObjectVersion"}
        outputs = allowed(role, "Outputs", "orders/a.csv/rows.parquet")
        if role == "VideoIndexRole":
            assert outputs == {"s3:PutObject", "s3:AbortMultipartUpload"}
        else:
            assert bool(outputs) == role.endswith("MergeRole")
        deleted = {statement.resource for statement in statements(role) if statement.action == "s3:DeleteObject"}
        # Outputs that are stale, and lists of records that are gone.
        assert deleted == ({"${Outputs.Arn}/*", "${Work.Arn}/records/*"} if role.endswith("MergeRole") else set())


def test_only_the_function_that_recognises_may_ask_rekognition() -> None:
    asking = {role for role in template.ROLES for found in statements(role) if found.action.startswith("rekognition:")}
    assert asking == {"ImageRecogniseRole"}


def test_only_the_function_that_hears_may_ask_transcribe_and_only_for_its_own_bucket() -> None:
    asking = {role for role in template.ROLES for found in statements(role) if found.action.startswith("transcribe:")}
    assert asking == {"VideoSpeechRole"}
    policies = template.properties("VideoSpeechRole")["Policies"]
    said = [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    [start] = [one for one in said if one["Action"] == "transcribe:StartTranscriptionJob"]
    [(key, bucket)] = start["Condition"]["StringEquals"].items()
    assert (key, named(bucket)) == ("transcribe:OutputBucketName", "Work")


@pytest.mark.parametrize("machine", template.MACHINES)
def test_a_machine_reads_plans_and_writes_the_results_of_its_map_alone(machine: str) -> None:
    role = role_of(machine)
    assert allowed(role, "Work", KEYS.plan(0)) == allowed(role, "Work", KEYS.plan(12)) == {"s3:GetObject"}
    assert {"s3:PutObject", "s3:GetObject"} <= allowed(role, "Work", f"{KEYS.prefix}map/1b2c/manifest.json")
    assert allowed(role, "Work", KEYS.part(LINE, "f")) == set()


@pytest.mark.parametrize("machine", template.MACHINES)
def test_a_machine_invokes_exactly_the_functions_that_its_definition_is_given(machine: str) -> None:
    given = template.properties(machine)["DefinitionSubstitutions"]
    text = " ".join(named(given[name]) for name in ("SplitFunction", "MergeFunction", "Workers"))
    functions = {name for name in template.FUNCTIONS if f"{name}.Arn" in text}
    invoked = {found.resource for found in statements(role_of(machine)) if found.action == "lambda:InvokeFunction"}
    assert invoked == {f"{name}.Arn" for name in functions}


@pytest.mark.parametrize("machine", template.MACHINES)
def test_a_machine_runs_stops_and_redrives_the_children_of_its_own_map(machine: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"""
    where = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    name = named(template.properties(machine)["Name"])
    label = STATES["Process"]["Label"]
    found = {found for found in statements(role_of(machine)) if found.action.startswith("states:")}
    assert found == {
        Statement("states:StartExecution", f"{where}:stateMachine:{name}"),
        Statement("states:DescribeExecution", f"{where}:execution:{name}:*"),
        Statement("states:StopExecution", f"{where}:execution:{name}:*"),
        Statement("states:RedriveExecution", f"{where}:execution:{name}/{label}:*"),
    }


def test_watch_reads_executions_and_map_runs_under_the_label_of_the_map() -> None:
    label = STATES["Process"]["Label"]
    found = {found.resource for found in statements("WatchRole") if found.action.startswith("states:")}
    for machine in template.MACHINES:
        of_machine = {resource for resource in found if f"${{{machine}.Name}}" in resource}
        assert all(resource.endswith((":*", f"/{label}:*")) for resource in of_machine)
        assert any("mapRun:" in resource for resource in of_machine)
        found -= of_machine
    assert found == set()
