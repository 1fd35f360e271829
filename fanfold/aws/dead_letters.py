"""Dead letters: what a queue could not hand over, looked at and sent again.

SQS shows a message only to who takes it: looking hides it from others for a while, and it comes back by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanfold.aws.faults import translated
from fanfold.aws.resending import Receiver

HIDDEN_S = 60
"""For how long a message that was looked at is hidden from others; until then it can be sent again."""

AT_ONCE = 10
"""Messages that SQS hands out in one call."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, as long as it is hidden from others."""

    id: str
    body: str
    sent: float
    """When it was first sent, in seconds since 1970."""
    received: int
    """How often it was taken."""
    handle: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A queue of dead letters."""

    client: Any
    url: str

    def count(self) -> int:
        """Return about how many letters there are, those that somebody looks at among them."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with translated(f"reading {self.url}"):
            found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(names))["Attributes"]
        return sum(int(found[name]) for name in names)

    def look(self, most: int) -> list[Letter]:
        """Return up to `most` letters that nobody else looks at; they are hidden for a minute."""
        found: dict[str, Letter] = {}
        with translated(f"reading {self.url}"):
            while len(found) < most:
                messages = self.client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=min(AT_ONCE, most - len(found)),
                    VisibilityTimeout=HIDDEN_S,
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                ).get("Messages", [])
                if not messages:
                    break
                for message in messages:
                    found[message["MessageId"]] = _letter(message)
        return list(found.values())

    def show(self, letters: list[Letter]) -> None:
        """Give letters back, so that others see them at once."""
        with translated(f"writing {self.url}"):
            for letter in letters:
                self.client.change_message_visibility(
                    QueueUrl=self.url, ReceiptHandle=letter.handle, VisibilityTimeout=0
                )

    def send_again(self, letter: Letter, receiver: Receiver) -> None:
        """Give a letter to who it was for, and take it away here once all of it is taken.

        A failure in between leaves it here too, and taking the same twice does no harm.
        """
        receiver.take(letter.body)
        with translated(f"deleting {letter.id}"):
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=letter.handle)


def _letter(message: dict[str, Any]) -> Letter:
    told = message.get("Attributes", {})
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        sent=int(told.get("SentTimestamp", 0)) / 1000,
        received=int(told.get("ApproximateReceiveCount", 0)),
        handle=message["ReceiptHandle"],
        attributes={name: value.get("StringValue") for name, value in message.get("MessageAttributes", {}).items()},
    )
