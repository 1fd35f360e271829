"""Remove from a Lambda package what no handler can load. Usage: prune.py DIRECTORY.

Lambda's limit is on the unzipped package, and a smaller one starts faster. What may go was found by
removing it; `packaging/probe.py` runs what is left.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# What a wheel carries for compilers, type checkers and shells, and what of ours runs on laptops only.
ANYWHERE = [
    "**/__pycache__",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.pxi",
    "**/*.h",
    "**/*.c",
    "**/*.a",
    "**/py.typed",
    "bin",
    "fanfold/cli*",
    "fanfold/console*",
    "fanfold/engine*",
]

# By package. Every pattern must match something, so that a rule which a new version made idle is seen.
OF_PACKAGES = {
    "pyarrow": [
        "tests",
        "include",
        "includes",
        "src",
        "*flight*",
        "*orc*",
        "_substrait*",  # but libarrow_substrait stays: lib.so is linked to it
        "substrait.py",
        "*_cpp_tests*",
        "*_s3fs*",
        "libarrow_s3*",
        "*gcsfs*",
        "*azurefs*",
        "*_hdfs*",
        "*encryption*",
        "interchange",
    ],
    "aws_lambda_powertools": ["event_handler/openapi/swagger_ui"],
    "numpy": ["**/tests", "_core/_simd*", "_core/*_tests.*", "f2py"],
    "onnxruntime": [
        "capi/libonnxruntime.so*",  # the module for Python holds all of it once more
        "datasets",
        "quantization",
        "tools",
        "transformers",
    ],
    "rapidocr": ["models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"],
    "shapely": ["tests"],
}

# What a package that holds the first may do without: it gets pixels, and opens no HEIC, AVIF, WebP or font.
BESIDES = {
    "rapidocr": [
        "flatbuffers",
        "google",
        "numpy/fft",
        "numpy/polynomial",
        "numpy/random",
        "_pillow_heif*",
        "pillow_heif",
        "pillow_heif.libs",
        "PIL/_avif*",
        "PIL/_imagingcms*",
        "PIL/_imagingft*",
        "PIL/_webp*",
        "pillow.libs/libavif*",
        "pillow.libs/libfreetype*",
        "pillow.libs/libharfbuzz*",
        "pillow.libs/liblcms2*",
        "yaml/_yaml*",
    ],
}

# botocore describes every service of AWS; the handlers speak to these.
SERVICES = {"dynamodb", "rekognition", "s3", "stepfunctions", "transcribe"}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def prune(root: Path) -> None:
    """Prune the package in `root`; exit where a rule matches nothing."""
    for pattern in ANYWHERE:
        for path in list(root.glob(pattern)):
            if path.exists():
                remove(path)
    rules = [(package, f"{package}/{pattern}") for package, patterns in OF_PACKAGES.items() for pattern in patterns]
    rules += [(package, pattern) for package, patterns in BESIDES.items() for pattern in patterns]
    # Which packages are there is asked first: a rule may remove one.
    for pattern in [pattern for package, pattern in rules if (root / package).is_dir()]:
        found = list(root.glob(pattern))
        if not found:
            sys.exit(f"prune.py: {pattern} matches nothing; drop the rule, or mend it for this version")
        for path in found:
            if path.exists():
                remove(path)
    for path in list((root / "botocore" / "data").iterdir()):
        if path.is_dir() and path.name not in SERVICES:
            remove(path)
    keep_one_name_of_each_library(root / "pyarrow")


def keep_one_name_of_each_library(folder: Path) -> None:
    """Keep libx.so.2600 of libx.so, libx.so.2600 and libx.so.2600.0.1, which a wheel holds as three copies.

    The middle one is the SONAME, the name that the others are linked to.
    """
    for path in list(folder.glob("lib*.so*")):
        behind = path.name.partition(".so")[2]
        has_soname = any(folder.glob(f"{path.name}.*"))
        if (behind == "" and has_soname) or behind.count(".") > 1:
            remove(path)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
