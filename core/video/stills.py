"""Clips that are stills (one image, a folder of them) or an array file (``.npy``)."""
from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import ArrayError, Frame, as_float32, empty_frames, from_uint8, from_uint16, to_frames, to_uint8, to_uint16
from .clip import Chunk, ClipInfo, Colour, FrameSink, FrameSource, VideoError, check_size

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".bmp")
"""Images that are read and written; PNG and TIFF with 8 or 16 bits and alpha."""

_DEEP = (".png", ".tif", ".tiff")
_NO_ALPHA = (".jpg", ".jpeg", ".bmp")
_SRGB = Colour(range=2, matrix=0, primaries=1, transfer=13)
_NPY_HEADER = 128  # bytes; room for any frame count


class StillSource(FrameSource):
    """Images as frames, one after the other. 8 bits are exactly n / 255, 16 bits n / 65535; EXIF turns of JPEG are applied."""

    def __init__(self, paths: tuple[Path, ...], fps: Fraction) -> None:
        """Take the images in this order; the first one says size and channels.

        Raises:
            VideoError: there is none, or the first cannot be read.
        """
        self._paths = paths
        first = read_image(paths[0])
        depth = 8 if first.dtype == np.uint8 else 16
        self.info = ClipInfo(first.shape[1], first.shape[0], fps, 1 / fps, len(paths), bit_depth=depth, has_alpha=first.shape[2] == 4)

    @classmethod
    def of_folder(cls, folder: Path, fps: Fraction) -> StillSource:
        """Take all images of a folder in natural order (``frame2`` before ``frame10``); hidden files are left out.

        Raises:
            VideoError: it has none.
        """
        images = sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")), key=natural_key)
        if not images:
            raise VideoError(f"{folder.name}: the folder holds no image; {', '.join(IMAGE_SUFFIXES)} are read.")
        return cls(tuple(images), fps)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `FrameSource.chunks`."""
        check_size(size)
        info = self.info
        for start in range(0, len(self._paths), size):
            paths = self._paths[start : start + size]
            frames = empty_frames(len(paths), info.height, info.width, info.channels)
            for path, out in zip(paths, frames, strict=True):
                image = read_image(path)
                if image.shape != out.shape:
                    raise VideoError(f"{path.name} has shape {list(image.shape)} [H,W,C], {self._paths[0].name} {list(out.shape)}; "
                                     f"the images of a clip are all alike.")
                if image.dtype == np.uint8:
                    from_uint8(image, out)
                elif image.dtype == np.uint16:
                    from_uint16(image, out)
                else:
                    out[...] = to_frames(image, path.name)[0]
            yield Chunk(start, frames, tuple(range(start, start + len(paths))))


class ArraySource(FrameSource):
    """A ``.npy`` file of frames ``[B,H,W,C]`` or one frame ``[H,W,C]``, of any dtype that `to_frames` takes; mapped, not loaded."""

    def __init__(self, path: Path, fps: Fraction) -> None:
        """Map the file.

        Raises:
            VideoError: it is missing, no ``.npy``, or not frames.
        """
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise VideoError(f"{path.name} cannot be read as an array ({error}). A .npy file of [B,H,W,C] or [H,W,C] is wanted.") from error
        self._name = path.name
        self._array = array[None] if array.ndim == 3 else array
        if self._array.ndim != 4 or self._array.shape[-1] not in (1, 3, 4) or 0 in self._array.shape:
            raise VideoError(f"{path.name} has shape {list(array.shape)}; [B,H,W,C] or [H,W,C] with 1, 3 or 4 channels is wanted.")
        count, height, width, channels = self._array.shape
        depth = 8 if array.dtype == np.uint8 else 16
        self.info = ClipInfo(width, height, fps, 1 / fps, count, bit_depth=depth, has_alpha=channels == 4)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `FrameSource.chunks`; float32 frames are read-only views of the file."""
        check_size(size)
        for start in range(0, len(self._array), size):
            try:
                frames = to_frames(self._array[start : start + size], self._name, finite=False)
            except ArrayError as error:
                raise VideoError(str(error)) from error
            yield Chunk(start, frames, tuple(range(start, start + len(frames))))


class StillSink(FrameSink):
    """One image file for a clip of one frame; 16 bits in PNG and TIFF when the source is deeper than 8."""

    def __init__(self, path: str | PathLike[str], info: ClipInfo) -> None:
        """Prepare; the folder must exist."""
        self._path, self._deep = Path(path), info.bit_depth > 8
        require_folder(self._path)
        self._partial = partial_path(self._path)
        self._written = 0

    def _open(self) -> None:
        self._written = 0

    def write(self, chunk: Chunk) -> None:
        """See `FrameSink.write`."""
        for frame in chunk.frames:
            if self._written:
                raise VideoError(f"{self._path.name} holds one frame and more came. Name a folder, .npy or a video file instead.")
            write_image(self._partial, frame, deep=self._deep)
            self._written += 1

    def _commit(self) -> None:
        if not self._written:
            raise VideoError(f"{self._path.name}: no frame was written, so there is no file. Check the frames that were asked for.")
        os.replace(self._partial, self._path)

    def _abort(self) -> None:
        self._partial.unlink(missing_ok=True)


class FolderSink(FrameSink):
    """A folder of images, ``000000.png`` and on, numbered by the place in the clip."""

    def __init__(self, path: str | PathLike[str], info: ClipInfo, suffix: str = ".png") -> None:
        """Prepare; the folder above must exist, and the folder itself be absent or empty: what is in it is not ours to remove.

        Raises:
            VideoError: it is not, or no image of that suffix is written.
        """
        self._path, self._suffix, self._deep = Path(path), suffix.lower(), info.bit_depth > 8
        require_folder(self._path)
        if self._suffix not in IMAGE_SUFFIXES:
            raise VideoError(f"Images of {suffix!r} are not written; {', '.join(IMAGE_SUFFIXES)} are.")
        if self._path.exists() and (not self._path.is_dir() or any(self._path.iterdir())):
            raise VideoError(f"{self._path.name} is there already and not an empty folder. Choose another name, or empty it.")
        self._partial = partial_path(self._path)

    def _open(self) -> None:
        self._partial.mkdir()

    def write(self, chunk: Chunk) -> None:
        """See `FrameSink.write`."""
        for index, frame in enumerate(chunk.frames, chunk.start):
            write_image(self._partial / f"{index:06d}{self._suffix}", frame, deep=self._deep)

    def _commit(self) -> None:
        if not any(self._partial.iterdir()):
            raise VideoError(f"{self._path.name}: no frame was written, so there is no folder. Check the frames that were asked for.")
        if self._path.exists():
            self._path.rmdir()  # fails if something has come into it since, and then nothing is lost
        os.replace(self._partial, self._path)

    def _abort(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)


class ArraySink(FrameSink):
    """A ``.npy`` file, float32 ``[B,H,W,C]``, written as frames come; the count goes into its header at the end."""

    def __init__(self, path: str | PathLike[str], info: ClipInfo) -> None:
        """Prepare; the folder must exist."""
        self._path = Path(path)
        require_folder(self._path)
        self._partial = partial_path(self._path)
        self._file: BinaryIO | None = None
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def _open(self) -> None:
        self._file = self._partial.open("wb")
        self._file.write(bytes(_NPY_HEADER))

    def write(self, chunk: Chunk) -> None:
        """See `FrameSink.write`."""
        assert self._file is not None, "write before the with block"
        shape = chunk.frames.shape[1:]
        if self._count and shape != self._shape:
            raise VideoError(f"{self._path.name}: frames of shape {list(shape)} came after {list(self._shape)}; one shape is wanted.")
        self._shape = shape
        self._count += len(chunk.frames)
        as_float32(chunk.frames).tofile(self._file)

    def _commit(self) -> None:
        assert self._file is not None
        if not self._count:
            raise VideoError(f"{self._path.name}: no frame was written, so there is no file. Check the frames that were asked for.")
        self._file.seek(0)
        self._file.write(_npy_header((self._count, *self._shape)))
        self._file.close()
        os.replace(self._partial, self._path)

    def _abort(self) -> None:
        if self._file is not None:
            self._file.close()
        self._partial.unlink(missing_ok=True)


def read_image(path: Path) -> NDArray[Any]:
    """Read an image as RGB(A) ``[H,W,3]`` or ``[H,W,4]``, in the depth it is stored in; gray comes as RGB.

    Raises:
        VideoError: it is missing or no image.
    """
    if not path.is_file():
        raise VideoError(f"{path.name} does not exist. Check the path ({path.parent}).")
    # Decoded from memory, since OpenCV on Windows opens no path beyond ASCII. JPEG is read in OpenCV's way that heeds EXIF turns.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if path.suffix.lower() in (".jpg", ".jpeg") else cv2.IMREAD_UNCHANGED
    encoded = np.fromfile(path, np.uint8)
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
        raise VideoError(f"{path.name} cannot be read as an image. Check that the file is complete.")
    channels = 1 if image.ndim == 2 else image.shape[2]
    return np.asarray(cv2.cvtColor(image, {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[channels]))


def write_image(path: Path, frame: Frame, *, deep: bool = False) -> None:
    """Write a frame ``[H,W,C]``, C = 1, 3 or 4, by the suffix of `path`; 16 bits with `deep` where the format has them.

    Raises:
        VideoError: OpenCV cannot encode it.
    """
    suffix = path.suffix.lower()
    pixels: NDArray[Any] = to_uint16(frame) if deep and suffix in _DEEP else to_uint8(frame)
    if pixels.shape[2] == 4 and suffix in _NO_ALPHA:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
    order = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[pixels.shape[2]]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 97] if suffix in (".jpg", ".jpeg") else []
    done, encoded = cv2.imencode(suffix, pixels if order is None else cv2.cvtColor(pixels, order), quality)
    if not done:
        raise VideoError(f"{path.name}: OpenCV cannot write this image. Choose .png.")
    encoded.tofile(path)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Give a key that sorts numbers in names by their value."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part)


def partial_path(path: Path) -> Path:
    """Give a hidden name beside `path`, not in use, of the same suffix."""
    return path.with_name(f".talkies-{secrets.token_hex(6)}.partial{path.suffix}")


def require_folder(path: Path) -> None:
    """Refuse to write into a folder that is not there.

    Raises:
        VideoError: it is not.
    """
    if not path.absolute().parent.is_dir():
        raise VideoError(f"{path.name}: the folder {path.absolute().parent} does not exist. Make it first.")


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """Give the header of a float32 ``.npy`` (format 1.0), padded to a fixed length so that it can be written last."""
    text = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).ljust(_NPY_HEADER - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + (_NPY_HEADER - 10).to_bytes(2, "little") + text.encode("latin1")
