"""The demo's second half: find the face of the demo clip, hold it still, paste it back, and compare with the path that is known."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.arrays import Frame, Frames, Matrices
from ..core.face import similarity
from ..core.face.align import AlignFace, align
from ..core.face.anchors import Points
from ..core.face.find import FaceSearch, find_face
from ..core.face.paste import PasteSettings
from ..core.face.plot import plot
from ..core.face.smooth.select import smooth
from ..core.face.track import FaceTrack
from ..core.face.warp import valid_area
from ..core.measure.motion import above
from ..core.operation import Numbered
from ..core.video.audio_copy import CopyAudio
from ..core.video.clip import FrameSource
from ..core.video.encoding import Encoding
from ..core.video.memory import chunk_frames
from ..core.video.render import render, rendered_info
from ..core.video.sink import create_sink
from ..core.video.source import open_source
from ..host.devices import compute_device
from ..host.folders import model_folders
from ..host.progress import node_progress
from .demo_clip import SIZE, DemoClip
from .paste import paste_into

CROPS, PASTED = "talkies_demo_face.mkv", "talkies_demo_pasted.mp4"


@dataclass(frozen=True)
class DemoFace:
    """What the second half made: figures, the files, and the picture of the path."""

    figures: dict[str, float | int | str]
    crops: Path
    pasted: Path
    path: Frame


def steady_face(clip: DemoClip, source: Path, folder: Path, crop_size: int = 256) -> DemoFace:
    """Find the face of the demo clip, steady it, cut the crops, and paste them back untouched.

    Args:
        clip: the clip, whose path is the truth.
        source: the file that was made of it.
        folder: gets the crops (lossless) and the clip with the crops pasted back.
        crop_size: side of the crops, px.

    Raises:
        NoFaceError: the detector does not see the portrait.
    """
    crops_file, pasted_file = folder / CROPS, folder / PASTED
    with open_source(source) as video:
        info = video.info
        size = chunk_frames(info)
        found = find_face(_runs(video, size), (info.height, info.width), info.fps, FaceSearch(), model_folders("talkies"),
                          device=str(compute_device()), progress=node_progress("face"), total=info.frames or 0)
        raw = align(found.track, crop_size, "natural")
        smoothed = smooth(raw, clip=_runs(video, size), progress=node_progress("motion"))
        track = smoothed.track
        cutter = AlignFace(track=track)
        with create_sink(crops_file, rendered_info(info, cutter), Encoding("ffv1")) as sink:
            render(video, sink, cutter, size, node_progress("crops"))
        with open_source(crops_file) as crops, create_sink(pasted_file, info, audio=CopyAudio(source)) as sink:
            difference = _Difference(track)
            paste_into(video, crops, track, PasteSettings(), sink, before=difference.before, after=difference.after)
    before = raw if track.motion is None else raw.with_motion(track.motion)
    figures: dict[str, float | int | str] = {"face detector": track.detector, "frames with the face": int(track.found.sum())}
    figures |= path_errors("as detected", raw, clip) | path_errors("steadied", track, clip)
    figures |= {"shake as detected (crop px)": float(smoothed.report.figures.get("shake before (crop px RMS)", 0.0)),
                "shake steadied (crop px)": float(smoothed.report.figures.get("shake after (crop px RMS)", 0.0))}
    return DemoFace(figures | difference.figures(), crops_file, pasted_file, plot(before, track, smoothed.report))


def true_matrices(clip: DemoClip) -> Matrices:
    """Give ``[T,2,3]``: where the clip's path sends the pixels of an unshaken frame."""
    middle = (SIZE - 1) / 2 * (1 + 1j)
    factor = np.exp(1j * clip.path[:, 2])
    return similarity.from_complex(factor, middle + clip.path[:, 0] + 1j * clip.path[:, 1] - factor * middle)


def path_errors(name: str, track: FaceTrack, clip: DemoClip) -> dict[str, float]:
    """Measure how far an aligned track leaves the known path, px RMS: all of it, and what is faster than 3 Hz.

    Looked at are the places of the frame that the crop shows where brows and nose belong. The known path is taken out of them, so that
    those of a perfect track stand still; where exactly is the detector's own idea of brows and nose, so each place's mean is taken off.
    """
    assert track.matrices is not None and track.crop is not None, "the track is aligned"
    truth = true_matrices(clip)[track.start : track.stop]
    still: Points = similarity.apply(similarity.invert(similarity.compose(track.matrices, truth)), track.crop.points)
    error = still - still.mean(0)
    return {f"path error {name} (px)": _rms(error), f"path error {name} > 3 Hz (px)": _rms(above(error, clip.fps))}


def _rms(error: Points) -> float:
    return float(np.sqrt((error**2).sum(-1).mean()))


class _Difference:
    """Compares frames with what pasting made of them: beyond the crop's place nothing may change, within it the crop's own loss shows."""

    def __init__(self, track: FaceTrack) -> None:
        self._track = track
        self._frames: Frames | None = None
        self._outside = self._inside = 0
        self._squares = 0.0

    def before(self, start: int, frames: Frames) -> None:
        """Keep the frames of one run as they came."""
        self._frames = frames

    def after(self, start: int, frames: Frames) -> None:
        """Compare them with the same run, pasted."""
        assert self._frames is not None and self._track.crop is not None, "runs come in pairs, of an aligned track"
        side = self._track.crop.size
        for i, (old, new) in enumerate(zip(self._frames, frames, strict=True)):
            back = similarity.invert(self._track.matrix(start + i))
            touched = valid_area(back, side, side, *self._track.size) > 0
            self._outside += int((old != new).any(-1)[~touched].sum())
            self._inside += int(touched.sum()) * old.shape[-1]
            self._squares += float(np.square(old[touched] - new[touched], dtype=np.float64).sum())

    def figures(self) -> dict[str, float | int | str]:
        """Give the pixels changed beyond the crop's place, and the PSNR within it."""
        mean = self._squares / max(self._inside, 1)
        return {"pixels changed outside the crop": self._outside,
                "PSNR inside, untouched crop (dB)": float(-10 * np.log10(max(mean, 1e-12)))}


def _runs(source: FrameSource, size: int) -> Iterator[Numbered]:
    return ((chunk.start, chunk.frames) for chunk in source.chunks(size))
