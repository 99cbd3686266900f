"""The catalogue of published checkpoints, where they are found on this machine, and reading them without running what is in them."""
from __future__ import annotations

import hashlib
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class WeightsError(ValueError):
    """A checkpoint that is missing, truncated, or not what its name says; the message says what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights as its authors publish it.

    `folder` is the kind of model folder it belongs in; `url` where it is published (in words, for a package of the index); `size` its
    bytes (0: not known); `sha256` None where no published or measured value is known to us; `member` its path inside the archive at
    `url`, where it lies in one.
    """

    name: str
    task: str
    file: str
    folder: str
    url: str
    size: int
    sha256: str | None
    licence: str
    note: str = ""
    member: str = ""


_MEDIAPIPE = "the wheel of mediapipe 0.10.21 on the Python package index"
_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download/"
_FAN = "https://www.adrianbulat.com/downloads/python-fan/"
_INSIGHTFACE = "https://github.com/deepinsight/insightface/tree/master/detection/scrfd"
_RESEARCH = "InsightFace: non-commercial research"

FACE_MESH = Checkpoint(
    "face_mesh", "468 face points", "face_landmark.tflite", "talkies", _MEDIAPIPE, 1_242_398,
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814", "Apache-2.0",
    "Goes with face_detection_short_range; both lie inside the mediapipe 0.10.21 wheel.",
    "mediapipe/modules/face_landmark/face_landmark.tflite")
FACE_DETECTION = Checkpoint(
    "face_detection_short_range", "finds the face for face_mesh", "face_detection_short_range.tflite", "talkies", _MEDIAPIPE, 229_714,
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8", "Apache-2.0",
    "Goes with face_mesh; both lie inside the mediapipe 0.10.21 wheel.",
    "mediapipe/modules/face_detection/face_detection_short_range.tflite")
YUNET = Checkpoint(
    "yunet", "5 face points", "face_detection_yunet_2026may.onnx", "talkies",
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet", 229_738,
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0", "MIT")
YUNET_2023 = Checkpoint(
    "yunet_2023", "5 face points", "face_detection_yunet_2023mar.onnx", "talkies",
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet", 0, None, "MIT", "The earlier file, taken as well.")
SCRFD = Checkpoint(
    "scrfd", "5 face points", "scrfd_2.5g_kps.onnx", "talkies", _INSIGHTFACE, 3_291_017,
    "32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a", _RESEARCH)
SCRFD_BN = Checkpoint(
    "scrfd_bn", "5 face points", "scrfd_2.5g_bnkps.onnx", "talkies", _INSIGHTFACE, 0, None, _RESEARCH)
S3FD = Checkpoint(
    "s3fd", "finds the face for 2dfan4", "s3fd-619a316812.pth", "talkies", _FAN + "s3fd-619a316812.pth", 89_900_000, None,
    "not stated (the package is BSD-3-Clause)", "Also found in the cache of torch.hub.")
FAN = Checkpoint(
    "2dfan4", "68 face points", "2DFAN4-11f355bf06.pth.tar", "talkies", _FAN + "2DFAN4-11f355bf06.pth.tar", 95_900_000, None,
    "not stated (the package is BSD-3-Clause)", "Also found in the cache of torch.hub.")
DIFF2LIP = Checkpoint(
    "diff2lip", "lips from speech", "e7.24.1.3_model260000_paper.pt", "diff2lip", "https://github.com/soumik-kanad/diff2lip",
    407_000_000, None, "CC BY-NC 4.0", "The link to the file is in that page's README.")
X2PLUS = Checkpoint(
    "RealESRGAN_x2plus", "upscaling x2", "RealESRGAN_x2plus.pth", "upscale_models", _ESRGAN + "v0.2.1/RealESRGAN_x2plus.pth", 0, None,
    "BSD-3-Clause")
X4PLUS = Checkpoint(
    "RealESRGAN_x4plus", "upscaling x4", "RealESRGAN_x4plus.pth", "upscale_models", _ESRGAN + "v0.1.0/RealESRGAN_x4plus.pth", 0, None,
    "BSD-3-Clause")
GENERAL_X4 = Checkpoint(
    "realesr-general-x4v3", "upscaling x4, small and fast", "realesr-general-x4v3.pth", "upscale_models",
    _ESRGAN + "v0.2.5.0/realesr-general-x4v3.pth", 0, None, "BSD-3-Clause")
GENERAL_WDN_X4 = Checkpoint(
    "realesr-general-wdn-x4v3", "upscaling x4 that keeps noise; mixed with general-x4v3 to set the denoising",
    "realesr-general-wdn-x4v3.pth", "upscale_models", _ESRGAN + "v0.2.5.0/realesr-general-wdn-x4v3.pth", 0, None, "BSD-3-Clause")
ANIMEVIDEO = Checkpoint(
    "realesr-animevideov3", "upscaling x4 of drawn video", "realesr-animevideov3.pth", "upscale_models",
    _ESRGAN + "v0.2.5.0/realesr-animevideov3.pth", 0, None, "BSD-3-Clause")

CATALOGUE: tuple[Checkpoint, ...] = (
    FACE_MESH, FACE_DETECTION, YUNET, YUNET_2023, SCRFD, SCRFD_BN, S3FD, FAN, DIFF2LIP, X2PLUS, X4PLUS, GENERAL_X4, GENERAL_WDN_X4,
    ANIMEVIDEO,
)


def checkpoint(name: str) -> Checkpoint:
    """Give a checkpoint of the catalogue by its name or file name.

    Raises:
        WeightsError: there is none of that name.
    """
    for entry in CATALOGUE:
        if name in (entry.name, entry.file):
            return entry
    raise WeightsError(f"There is no checkpoint {name!r}; there are {', '.join(entry.name for entry in CATALOGUE)}.")


def find(wanted: Checkpoint, folders: Sequence[Path]) -> Path | None:
    """Give the path of a checkpoint's file: in one of the folders, or in its subfolder of the checkpoint's kind or name."""
    for folder in folders:
        for place in (folder, folder / wanted.folder, folder / wanted.name):
            if (place / wanted.file).is_file():
                return place / wanted.file
    return None


def address(wanted: Checkpoint) -> str | None:
    """Give the address of the file itself: the catalogue's, or, where that is a folder on GitHub, the file in it; None for a mere page."""
    if wanted.url.rsplit("/", 1)[-1] == wanted.file:
        return wanted.url
    folder = re.fullmatch(r"(https://github\.com/[^/]+/[^/]+)/tree/(.+)", wanted.url)
    if folder is None or wanted.sha256 is None:  # a guessed address is fine only where the hash tells whether it was right
        return None
    return f"{folder[1]}/raw/{folder[2]}/{wanted.file}"


def can_be_fetched(wanted: Checkpoint) -> bool:
    """Tell whether ``talkies models get`` can fetch it: it lies in a package, or its file has an address."""
    return bool(wanted.member) or address(wanted) is not None


def missing_message(wanted: Checkpoint, folders: Sequence[Path]) -> str:
    """Say that a checkpoint is missing: the file, where it belongs, where it is published, its size, hash and licence."""
    where = " or ".join(str(folder) for folder in folders) or f"any folder for {wanted.folder!r} models"
    source = f"{wanted.member} inside {wanted.url}" if wanted.member else wanted.url
    facts = [_megabytes(wanted.size)] if wanted.size else []
    facts += [f"sha256 {wanted.sha256}"] if wanted.sha256 else []
    facts += [wanted.licence]
    cure = f"Get it with `talkies models get {wanted.name}`, or put it there by hand" if can_be_fetched(wanted) else "Put it there by hand"
    return (f"{wanted.file} is not in {where}. {cure} from {source} ({', '.join(facts)}).{' ' + wanted.note if wanted.note else ''}")


def check_file(wanted: Checkpoint, path: Path) -> None:
    """Check a file's size and hash against the catalogue, as far as it knows them exactly.

    Raises:
        WeightsError: they differ.
    """
    if wanted.sha256 is None:
        return
    if path.stat().st_size != wanted.size:
        raise WeightsError(f"{path} has {path.stat().st_size} bytes; {wanted.name} has {wanted.size}. Get it again.")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != wanted.sha256:
        raise WeightsError(f"{path} has sha256 {digest.hexdigest()}; {wanted.name} has {wanted.sha256}. Get it again.")


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from .safetensors, or from a torch file with nothing but tensors in it, onto the CPU.

    What authors wrap it in (``params_ema``, ``params``, ``state_dict``, ``model``) is taken off; the moving average comes first.

    Raises:
        WeightsError: the file is missing, truncated, a web page or Git LFS pointer, holds code, or holds no tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file; a checkpoint is wanted there.")
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise WeightsError(f"{path} is empty. Get it again.")
    if head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a {'Git LFS pointer' if head.startswith(b'version') else 'web page'}, not a checkpoint: the "
                           "download fetched the wrong thing. Get the file itself.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for wrapper in ("params_ema", "params", "state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors; its entries are {', '.join(map(str, list(content)[:8])) or 'none'}.")
    return tensors


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise WeightsError(f"{path} needs the safetensors package. Get it with `pip install safetensors`.") from error
    try:
        return dict(load_file(str(path)))
    except SafetensorError as error:
        raise WeightsError(f"{path} is truncated or no safetensors file ({error}). Get it again.") from error


def _read_torch(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() and "global" in str(error).lower():
            raise WeightsError(f"{path} holds more than tensors, and reading it would run code from the file, so it is refused. "
                               f"Convert it to safetensors on a machine that you can lose. ({str(error).splitlines()[0]})") from error
        raise WeightsError(f"{path} is no torch checkpoint, or is damaged. Get it again. ({str(error).splitlines()[0]})") from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, struct.error) as error:
        raise WeightsError(f"{path} is truncated or no torch checkpoint. Get it again. ({str(error).splitlines()[0]})") from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}; a table of tensors is wanted.")
    return content


def _megabytes(size: int) -> str:
    return f"about {size / 1e6:.0f} MB" if size >= 10_000_000 else f"{size / 1e6:.2f} MB"
