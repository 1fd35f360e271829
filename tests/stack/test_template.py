"""The stack: what every bucket, queue, function and alarm of it must have."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from fanfold.aws.records import partition_key
from tests.stack import template
from tests.stack.template import MACHINES, QUEUES, ROOT, environment, named, properties, read, resources
from tests.stack.test_definition import DEFINITION

DEAD_LETTERS = [name for name in QUEUES if name.endswith("DeadLetters")]

DAY_S = 24 * 3600

REDRIVE_DAYS = 14
"""https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html"""


def variables_read(path: str) -> tuple[set[str], set[str]]:
    """Return the environment variables that a module cannot do without, and those that it can."""
    needed, optional = set(), set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                needed.add(name)
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                optional.add(name)
    return needed, optional


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_a_function_is_given_what_its_handler_reads_and_nothing_else(function: str) -> None:
    module = properties(function)["Handler"].removesuffix(".handler").replace(".", "/") + ".py"
    needed, _ = variables_read(module)
    _, optional = variables_read("fanfold/aws/stores.py")
    given = {name for name in environment(function) if not name.startswith("MALLOC_")}  # those are the C library's
    assert needed <= given <= needed | optional


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_the_handler_of_a_function_is_there(function: str) -> None:
    module, _, name = properties(function)["Handler"].rpartition(".")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_the_makefile_builds_every_function_from_a_list_that_is_there(function: str) -> None:
    assert read()["Resources"][function]["Metadata"]["BuildMethod"] == "makefile"
    rules = re.findall(r"^(build-[^:\n]+):\n\tpackaging/bundle\.sh (\w+) ", (ROOT / "Makefile").read_text(), re.M)
    (bundle,) = (bundle for targets, bundle in rules if f"build-{function}" in targets.split())
    assert (ROOT / "packaging" / f"{bundle}.txt").is_file()


def test_functions_are_arm64_python_traced_and_log_json() -> None:
    shared = read()["Globals"]["Function"]
    assert (shared["Runtime"], shared["Architectures"], shared["Tracing"]) == ("python3.13", ["arm64"], "Active")
    assert shared["LoggingConfig"] == {"LogFormat": "JSON"}


@pytest.mark.parametrize("bucket", template.BUCKETS)
def test_a_bucket_is_private_versioned_encrypted_and_forgets_unfinished_uploads(bucket: str) -> None:
    given = properties(bucket)
    blocked = given["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    assert given["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert given["VersioningConfiguration"] == {"Status": "Enabled"}
    assert given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in given["LifecycleConfiguration"]["Rules"])
    assert read()["Resources"][bucket]["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("bucket", template.BUCKETS)
def test_a_bucket_is_spoken_to_over_tls_alone(bucket: str) -> None:
    (policy,) = (
        node["Properties"]["PolicyDocument"]
        for node in resources("S3::BucketPolicy").values()
        if named(node["Properties"]["Bucket"]) == bucket
    )
    (denied,) = (statement for statement in policy["Statement"] if statement["Effect"] == "Deny")
    assert (denied["Principal"], denied["Action"]) == ("*", "s3:*")
    assert [named(resource) for resource in denied["Resource"]] == [f"{bucket}.Arn", f"${{{bucket}.Arn}}/*"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_the_objects_of_a_job_outlive_every_redrive_of_it() -> None:
    """A run, the days in which it can be redriven, and the redriven run, whose clock begins anew."""
    (rule,) = (rule for rule in properties("Work")["LifecycleConfiguration"]["Rules"] if rule.get("Prefix") == "jobs/")
    run_days = DEFINITION["TimeoutSeconds"] / DAY_S
    assert rule["ExpirationInDays"] >= REDRIVE_DAYS + 2 * run_days
    (versions,) = (
        rule
        for rule in properties("Uploads")["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    )
    assert versions["NoncurrentVersionExpiration"]["NoncurrentDays"] >= rule["ExpirationInDays"]


@pytest.mark.parametrize("table", resources("DynamoDB::Table"))
def test_a_table_can_be_restored_is_encrypted_and_forgets_what_expired(table: str) -> None:
    given = properties(table)
    assert given["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert given["SSESpecification"] == {"SSEEnabled": True}
    assert given["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert [key["AttributeName"] for key in given["KeySchema"]] == ["pk", "sk"]


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_is_encrypted_and_keeps_a_message_for_fourteen_days(queue: str) -> None:
    assert properties(queue)["SqsManagedSseEnabled"] is True
    assert properties(queue)["MessageRetentionPeriod"] == 14 * DAY_S


def test_a_message_stays_hidden_for_six_runs_of_intake_and_is_tried_a_few_times() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    queue = properties("IntakeQueue")
    assert queue["VisibilityTimeout"] >= 6 * properties("Intake")["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": "IntakeDeadLetters.Arn"}
    assert 3 <= queue["RedrivePolicy"]["maxReceiveCount"] <= 5


@pytest.mark.parametrize("policy", resources("SQS::QueuePolicy"))
def test_events_reach_a_queue_from_the_one_rule_that_feeds_it(policy: str) -> None:
    given = properties(policy)
    (queue,) = map(named, given["Queues"])
    (statement,) = given["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], named(statement["Resource"])) == ("sqs:SendMessage", f"{queue}.Arn")
    assert named(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) in ("UploadRule.Arn", "WatchStatus.Arn")


def events(function: str) -> dict[str, Any]:
    (event,) = properties(function)["Events"].values()
    found: dict[str, Any] = event["Properties"]
    return found


@pytest.mark.parametrize("function", ["Intake", "Totals"])
def test_a_batch_fails_message_by_message(function: str) -> None:
    assert events(function)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_totals_see_records_and_never_what_they_write_themselves() -> None:
    """Without the filter each total would be a change of its own, and so on without end."""
    (rule,) = events("Totals")["FilterCriteria"]["Filters"]
    pattern = json.loads(rule["Pattern"])
    (matcher,) = pattern["dynamodb"]["Keys"]["pk"]["S"]
    assert partition_key("orders", "a").startswith(matcher["prefix"])
    assert not any(key.startswith(matcher["prefix"]) for key in ("totals#orders", "change#1"))
    assert named(events("Totals")["DestinationConfig"]["OnFailure"]["Destination"]) == "TotalsDeadLetters.Arn"


def test_watch_hears_of_every_machine() -> None:
    pattern = events("Watch")["Pattern"]
    assert sorted(map(named, pattern["detail"]["stateMachineArn"])) == MACHINES
    assert pattern["source"] == ["aws.states"]
    assert named(events("Watch")["DeadLetterConfig"]["Arn"]) == "WatchDeadLetters.Arn"
    assert named(properties("Watch")["DeadLetterQueue"]["TargetArn"]) == "WatchDeadLetters.Arn"


def test_intake_knows_the_machine_of_every_kind() -> None:
    given = json.loads(named(environment("Intake")["MACHINES"]))
    assert given == {machine.removesuffix("Machine").lower(): f"${{{machine}}}" for machine in MACHINES}


def test_every_dead_letter_and_every_failed_run_raises_an_alarm() -> None:
    watched = {
        (alarm["Properties"]["MetricName"], named(alarm["Properties"]["Dimensions"][0]["Value"]))
        for alarm in resources("CloudWatch::Alarm").values()
    }
    wanted = {("ApproximateNumberOfMessagesVisible", f"{queue}.QueueName") for queue in DEAD_LETTERS}
    wanted |= {(metric, machine) for machine in MACHINES for metric in ("ExecutionsFailed", "ExecutionsTimedOut")}
    assert watched == wanted
    for alarm in resources("CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_logs_errors_without_anyones_data(machine: str) -> None:
    logging = properties(machine)["Logging"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)


@pytest.mark.parametrize("group", resources("Logs::LogGroup"))
def test_logs_are_kept_as_long_as_the_parameter_says(group: str) -> None:
    assert properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_outputs_are_those_that_the_command_line_reads() -> None:
    wanted = {
        "UploadsBucket",
        "WorkBucket",
        "OutputsBucket",
        "JobsTable",
        "RecordsTable",
        *MACHINES,
        *QUEUES,
        *(f"{function}Function" for function in template.FUNCTIONS),
    }
    assert set(read()["Outputs"]) == wanted


@pytest.mark.parametrize("parameter", read()["Parameters"])
def test_every_parameter_and_output_is_described(parameter: str) -> None:
    assert read()["Parameters"][parameter]["Description"]
    assert all(output["Description"] for output in read()["Outputs"].values())
