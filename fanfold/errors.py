"""Every error raised on purpose, and what becomes of it.

* FanfoldError               a message (what was received, and the limit) and a remedy
  - TransientError           retried by the state machine: the same call may succeed later
  - InvalidInput             not retried: the upload or the recipe is wrong, and its owner can mend it
    + EmptyObject            the object has no bytes, or is a folder marker
    + UnknownFormat          no kind can read the object
    + NotATable              a table was asked for, and the bytes are none
    + NotAnImage             an image was asked for, and the bytes are none that can be read
    + BrokenImage            the image breaks, or ends too early
    + NotAVideo              a video was asked for, and the bytes are none that can be read
    + BrokenVideo            the video breaks, or ends too early
    + ProtectedVideo         the video is encrypted
    + UnsupportedVideo       the video has something that cannot be split or made exactly
    + TooManyPixels          the image or video is larger than its recipe allows
    + TooLargeForFormat      a format cannot hold an output of that size
    + TooMuchSound           the sound is longer than what is transcribed
    + TooManyCues            a track of subtitles has more cues than are read
    + WrongEncoding          the bytes do not decode as the encoding that was given or detected
    + BrokenCompression      the compressed data breaks, ends too early, or is followed by something else
    + DecompressionBomb      the object inflates to far more than it should
    + BrokenJson             the object's JSON breaks, or ends too early
    + NoRecords              `records` points to nothing, or to what is no array
    + UnclosedQuote          the object ends inside a quoted field
    + RowTooLarge            one row is larger than a worker can hold
    + TooManyChunks          the plan would have more chunks than a job may have
    + TooManyRejects         more rows were rejected than the recipe tolerates
    + UnknownColumn          the recipe names a column that the table has not
    + UnknownRecipe          no recipe has that name
    + RecipeError            the recipe, or the file of recipes, breaks the schema
    + SourceChanged          the object was overwritten after it was planned (HTTP 412)
    + SourceGone             the object, or the planned version of it, was deleted
  - Superseded               not retried: a newer version of the object has its own job
  - PermanentError           not retried: the deployment is wrong, and an operator must act
    + AccessDenied           a role lacks a permission
    + NoSpace                a disk is full
    + NoSpeechModel          the model that hears speech is not installed, or not the one that was pinned
    + TranscriptionFailed    Amazon Transcribe refuses a sound, or gave up on it
    + NotInstalled           a package is missing that what was asked for needs
    + EngineError            the embedded engine cannot start, or has died
    + NotTaken               a function did not take all that a dead letter is about
  - UsageError               the command makes no sense as it was given
    + FileChanged            a file was written to while it was uploaded
    + Unreachable            AWS does not answer a command, or not this caller
    + UnknownLetter          a dead letter is none of those that come into its queue
    + ChangesGone            the changes that a dead letter names have left the stream

Step Functions matches `ErrorEquals` against the class name and cannot see inheritance
(https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html). So
`TransientError` is final, and it is the only name of ours that a Retrier lists.

Only the name and the message cross that wire. The remedy belongs to the class, so whoever reads
the name (the console, `fanfold show`) finds the remedy again with `remedy_of`.
"""

from __future__ import annotations

from typing import ClassVar, final


class FanfoldError(Exception):
    """Base class of every error raised on purpose. Anything else is a bug."""

    remedy: ClassVar[str] = "Look at the log of the run."


@final
class TransientError(FanfoldError):
    """The same call may succeed later: throttling, a dropped connection, S3's 503."""

    remedy = "Replay the job: AWS did not answer in time."


class InvalidInput(FanfoldError):
    """The upload or the recipe cannot be processed as it is."""

    remedy = "Mend the upload or the recipe, then upload it again or replay the job."


class EmptyObject(InvalidInput):
    """The object has no bytes, or is a folder marker."""

    remedy = "Upload the object again, with its bytes."


class UnknownFormat(InvalidInput):
    """No kind can read the object."""

    remedy = "Name a recipe as the first segment of the key, or upload a format that fanfold reads."


class NotATable(InvalidInput):
    """A table was asked for, and the bytes are none."""

    remedy = "Upload CSV, or JSON whose rows are objects, or set `format`, `delimiter` and `records` in the recipe."


class NotAnImage(InvalidInput):
    """An image was asked for, and the bytes are none that can be read."""

    remedy = "Upload JPEG, PNG, TIFF, WebP, GIF, AVIF or HEIC; export a drawing or a document to one of them first."


class BrokenImage(InvalidInput):
    """The image breaks, or ends too early."""

    remedy = "Open the image to see whether it is whole, save it again, and upload it."


class NotAVideo(InvalidInput):
    """A video was asked for, and the bytes are none that can be read."""

    remedy = "Upload MP4, MOV, MKV, WebM, MPEG-TS or AVI; of a playlist, upload the video that it names."


class BrokenVideo(InvalidInput):
    """The video breaks, or ends too early."""

    remedy = "Play the video to its end to see whether it is whole, then upload it again."


class ProtectedVideo(InvalidInput):
    """The video is encrypted."""

    remedy = "Upload the video without its protection (DRM)."


class UnsupportedVideo(InvalidInput):
    """The video has something that cannot be split or made exactly."""

    remedy = "Export the video once more as plain MP4 (H.264, AAC), and upload that."


class TooManyPixels(InvalidInput):
    """The image or video is larger than its recipe allows."""

    remedy = "If it is what it should be, raise the limit that the message names in the recipe."


class TooLargeForFormat(InvalidInput):
    """A format cannot hold an output of that size."""

    remedy = "Choose PNG for that output, or a smaller size."


class TooMuchSound(InvalidInput):
    """The sound is longer than what is transcribed."""

    remedy = "Leave `transcript` out of the recipe, or upload the recording in several objects."


class TooManyCues(InvalidInput):
    """A track of subtitles has more cues than are read."""

    remedy = "Leave `subtitles` out of the recipe, or mend the track."


class WrongEncoding(InvalidInput):
    """The bytes do not decode as the encoding that was given or detected."""

    remedy = "Set `encoding` in the recipe to the encoding of the object, then replay the job."


class BrokenCompression(InvalidInput):
    """The compressed data breaks, ends too early, or is followed by something else."""

    remedy = "Compress the file again, test it (`gzip -t`, `zstd -t`, `bzip2 -t`), and upload it as a whole."


class DecompressionBomb(InvalidInput):
    """The object inflates to far more than it should."""

    remedy = "If it is what it should be, upload it in several objects, or not compressed."


class BrokenJson(InvalidInput):
    """The object's JSON breaks, or ends too early."""

    remedy = "Mend the JSON at that byte, or upload it again as a whole."


class NoRecords(InvalidInput):
    """`records` points to nothing, or to what is no array."""

    remedy = "Set `records` in the recipe to the JSON Pointer of the array of objects, such as /data/items."


class UnclosedQuote(InvalidInput):
    """The object ends inside a quoted field."""

    remedy = "Close the quote, or set `quote` in the recipe to the character that the object uses."


class RowTooLarge(InvalidInput):
    """One row is larger than a worker can hold."""

    remedy = "Look for an unclosed quote before the row, or split the row; name an array inside it in `records`."


class TooManyChunks(InvalidInput):
    """The plan would have more chunks than a job may have."""

    remedy = "Raise `chunk` in the recipe."


class TooManyRejects(InvalidInput):
    """More rows were rejected than the recipe tolerates."""

    remedy = "Read rejects.jsonl, then mend the rows, loosen `columns`, or raise `rejects` and replay the job."


class UnknownColumn(InvalidInput):
    """The recipe names a column that the table has not."""

    remedy = "Name a column of the table's header in the recipe."


class UnknownRecipe(InvalidInput):
    """No recipe has that name."""

    remedy = "Add the recipe to recipes.yaml and run `fanfold recipes push`."


class RecipeError(InvalidInput):
    """The recipe, or the file of recipes, breaks the schema."""

    remedy = "Compare the field with docs/recipes.md; `fanfold recipes check FILE` tells when it is right."


class SourceChanged(InvalidInput):
    """The object was overwritten after it was planned (HTTP 412)."""

    remedy = "Nothing needs to be done: the newer object has a job of its own."


class SourceGone(InvalidInput):
    """The object, or the planned version of it, was deleted."""

    remedy = "Upload the object again."


class Superseded(FanfoldError):
    """A newer version of the object has its own job."""

    remedy = "Nothing needs to be done: look at the job of the newer version."


class PermanentError(FanfoldError):
    """The deployment cannot do this, whatever the input."""

    remedy = "An operator must act: see docs/operating.md."


class AccessDenied(PermanentError):
    """A role lacks a permission."""

    remedy = "Grant the action to the role that the message names, then replay the job."


class NoSpace(PermanentError):
    """A disk is full."""

    remedy = "Free space where the message says, then run the command again."


class NoSpeechModel(PermanentError):
    """The model that hears speech is not installed, or not the one that was pinned."""

    remedy = "Run `pip install 'fanfold[speech]'`, or leave `transcript` out of the recipe, then replay the job."


class TranscriptionFailed(PermanentError):
    """Amazon Transcribe refuses a sound, or gave up on it."""

    remedy = "Replay the job; if it fails again, use `engine: embedded`, or a `language` that the region has."


class NotInstalled(PermanentError):
    """A package is missing that what was asked for needs."""

    remedy = "Install the extra that the message names, or take out of the recipe what needs it."


class EngineError(PermanentError):
    """The embedded engine cannot start, or has died."""

    remedy = "Read engine.log in the engine's home; `fanfold doctor` tells what is missing."


class NotTaken(PermanentError):
    """A function did not take all that a dead letter is about."""

    remedy = "Mend what the message and the log of the function name, then send the letter again: it stays where it is."


class UsageError(FanfoldError):
    """The command makes no sense as it was given."""

    remedy = "See `fanfold --help`."


class FileChanged(UsageError):
    """A file was written to while it was uploaded."""

    remedy = "Run the command again once nothing writes to the file."


class Unreachable(UsageError):
    """AWS does not answer a command, or not this caller."""

    remedy = "Check the network, and the profile, region and credentials; AWS_ENDPOINT_URL takes the place of AWS."


class UnknownLetter(UsageError):
    """A dead letter is none of those that come into its queue."""

    remedy = "Look at its body: somebody has put it there, and may delete it in SQS."


class ChangesGone(UsageError):
    """The changes that a dead letter names have left the stream."""

    remedy = "Totals lack them: name the recipe anew and upload its files under that name, which counts from nothing."


def _tree(cls: type[FanfoldError]) -> dict[str, type[FanfoldError]]:
    found = {cls.__name__: cls}
    for child in cls.__subclasses__():
        found |= _tree(child)
    return found


def remedy_of(name: str) -> str:
    """Return the remedy of the error class called `name`, or of any error where the name is not ours."""
    return _tree(FanfoldError).get(name, FanfoldError).remedy
