"""Operations run on the face alone: cut it out, work on it, paste it back, frame by frame, so that a clip of any length may stream."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Frames
from ..operation import Chain, Numbered, Operation
from ..parallel import for_each_frame
from ..progress import Progress, part, silent
from ..settings import SettingError
from .align import AlignFace
from .paste import PasteSettings, crop_matrix, paste
from .track import FaceTrack


@dataclass(frozen=True)
class OnFace(Operation, PasteSettings):
    """Runs operations on the aligned crop of every frame and pastes the result back; every pixel outside keeps its bits.

    Frames that the track does not cover are refused (see `FaceTrack.place`); those where no face was found pass as they are.
    """

    operation: Operation = field(default_factory=Chain, kw_only=True)
    track: FaceTrack = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        """Check the settings, and that the track is aligned.

        Raises:
            TrackError: the track holds no matrices.
        """
        super().__post_init__()
        AlignFace(track=self.track)

    @property
    def radius(self) -> int:
        """Give the radius of what runs on the crops."""
        return self.operation.radius

    @property
    def needs_survey(self) -> bool:
        """Say what the operation on the crops says."""
        return self.operation.needs_survey

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> OnFace:
        """Let the operation see the crops of the whole clip."""
        cutter = AlignFace(track=self.track)
        return replace(self, operation=self.operation.survey(_Crops(cutter, clip), progress))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Cut, work, paste."""
        return self.apply_to(frames, start, range(len(frames)), progress)

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Cut all, work on some among them, paste those."""
        crops = self.operation(AlignFace(track=self.track)(frames, start, part(progress, 0, 3)), start, part(progress, 1, 3), wanted)
        frames, start = frames[wanted.start : wanted.stop], start + wanted.start
        if len(crops) != len(frames):
            raise SettingError(f"OnFace: {type(self.operation).__name__} made {len(crops)} crops of {len(frames)}.")
        out = np.empty_like(frames)

        def work(i: int) -> None:
            np.copyto(out[i], frames[i])
            if self.track.found[self.track.place(start + i)]:
                paste(out[i], crops[i], crop_matrix(self.track, start + i, crops[i]), self)

        for_each_frame(len(frames), work, part(progress, 2, 3))
        return out

    def to_json(self) -> dict[str, Any]:
        """Give the settings, the operation on the crops and the whole track."""
        return {**super().to_json(), "operation": self.operation.to_json(), "track": self.track.to_json()}


class _Crops:
    """The crops of a clip, as often as they are asked for."""

    def __init__(self, cutter: AlignFace, clip: Iterable[Numbered]) -> None:
        self._cutter, self._clip = cutter, clip

    def __iter__(self) -> Iterator[Numbered]:
        return ((start, self._cutter(frames, start)) for start, frames in self._clip)
