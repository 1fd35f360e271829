"""The outputs of a run: looked at where people would rather look, else downloaded; none of them is ever run.

An upload may be hostile, and what is made of it too. So every output leaves here as a download, sandboxed, with the
type that its name has among a few that a browser only paints or plays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from fanfold import figures, report
from fanfold.aws.faults import translated
from fanfold.console import inspecting, live, looks, previews, seen
from fanfold.console.reads import FOREVER
from fanfold.console.runs import LIVE, Item, Runs
from fanfold.errors import FanfoldError, UsageError

Show = Callable[..., Response]
Outputs = Mapping[str, Mapping[str, Any]]

PIECE_BYTES = 256 << 10

SANDBOX = "sandbox; default-src 'none'"

TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "mp4": "video/mp4",
    "m4s": "video/mp4",
    "mov": "video/mp4",
    "webm": "video/webm",
    "m3u8": "application/vnd.apple.mpegurl",
    "vtt": "text/vtt",
}
"""What a browser may take an output for; everything else is bytes. No type that can hold a script is among these."""

PICTURES = ("jpg", "png", "webp", "gif", "avif")
FILMS = ("mp4", "webm", "mov")
TEXTS = ("json", "jsonl", "csv", "vtt", "m3u8", "dzi", "txt", "xml")


def ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


def kind_of(name: str) -> str:
    """Return how an output is shown: table, rejects, seen, picture, zoom, film, stream, cues, text or bytes."""
    last = ending(name)
    if name == "rejects.jsonl":
        return "rejects"
    if name == seen.NAME:
        return "seen"
    if name.partition("/")[0].partition(".")[0] == "rows" and last in ("parquet", "jsonl", "csv"):
        return "table"
    if name.rpartition("/")[2] == "index.m3u8":
        return "stream"
    found = {"dzi": "zoom", "vtt": "cues"} | dict.fromkeys(PICTURES, "picture") | dict.fromkeys(FILMS, "film")
    return found.get(last, "text" if last in TEXTS else "bytes")


def shelf(outputs: Outputs) -> list[dict[str, Any]]:
    """Return the outputs as they are listed: folders of many summed up, what people look for first."""
    inside = {"tiles_files"} | {name.rpartition("/")[0] for name in outputs if name.endswith("/index.m3u8")}
    found: dict[str, dict[str, Any]] = {}
    for name, output in outputs.items():
        folder = next((one for one in inside if name.startswith(one + "/")), "")
        if folder and kind_of(name) != "stream":
            one = found.setdefault(folder + "/", {"name": folder + "/", "kind": "folder", "bytes": 0, "files": 0})
            one["bytes"] += output["bytes"]
            one["files"] += 1
        else:
            found[name] = {"name": name, "kind": kind_of(name), "bytes": output["bytes"], "files": 1}
    return list(found.values())


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the addresses of outputs."""
    stack = runs.stack
    bucket = stack.stores.outputs

    def outputs_of(item: Item) -> Outputs:
        key = ("outputs", item["job"], f"{item['status']} {item.get('order', '')}")
        fresh_s = 5.0 if item["status"] in LIVE else FOREVER
        found = stack.remembered.get(key, fresh_s, lambda: report.outputs(stack, dict(item)))
        return {output["name"]: output for output in found}

    def place(request: Request) -> tuple[Item, Outputs, str, str]:
        """Return the run, its outputs, and the name and key of the one that is asked for; only those can be."""
        item = runs.item(request.path_params["job"])
        outputs = outputs_of(item)
        name = request.path_params["name"]
        if name not in outputs:
            raise HTTPException(404)
        return item, outputs, name, outputs[name]["uri"].removeprefix(f"s3://{bucket.name}/")

    def raw(request: Request) -> Response:
        _, outputs, name, key = place(request)
        size = outputs[name]["bytes"]
        start, stop = _range(request.headers.get("range"), size)
        headers = _headers(name, stop - start, TYPES.get(ending(name), "application/octet-stream"))
        headers["accept-ranges"], status = "bytes", 200
        if (start, stop) != (0, size):
            status, headers["content-range"] = 206, f"bytes {start}-{stop - 1}/{size}"
        if request.method == "HEAD" or start == stop:
            return Response(b"", status, headers=headers)
        return StreamingResponse(pieces(bucket.name, key, start, stop), status, headers=headers)

    def pieces(name: str, key: str, start: int, stop: int, **pin: str) -> Iterator[bytes]:
        with translated(f"reading s3://{name}/{key}"):
            got = bucket.client.get_object(Bucket=name, Key=key, Range=f"bytes={start}-{stop - 1}", **pin)
            with closing(got["Body"]) as body:
                yield from body.iter_chunks(PIECE_BYTES)

    def source(request: Request) -> Response:
        """Return the image that a run processed, as a picture to be painted; 404 where browsers paint none such."""
        ref = previews.source_of(runs.item(request.path_params["job"]))
        kind = seen.painted(stack.stores.open(ref).read(0, seen.HEAD_BYTES))
        if kind is None or ref.size_bytes > seen.SOURCE_BYTES:
            raise HTTPException(404)
        pin = {"IfMatch": f'"{ref.etag}"'} | ({"VersionId": ref.version_id} if ref.version_id else {})
        body = pieces(ref.bucket, ref.key, 0, ref.size_bytes, **pin)
        return StreamingResponse(body, headers=_headers(ref.key, ref.size_bytes, kind))

    def picture_of(item: Item, outputs: Outputs) -> str:
        """Return the address of what shows the whole image; empty where nothing does that a browser paints."""
        described = runs.described(item)
        if name := seen.rendition(json.loads(described["input"]).get("recipe", {}) if described else {}, outputs):
            return f"/runs/{item['job']}/raw/{quote(name)}"
        ref = previews.source_of(item)
        try:
            is_painted = ref.size_bytes <= seen.SOURCE_BYTES and seen.painted(
                stack.stores.open(ref).read(0, seen.HEAD_BYTES)
            )
        except FanfoldError:
            return ""  # the version has gone since
        return f"/runs/{item['job']}/source" if is_painted else ""

    def preview(item: Item, outputs: Outputs, name: str) -> str:
        """Return an output as a page shows it."""
        kind, size = kind_of(name), outputs[name]["bytes"]
        key = outputs[name]["uri"].removeprefix(f"s3://{bucket.name}/")
        told: dict[str, Any] = {}
        match kind:
            case "table":
                told["table"] = previews.table(bucket, key, size)
            case "rejects":
                source = stack.stores.open(previews.source_of(item))
                told["rejects"] = previews.rejects(bucket, key, size, source)
            case "seen" if found := seen.seen(bucket, key, size):
                told |= {"seen": found, "picture": picture_of(item, outputs)}
            case "stream" | "film":
                told |= _beside(outputs)
            case "cues":
                told["cues"] = previews.cues(previews.head(bucket, key, size)[0])
            case "text" | "seen":
                kind = "text"
                told["text"], told["whole"] = previews.head(bucket, key, size)
        base = f"/runs/{item['job']}/raw/"
        return looks.part("preview.html", item=item, name=name, kind=kind, size=size, base=base, **told)

    def _beside(outputs: Outputs) -> dict[str, Any]:
        """Return what is shown beside a video: posters, subtitles and what was said."""

        def cues(name: str) -> list[previews.Cue]:
            key = outputs[name]["uri"].removeprefix(f"s3://{bucket.name}/")
            return previews.cues(bucket.get(key).decode("utf-8", "replace"))

        tracks = sorted(name for name in outputs if re.fullmatch(r"subtitles\.[^/]+\.vtt|transcript\.vtt", name))
        return {
            "tracks": tracks,
            "posters": cues("posters.vtt") if "posters.vtt" in outputs else [],
            "said": cues("transcript.vtt") if "transcript.vtt" in outputs else [],
        }

    def all_of(item: Item) -> str:
        outputs = outputs_of(item)
        listed = shelf(outputs)
        shown = [one["name"] for one in listed if one["kind"] in SHOWN_FIRST]
        films = [one["name"] for one in listed if one["kind"] == "film"]
        shown = (shown + films[:1] if not any(kind_of(name) == "stream" for name in shown) else shown)[:SHOWN]
        shown = [name for name in shown if outputs[name]["bytes"]]
        described = [name for name in ("metadata.json",) if name in outputs]
        return looks.part(
            "outputs.html",
            item=item,
            listed=listed,
            live=LIVE,
            total=figures.size(sum(one["bytes"] for one in listed)),
            previews=[(name, kind_of(name), preview(item, outputs, name)) for name in shown + described],
        )

    def tab(request: Request) -> Response:
        item = runs.item(request.path_params["job"])
        parts = {"title": inspecting.title(runs, item), "outputs": all_of(item), "arrived": ""}
        address = f"/runs/{item['job']}/live/outputs?was={quote(item['status'])}"
        return show(
            "run.html", section="Runs", item=item, tab="outputs", tabs=inspecting.TABS, parts=parts, live=address
        )

    async def listen(request: Request) -> Response:
        job, was = request.path_params["job"], request.query_params.get("was", "")

        def parts() -> dict[str, str]:
            # What somebody looks at or listens to is not taken away: they are told that there is something new.
            item = runs.item(job)
            return {
                "title": inspecting.title(runs, item),
                "arrived": looks.part("arrived.html", item=item, changed=item["status"] != was),
            }

        return live.stream(request, parts)

    def one(request: Request) -> Response:
        item, outputs, name, _ = place(request)
        return show(
            "output.html",
            section="Runs",
            item=item,
            name=name,
            size=outputs[name]["bytes"],
            preview=preview(item, outputs, name),
        )

    return [
        Route("/runs/{job}/outputs", tab),
        Route("/runs/{job}/live/outputs", listen),
        Route("/runs/{job}/outputs/{name:path}", one),
        Route("/runs/{job}/raw/{name:path}", raw),
        Route("/runs/{job}/source", source),
    ]


SHOWN = 12
"""Outputs that are shown one below the other."""

SHOWN_FIRST = ("stream", "zoom", "picture", "seen", "table", "rejects")


def _headers(name: str, size: int, kind: str) -> dict[str, str]:
    """Return what keeps a browser from running what it gets: a download, in a sandbox, of a type without scripts."""
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2])}",
        "content-length": str(size),
        "content-security-policy": SANDBOX,
        "content-type": kind,
    }


def _range(asked: str | None, size: int) -> tuple[int, int]:
    """Return the bytes that a Range header asks for, all where it asks for none or for several (RFC 9110, 14.2).

    Raises UsageError where there are no such bytes.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if not found or found.groups() == ("", "") or not size:
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    start, stop = int(first), min(size, int(last) + 1 if last else size)
    if start >= stop:
        raise UsageError(f"the range {asked} is not within {size} bytes")
    return start, stop
