"""What is broken, hostile or far too large ends in a named error, quickly, and nothing is ever connected to."""

from __future__ import annotations

import random
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fanfold import kinds
from fanfold.errors import (
    BrokenVideo,
    EmptyObject,
    FanfoldError,
    NotAVideo,
    ProtectedVideo,
    TooManyPixels,
    TransientError,
    UnsupportedVideo,
)
from fanfold.kinds.video import ffmpeg, formats
from fanfold.kinds.video.mp4.boxes import box
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.image.pictures import picture, saved
from tests.kinds.video.clips import H264, clip

VIDEO = kinds.get("video")
WEB = VideoRecipe.model_validate({"segment": "1s", "renditions": [{"name": "web", "height": 32}, {"name": "copy"}]})


class Trap:
    """A server that counts who connects to it."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections += 1
                connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.close()
    assert made.connections == 0


@contextmanager
def refused(error: type[FanfoldError], within_s: float = 10) -> Iterator[pytest.ExceptionInfo[FanfoldError]]:
    """Check that a job ends in `error` within a time, in one printable line."""
    began = time.perf_counter()
    with pytest.raises(error) as caught:
        yield caught
    assert time.perf_counter() - began < within_s
    assert str(caught.value).isprintable()


def payloads(url: str) -> dict[str, bytes]:
    """Return what would make libavformat open something else, were it allowed to."""
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/0.ts\n#EXT-X-ENDLIST\n"
    dash = f'<?xml version="1.0"?><MPD><Period><BaseURL>{url}/</BaseURL></Period></MPD>'
    return {
        "hls": hls.encode(),
        "hls behind a mark": b"\xef\xbb\xbf\n" + hls.encode(),
        "dash": dash.encode(),
        "concat": f"ffconcat version 1.0\nfile '{url}/a.mp4'\n".encode(),
        "subfile": f"subfile,,start,0,end,100,,:{url}/a.mp4\n".encode(),
        "hls in a box": struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0" + hls.encode(),
        "hls in matroska": b"\x1a\x45\xdf\xa3\x8a\x42\x82\x88matroska" + hls.encode(),
        "hls in a riff": b"RIFF\xff\0\0\0AVI " + hls.encode(),
    }


@pytest.mark.parametrize("name", payloads(""))
def test_a_playlist_is_refused_and_nothing_is_opened(trap: Trap, name: str) -> None:
    """Whatever it is called: keys are opaque. Not even the first byte of what it names is asked for."""
    with refused(FanfoldError, 2):
        run(VIDEO, payloads(trap.url)[name], WEB)


@pytest.mark.parametrize("name", payloads(""))
def test_ffmpeg_itself_opens_nothing(trap: Trap, name: str) -> None:
    """Were such a thing ever handed to it, it would refuse it too."""
    with refused(BrokenVideo, 5):
        ffmpeg.run([payloads(trap.url)[name]], "it", {"c:v": "libx264"})


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def dref_elsewhere(url: str) -> bytes:
    """Return a clip whose samples are said to lie at a URL."""
    data = clip("first.mp4", 2)
    return patched(data, b"url \0\0\0\1", b"url \0\0\0\0")


def test_samples_in_another_file_are_refused(trap: Trap) -> None:
    with refused(UnsupportedVideo, 2) as caught:
        run(VIDEO, dref_elsewhere(trap.url), WEB)
    assert "another file" in str(caught.value)


def short_defaults() -> bytes:
    """Return a clip whose index ends within the defaults of its fragments."""
    data = clip("fragmented.mp4", 2)
    start = data.index(b"moov") - 4
    stop = start + int.from_bytes(data[start : start + 4])
    index = data[start + 8 : stop] + box(b"mvex", box(b"trex"))
    return data[:start] + box(b"moov", index) + data[stop:]


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (lambda: b"", EmptyObject, "0 bytes"),
        (short_defaults, BrokenVideo, "ends within"),
        (lambda: saved(picture(40, 30), "JPEG"), NotAVideo, "a JPEG image"),
        (lambda: saved(picture(40, 30), "PNG"), NotAVideo, "a PNG image"),
        (lambda: saved(picture(40, 30), "AVIF"), NotAVideo, "unknown"),
        (lambda: random.Random(1).randbytes(5000), NotAVideo, "unknown"),
        (lambda: clip("first.mp4", 2)[:-5000], BrokenVideo, "the object ends at byte"),
        (lambda: clip("plain.mp4", 2)[:-2000], BrokenVideo, "the object ends at byte"),
        (lambda: clip("plain.mp4", 2)[: clip("plain.mp4", 2).rfind(b"moov") - 4], BrokenVideo, "no index"),
        (lambda: clip("fragmented.mp4", 2)[:-3000], BrokenVideo, "the object ends at byte"),
        (lambda: clip("h264.mkv", 2)[:-3000], BrokenVideo, "the object ends at byte"),
        (lambda: clip("mpeg4.avi", 2)[:-3000], BrokenVideo, "the object ends at byte"),
        (lambda: patched(clip("first.mp4", 2), b"avc1\0\0\0\0", b"encv\0\0\0\0"), ProtectedVideo, "encrypted (encv)"),
        (lambda: patched(clip("first.mp4", 2), b"mp4a\0\0\0\0", b"enca\0\0\0\0"), ProtectedVideo, "encrypted (enca)"),
    ],
)
def test_what_cannot_be_played_is_refused_by_name(data: object, error: type[FanfoldError], says: str) -> None:
    assert callable(data)
    with refused(error, 5) as caught:
        run(VIDEO, data(), WEB)
    assert says in str(caught.value)


def test_pictures_that_are_too_small_or_too_large_are_refused() -> None:
    """Before one of them is decoded."""
    dot = clip("dot.mkv", 1, "-vf scale=1:1 -c:v ffv1 -an")
    with refused(FanfoldError):
        run(VIDEO, dot, WEB)
    tiny = clip("tiny.mp4", 1, f"-vf scale=2:2 {H264} -an")
    with refused(UnsupportedVideo, 3) as caught:
        run(VIDEO, tiny, WEB)
    assert "a side has at least 16" in str(caught.value)
    wide = clip("wide.mp4", 0.1, "-vf scale=16384:16 -c:v libx264 -preset ultrafast -an")
    with refused(TooManyPixels, 3) as caught:
        run(VIDEO, wide, WEB)
    assert "16,384 × 16" in str(caught.value)
    with refused(TooManyPixels, 3):
        run(VIDEO, clip("plain.mp4", 2), WEB.model_copy(update={"pixels": 1000}))


def test_a_video_that_claims_to_last_a_year_is_refused() -> None:
    data = bytearray(clip("silent.mp4", 2).replace(b"elst", b"free"))
    at = data.index(b"stts") + 8
    (runs,) = struct.unpack_from(">I", data, at)
    for run_at in range(runs):
        struct.pack_into(">I", data, at + 8 + 8 * run_at, 0x7FFFFFFF)
    with refused(UnsupportedVideo, 3) as caught:
        run(VIDEO, bytes(data), WEB)
    assert "claims to last" in str(caught.value)


@pytest.mark.parametrize("name", ["plain.mp4", "fragmented.mp4", "h264.mkv", "h264.ts"])
def test_a_damaged_video_ends_in_outputs_or_a_named_error(name: str) -> None:
    """Any byte may be wrong, in the index as in the pictures; nothing but errors of ours comes out, and in time."""
    data = clip(name, 2)
    index = data.find(b"moov") if name.endswith("mp4") else 0
    for seed in range(8):
        pick = random.Random(seed)
        bad = bytearray(data)
        for _ in range(pick.randint(1, 4)):
            at = pick.randrange(index, min(index + 2000, len(bad))) if seed % 2 else pick.randrange(len(bad))
            bad[at] = pick.randrange(256)
        began = time.perf_counter()
        with suppress(FanfoldError):
            assert "web.mp4" in run(VIDEO, bytes(bad), WEB).outputs
        assert time.perf_counter() - began < 20


def test_an_ffmpeg_that_hangs_is_killed_and_the_chunk_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state machine retries a TransientError; nothing of the process is left."""
    program, mark = tmp_path / "ffmpeg", tmp_path / "pid"
    program.write_text(f"#!{sys.executable}\nimport os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\n")
    with program.open("a") as file:
        file.write("time.sleep(60)\n")
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "LIMIT_S", 1)
    monkeypatch.setattr(ffmpeg, "binary", lambda: str(program))
    with refused(TransientError, 5) as caught:
        run(VIDEO, clip("plain.mp4", 2), WEB)
    assert "stopped after 1 s" in str(caught.value)
    assert not Path(f"/proc/{mark.read_text()}").exists()


@contextmanager
def no_file_written() -> Iterator[None]:
    """Let no file grow, of this process and of those that it starts: whoever writes one fails, or is killed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker writes none, wherever it may: ffmpeg reads a pipe and writes a pipe."""
    monkeypatch.chdir(tmp_path)
    data = clip("h264.mkv", 2)
    with no_file_written():
        assert run(VIDEO, data, WEB).outputs
    assert list(tmp_path.iterdir()) == []
    with no_file_written(), pytest.raises(AssertionError):
        clip("written.mp4", 0.1, H264)


def test_images_are_no_videos_and_videos_no_images() -> None:
    for form in ("JPEG", "PNG", "AVIF"):
        assert not formats.sniff(saved(picture(40, 30), form)[:4096], "x.mp4")
    for name in ("plain.mp4", "open.mov", "h264.mkv", "h264.ts", "mpeg4.avi", "sound.m4a"):
        assert kinds.sniff(clip(name, 2)[:4096], "x") == "video"
