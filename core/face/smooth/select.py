"""Smoothing a track by the method of one's choice, and what it did, in figures."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...operation import Numbered
from ...progress import Progress, silent
from ...report import Report
from ...settings import SettingError, check_settings, setting
from .. import similarity
from ..align import Fit, align, matrices_for
from ..anchors import Points
from ..fill import Flags, longest_gap, segments
from ..motion import FaceMotion, measure_motion
from ..template import template
from ..track import FaceTrack
from . import fused, one_euro, savgol
from .whittaker import choose_stiffness, whittaker

Method = Literal["fused", "whittaker", "one_euro", "enhanced", "ultra", "none"]


@dataclass(frozen=True)
class Smoothing:
    """How to smooth a track.

    `landmark_params` and `temporal_alpha` are the published pipeline's, for ``enhanced`` and ``ultra``; None takes the preset's.
    """

    method: Literal["fused", "whittaker", "one_euro", "enhanced", "ultra", "none"] = setting(
        "fused", "fused: the detector with the motion measured in the pixels. whittaker: from the track alone. "
        "one_euro: causal, for live use. enhanced, ultra: as published. none: as detected.")
    stiffness: float = setting(0.0, "How much more the measured motion (fused) or smoothness (whittaker) counts than the detector. "
                               "0 chooses it from the detector's own noise.", low=0.0, high=1e5, step=1.0)
    preset: Literal["published", "talking_head", "high_motion"] = setting(
        "published", "Windows for ultra: as published, for talking heads, or for much motion.")
    landmark_params: tuple[tuple[str, float], ...] = ()
    temporal_alpha: float | None = None

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingError: one is wrong.
        """
        check_settings(self)
        if isinstance(self.landmark_params, Mapping):
            object.__setattr__(self, "landmark_params", tuple(sorted(self.landmark_params.items())))
        savgol.ULTRA.with_values(dict(self.landmark_params))
        if self.temporal_alpha is not None and not 0 <= self.temporal_alpha <= 0.9:
            raise SettingError(f"Smoothing: temporal_alpha is {self.temporal_alpha!r}; it must be a number between 0 and 0.9.")

    @property
    def pixel_blend(self) -> savgol.TemporalBlend:
        """Give the pixel filter that goes with the method: the published one for ``ultra``, else none unless it was asked for."""
        alpha = savgol.PRESETS[self.preset][1] if self.method == "ultra" else 0.0
        return savgol.TemporalBlend(alpha if self.temporal_alpha is None else self.temporal_alpha)


@dataclass(frozen=True)
class Smoothed:
    """A smoothed track and the report on it: figures, and per-frame series."""

    track: FaceTrack
    report: Report


def smooth(
    track: FaceTrack, smoothing: Smoothing | None = None, clip: Iterable[Numbered] | None = None, progress: Progress = silent,
    fit: Fit = "similarity",
) -> Smoothed:
    """Smooth a track and align it again to the crop that it has (or the default one).

    Args:
        track: raw; of one that is aligned the crop is kept.
        smoothing: the method and its settings.
        clip: ``(start, frames)`` runs from the track's first frame on, for ``fused``, unless the track holds its motion already.
            Without either, ``fused`` falls back to ``whittaker`` throughout, and says so.
        progress: called once a frame while the clip is read; may raise to cancel.
        fit: how matrices are made.

    Returns:
        The smoothed track with matrices, and the report.
    """
    smoothing = Smoothing() if smoothing is None else smoothing
    if smoothing.method == "fused" and track.motion is None and clip is not None:
        track = track.with_motion(measure_motion(_from_zero(clip, track.start), track.anchors, track.found, progress))
    raw = np.round(track.anchors) if fit == "latentsync" else track.anchors
    cuts = track.local_cuts
    fallback = np.zeros(max(0, len(track) - 1), bool)
    stiffness = 0.0
    if smoothing.method == "fused" and track.motion is not None:
        result = fused.fuse(raw, track.found, track.motion, track.fps, smoothing.stiffness, cuts)
        anchors, fallback, stiffness = result.anchors, result.fallback, result.stiffness
    elif smoothing.method in ("fused", "whittaker"):
        asked = smoothing.stiffness if smoothing.method == "whittaker" else 0.0
        stiffness = asked or choose_stiffness(raw, track.found, track.fps, cuts)
        anchors = whittaker(raw, track.found, track.fps, stiffness, cuts)
        fallback[:] = smoothing.method == "fused"
    elif smoothing.method == "one_euro":
        anchors = one_euro.one_euro(raw, track.found, track.fps, cuts=cuts)
    else:
        anchors = _published(raw, track, smoothing)
    moved = _moved(track, anchors, smoothing.method)
    size, shape = (track.crop.size, track.crop.shape) if track.crop else (256, "latentsync")
    crop = template(size, shape)
    matrices = matrices_for(anchors, crop, fit, rounded=False)
    if smoothing.method == "ultra":
        for part in segments(len(track), cuts):
            matrices[part] = savgol.smooth_matrices(matrices[part], track.fps)
    moved = dataclasses.replace(moved, matrices=matrices, crop=crop)
    return Smoothed(moved, _report(track, moved, smoothing, fallback, stiffness))


def _published(raw: Points, track: FaceTrack, smoothing: Smoothing) -> Points:
    """Run the published chains. They know nothing of cuts, but a cut is no motion, so here as everywhere nothing crosses one."""
    if smoothing.method == "none":
        return raw
    base = savgol.ENHANCED if smoothing.method == "enhanced" else savgol.PRESETS[smoothing.preset][0]
    parameters = base.with_values(dict(smoothing.landmark_params))
    smooth: Points = raw.copy()
    for part in segments(len(raw), track.local_cuts):
        smooth[part] = savgol.smooth_series(raw[part], track.fps, parameters)
    return smooth


def _moved(track: FaceTrack, anchors: Points, method: Method) -> FaceTrack:
    """Move all points of each frame, stiffly, so that their anchors align where the smoothed ones do: jitter goes, speech stays."""
    if method == "none":
        return dataclasses.replace(track, smoothing=method)
    places = template().points
    correction = similarity.compose(similarity.invert(similarity.fit(anchors, places)), similarity.fit(track.anchors, places))
    return dataclasses.replace(track, points=similarity.apply(correction, track.points), smoothing=method)


def _from_zero(clip: Iterable[Numbered], start: int) -> Iterable[Numbered]:
    for first, frames in clip:
        skipped = max(0, start - first)
        if skipped < len(frames):
            yield first + skipped - start, frames[skipped:]


def shake_series(track: FaceTrack, motion: FaceMotion) -> tuple[float, ...]:
    """Give how far the measured motion moves the face inside the crop from each frame to the next, px of the crop; 0 if not measured."""
    if track.matrices is None or len(track) < 2:
        return ()
    before = similarity.apply(track.matrices[:-1], track.anchors[:-1])
    carried = similarity.apply(motion.matrices, track.anchors[:-1])
    after = similarity.apply(track.matrices[1:], carried)
    moved = np.linalg.norm((after - before).mean(1), axis=-1)
    return tuple(np.where(motion.followed, moved, 0.0).tolist())


def _report(before: FaceTrack, after: FaceTrack, smoothing: Smoothing, fallback: Flags, stiffness: float) -> Report:
    figures: dict[str, float | int | str] = {
        "method": smoothing.method, "detector": before.detector, "frames": len(after), "frames filled": int(before.filled.sum()),
        "longest gap (frames)": longest_gap(before.found), "scene cuts": len(after.cuts),
    }
    series: dict[str, tuple[float, ...]] = {"found": tuple(before.found.astype(float).tolist())}
    if stiffness:
        figures["stiffness"] = round(stiffness, 3)
    if smoothing.method == "fused":
        figures["pairs not followed (whittaker instead)"] = int(fallback.sum())
        series["fallback"] = tuple(fallback.astype(float).tolist())
    figures["lag (frames)"] = round(lag(before, after), 3)
    if before.motion is not None and len(after) > 1:
        raw = align(before, *((after.crop.size, after.crop.shape) if after.crop else ()))
        sizes = []
        for name, track in (("before", raw), ("after", after)):
            series[f"shake {name} (px)"] = shake = shake_series(track, before.motion)
            sizes.append(float(np.sqrt(np.mean(np.square(shake)))))
            figures[f"shake {name} (crop px RMS)"] = round(sizes[-1], 4)
        figures["shake reduction (%)"] = round(100 * (1 - sizes[1] / max(sizes[0], 1e-9)), 1)
    return Report("Ultra Smooth", figures, series)


def lag(before: FaceTrack, after: FaceTrack) -> float:
    """Measure by how many frames the smoothed path is late: the shift that fits it best to the raw path, to a part of a frame."""
    if len(before) < 8:
        return 0.0
    a, b = (t.anchors.mean(1) - t.anchors.mean((0, 1)) for t in (before, after))
    n = len(a)
    misfit: NDArray[np.float64] = np.array(
        [np.square(a[max(0, -s) : n - max(0, s)] - b[max(0, s) : n - max(0, -s)]).mean() for s in range(-3, 4)])
    best = min(max(int(misfit.argmin()), 1), 5)
    left, middle, right = misfit[best - 1 : best + 2]
    curve = float(left - 2 * middle + right)
    offset = 0.5 * float(left - right) / curve if curve > 1e-12 else 0.0
    return best - 3 + min(max(offset, -1.0), 1.0) if misfit.max() > 1e-12 else 0.0
