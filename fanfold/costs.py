"""What a run costs, by its workers' time and its lines, at AWS's list prices."""

from __future__ import annotations

# Ireland and N. Virginia, arm64, November 2026: aws.amazon.com/lambda/pricing, /step-functions/pricing, /s3/pricing.
LAMBDA_GB_S = 0.0000133334
TRANSITION = 0.000025
PUT, GET = 0.000005, 0.0000004
MEMORY_GB = 3008 / 1024
WRITES_A_CHUNK, READS_A_CHUNK, TRANSITIONS_A_CHUNK = 4, 6, 3

BASIS = "us-east-1 list prices of November 2026, arm64; DynamoDB, Rekognition and Transcribe not included"


def usd(worker_s: float, lines: int) -> float:
    """Return what a run costs whose workers took `worker_s` together for `lines` lines of its plans."""
    a_line = TRANSITIONS_A_CHUNK * TRANSITION + WRITES_A_CHUNK * PUT + READS_A_CHUNK * GET
    return worker_s * MEMORY_GB * LAMBDA_GB_S + lines * a_line
