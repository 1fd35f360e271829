"""What an item of DynamoDB can hold. Standard library only.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

PARTITION_LIMIT_BYTES, SORT_LIMIT_BYTES = 2048, 1024
"""What the two halves of a key hold, in UTF-8."""

ITEM_LIMIT_BYTES = 400 << 10
"""What an item holds, its names and its values."""

DIGITS_LIMIT, EXPONENT_LIMIT = 38, 125
"""What a number holds."""

FLOAT_LIMITS = 1e-125, 1e125
"""What is no larger than a float of 64 bits may be, and no smaller, zero aside."""
