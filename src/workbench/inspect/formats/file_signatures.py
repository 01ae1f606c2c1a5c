"""Recognize files by their first bytes: native boosters, skops files, files without a model."""

from __future__ import annotations

import re

from workbench.inspect.refused_file import RefusedFile

HEAD = 4096  # bytes that signatures look at

PICKLE = "Give a scikit-learn model saved by joblib.dump or pickle.dump."
UNPACK = "Unpack it and give the model file in it."

# (first bytes, code of the refusal, what the file is, remedy)
REFUSED: tuple[tuple[bytes, str, str, str], ...] = (
    (
        rb"version https://git-lfs",
        "git_lfs",
        "The file is a Git LFS pointer, not the model itself.",
        "Run `git lfs pull` and try again.",
    ),
    (
        rb"(?i)\s*(<!doctype|<html|<\?xml|<head|<body)",
        "web_page",
        "The file is a web page or XML, as after a download that went wrong.",
        "Download the file itself (on GitHub, the raw file).",
    ),
    (
        rb"tree\r\nversion=",
        "malformed",
        "The file is a LightGBM booster whose line ends were changed, by git or by an editor.",
        "Give the file as booster.save_model wrote it.",
    ),
    (rb"\s*[\[{]\s*[\"\[{\]}\d-]", "json", "The file is JSON, not a saved model.", PICKLE),
    (rb"\x89HDF\r\n", "unsupported", "The file is HDF5, as Keras writes it.", PICKLE),
    (rb"\x08[\x01-\x20][\x12\x3a]", "unsupported", "The file is an ONNX model.", PICKLE),
    (rb".{4}TFL3", "unsupported", "The file is a TensorFlow Lite model.", PICKLE),
    (
        rb"[XA]\n\x00{3}[\x02\x03]\x00|RD[AX][23]\n",
        "unsupported",
        "The file was saved by R.",
        PICKLE,
    ),
    (rb"\x93NUMPY", "not_a_model", "The file is a numpy array, not a model.", PICKLE),
    (rb"PAR1|ARROW1", "not_a_model", "The file is a data frame, not a model.", PICKLE),
    (
        rb"ZF0x|ZF\s",
        "unsupported",
        "The file was written by joblib before version 0.10.",
        "Fit the model again with scikit-learn 1.1 or later and save it with joblib.dump.",
    ),
    (rb".{257}ustar|7z\xbc\xaf|Rar!", "archive", "The file is an archive, not a model.", UNPACK),
    (
        rb"\x1f\x8b|\xfd7zXZ|BZh\d1AY",  # only reached inside a compressed file
        "unsupported",
        "The file is compressed twice.",
        "Unpack it once and give the result.",
    ),
)

# (first bytes, the library whose own format it is)
NATIVE: tuple[tuple[bytes, str], ...] = (
    (rb"\{L\x00{7}\x07learner|\s*\{\s*\"learner\"\s*:", "xgboost"),
    # The old binary format: the mean of the target, the numbers of features and of classes.
    (rb"binf.{7}\0|\0\0\0[\x3f\x80].{3}\0.{3}\0", "xgboost"),
    (rb"tree\nversion=", "lightgbm"),
    (rb"CBM1", "catboost"),
)

# (part of a member's name in the archive, what the file is, remedy)
ZIP_MEMBERS: tuple[tuple[bytes, str, str], ...] = (
    (b"/data.pkl", "The file is a PyTorch model.", PICKLE),
    (b"config.json", "The file is a Keras model.", PICKLE),
    (b"xl/", "The file is an Excel workbook.", PICKLE),
    (b".npy", "The file holds numpy arrays, not a model.", PICKLE),
)
ZIP, SKOPS_MEMBER = b"PK\x03\x04", b"schema.json"
LZ4 = b"\x04\x22\x4d\x18"


def refuse_foreign_file(head: bytes, tail: bytes) -> None:
    """Raise RefusedFile if the first and last bytes are those of a file that is no model."""
    if native_library(head) is not None:
        return
    if head.startswith(ZIP):
        raise _describe_zip(head + tail)
    for pattern, code, what, remedy in REFUSED:
        if re.match(pattern, head, re.DOTALL):
            raise RefusedFile(code, what, remedy)


def native_library(head: bytes) -> str | None:
    """Return the boosting library in whose own format the file is, or None."""
    matches = (library for start, library in NATIVE if re.match(start, head, re.DOTALL))
    return next(matches, None)


def is_skops(head: bytes, tail: bytes) -> bool:
    """Return whether skops wrote the file."""
    return head.startswith(ZIP) and SKOPS_MEMBER in tail  # the directory of a zip is at its end


def lz4_file(name: str) -> RefusedFile:
    """Return the refusal of a file compressed with LZ4, with the lines that save it again."""
    without = name.removesuffix(".lz4") if name.endswith(".lz4") else f"new-{name}"
    return RefusedFile(
        "unsupported",
        f"The file {name} is compressed with LZ4, which is not supported.",
        "Save it again with zlib, in Python: `import joblib`, then "
        f"`joblib.dump(joblib.load({name!r}), {without!r}, compress=3)`.",
    )


def _describe_zip(names: bytes) -> RefusedFile:
    for member, what, remedy in ZIP_MEMBERS:
        if member in names:
            return RefusedFile("unsupported", what, remedy)
    return RefusedFile("archive", "The file is a zip archive, not a model.", UNPACK)


def is_text(head: bytes) -> bool:
    """Return whether the file is text (a CSV, a script) rather than a pickle."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    text = head.decode("utf-8", "ignore")
    printable = sum(character.isprintable() or character in "\t\r\n" for character in text)
    return len(text) > 0.9 * len(head) and printable == len(text)


def text_file() -> RefusedFile:
    """Return the refusal of a text file."""
    return RefusedFile("text", "The file is text (a CSV or a script?), not a saved model.", PICKLE)
