"""Lips from speech as an operation: cut the face, draw its lower half anew, finish it, put it back; for a batch or a stream."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Frame, Frames, Masks, as_float32, from_uint8, to_uint8
from ..face import similarity
from ..face.paste import Pasted, PasteSettings, edge_mask, paste
from ..face.regions import LipMask
from ..face.track import FaceTrack
from ..masked import Mask
from ..operation import Chain, Numbered, Operation
from ..parallel import for_each_frame
from ..progress import Progress, part, silent
from ..settings import SettingError
from ..upscale.region import faded
from .condition import LipInputs, assemble, lower_part, start_noise
from .cutter import Cutter, cutter
from .draw import Preview, Walk, draw
from .finish import matched, wants_colours
from .learn import Learnt, learn, sample
from .ledger import Ledger
from .lip_settings import LipSettings
from .model import Drawn, LipModel
from .network import SIZE
from .samplers.base import Sampler
from .samplers.presets import EVALUATIONS, sampler
from .sound import LipSound

GROUP = 4
"""With a warm start, every so many frames of the clip one is drawn in full, and the ones after it start from that."""

_HARD = PasteSettings(edge=1e-3)  # the weights have the soft rim already


@dataclass(frozen=True)
class LipSync(Operation, LipSettings):
    """Draws the lips of one face after a voice; frames where it was not found pass as they came, bit for bit.

    Attributes:
        track: of the whole clip.
        sound: the voice, from the clip's first frame on.
        model: the network.
        within: where in the frame a result may go, or None.
        finish: operations on the drawn faces, before they go back.
        learnt: what `survey` found.
        ledger: where the run is written down, or None.
        preview: shown the face at work after every evaluation, or None.
    """

    track: FaceTrack = field(kw_only=True, repr=False)
    sound: LipSound = field(kw_only=True, repr=False)
    model: LipModel = field(kw_only=True, repr=False, compare=False)
    within: Mask | None = field(default=None, kw_only=True, repr=False)
    finish: Operation = field(default_factory=Chain, kw_only=True)
    learnt: Learnt = field(default_factory=Learnt, kw_only=True)
    ledger: Ledger | None = field(default=None, kw_only=True, repr=False, compare=False)
    preview: Preview | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingError: one is wrong, or a mask has another number of frames than the track.
            ScheduleError: the sampler cannot spread that many evaluations.
        """
        super().__post_init__()
        if self.preset != "auto":
            self.fixed_sampler()
        if self.within is not None and self.within.shape[0] not in (1, self.track.stop):
            raise SettingError(f"LipSync: mask has {self.within.shape[0]} frames, the clip {self.track.stop}; give one mask, or one a "
                               "frame.")

    def require_face(self) -> None:
        """Refuse a track without a face; for callers to whom a clip that comes out unchanged is an error.

        Raises:
            SettingError: no frame of the track has one.
        """
        if not self.track.found.any():
            raise SettingError(f"The face was found in none of the {len(self.track)} frames, so there are no lips to draw.")

    @property
    def radius(self) -> int:
        """Give the radius of the finish, and of the warm start."""
        return self.finish.radius + (GROUP - 1 if self.warm_start else 0)

    @property
    def needs_survey(self) -> bool:
        """Say whether the reference, the number of evaluations or the distance of a shortcut is still to be found in the clip."""
        wanted = self.reference != "same" or self.preset == "auto" or self.shortcut
        return (wanted and not self.learnt.complete) or (self.finish.needs_survey and bool(self.track.found.any()))

    @property
    def shortcut(self) -> bool:
        """Say whether the result is not the exact one of its sampler."""
        return self.reuse > 1 or self.warm_start > 0

    def fixed_sampler(self) -> Sampler:
        """Give the sampler of the settings; of ``auto`` the pilot's is to be had from `learnt`.

        Raises:
            ScheduleError: that many evaluations cannot be spread.
        """
        return sampler(self.sampler, self.evaluations or EVALUATIONS["high" if self.preset == "auto" else self.preset])

    def walk_with(self, learnt: Learnt) -> Walk:
        """Give how a face is drawn, once a survey has learnt that much.

        Raises:
            SettingError: no survey was made, but ``auto`` needs one.
        """
        chosen = learnt.plan if self.preset == "auto" else self.fixed_sampler()
        if chosen is None:
            raise SettingError("LipSync: auto has not seen the clip yet; run it by `operation.run` or `survey` it first.")
        return Walk(chosen, self.precision, self.batch, self.reuse, self.warm_start, self.compiled)

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> LipSync:
        """Look at the frames that the settings ask for: reference, pilots; then let the finish see the drawn faces of the clip."""
        ready = self
        if not self.learnt.complete:
            ready = replace(self, learnt=learn(self, clip, progress))
        if wants_colours(ready.finish):
            drawn, faces = sample(ready, clip, progress)
            ready = replace(ready, finish=matched(ready.finish, drawn, faces, self.track.stop)) if len(faces) else ready
        if ready.finish.needs_survey and self.track.found.any():
            ready = replace(ready, finish=ready.finish.survey(_Drawn(ready, clip), progress))
        return ready

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Draw and put back."""
        made = self.faces(frames, start, progress)
        out: Frames = frames.copy()
        self.put_back(out, start, made)
        return out

    # --- faces -----------------------------------------------------------------------------------------------------------

    @property
    def cutter(self) -> Cutter:
        """Give what cuts the faces."""
        return cutter(self.track, self.crop)

    def wanted(self, index: int) -> bool:
        """Say whether frame `index` is drawn: its face was found, or lies in a short enough gap."""
        found = self.track.found
        place = self.track.place(index)
        if found[place]:
            return True
        before, after = np.flatnonzero(found[:place]), np.flatnonzero(found[place:])
        return bool(self.bridge and len(before) and len(after) and place - before[-1] + after[0] - 1 <= self.bridge)

    def faces(self, frames: Frames, start: int, progress: Progress = silent) -> Frames:
        """Give the finished faces ``[B,h,w,3]`` of consecutive frames; of those that are not drawn, the face as it was cut."""
        if self.finish.identity:
            return self.drawn(frames, start, progress)
        return self.finish(self.drawn(frames, start, part(progress, 0, 2)), start, part(progress, 1, 2))

    def drawn(self, frames: Frames, start: int, progress: Progress = silent) -> Frames:
        """Give the drawn faces ``[B,128,128,3]`` of consecutive frames, not yet finished."""
        faces = self.cutter.faces(frames, start)
        wanted = [i for i in range(len(frames)) if self.wanted(start + i)]
        if not wanted:
            progress(1, 1)
            self._note(start, len(frames), {})
            return faces
        leading = [i for i in wanted if not self.follows(start + i)]
        following = [i for i in wanted if i not in set(leading)]
        walk = self.walk_with(self.learnt)
        parts = 1 if not following else 2
        made: dict[int, Drawn] = dict(zip(leading, self._draw(faces, start, leading, walk, None, part(progress, 0, parts)), strict=True))
        after = [i for i in following if self.leader(start + i) - start in made]
        if after:
            earlier = np.stack([made[self.leader(start + i) - start].picture for i in after])
            made |= zip(after, self._draw(faces, start, after, walk, earlier, part(progress, 1, 2)), strict=True)
        for i, done in made.items():
            faces[i] = done.picture if self.crop == "aligned" else from_uint8(to_uint8(done.picture, rounding="truncate"))
        self._note(start, len(frames), made)
        return faces

    def inputs(self, faces: Frames, indices: Sequence[int], reference: Frame | None) -> LipInputs:
        """Give what the network is shown for faces ``[N,128,128,3]`` of these frames, by absolute index."""
        sound = np.concatenate([self.sound.windows(i, i + 1, self.track.fps) for i in indices])
        return assemble(faces, faces if reference is None else reference[None], sound, start_noise(self.seed))

    def _draw(
        self, faces: Frames, start: int, chosen: Sequence[int], walk: Walk, earlier: Frames | None, progress: Progress
    ) -> list[Drawn]:
        if not chosen:
            return []
        given = self.inputs(faces[list(chosen)], [start + i for i in chosen], self.learnt.reference)
        begun = None if earlier is None else assemble(earlier, earlier[:1], given.mel, given.noise).face
        return draw(self.model, given, walk, begun, progress, self.preview)

    def _note(self, start: int, count: int, made: dict[int, Drawn]) -> None:
        if self.ledger is not None:
            self.ledger.note(start, count, {start + i: done for i, done in made.items()})

    def follows(self, index: int) -> bool:
        """Say whether a frame starts from its leader's result: both drawn, with no cut between."""
        if not self.warm_start:
            return False
        leader = self.leader(index)
        near = leader < index and leader >= self.track.start and self.wanted(leader)
        return near and not any(leader < cut <= index for cut in self.track.cuts)

    @staticmethod
    def leader(index: int) -> int:
        """Give the frame that is drawn in full of the group that frame `index` is in."""
        return index - index % GROUP

    # --- back into the frame ---------------------------------------------------------------------------------------------

    def weights(self) -> Frame:
        """Give how much of a drawn face counts, ``[128,128]``: nothing above the half, rising inwards from every rim."""
        rim = edge_mask(SIZE, SIZE, max(self.edge, 1e-3))
        return as_float32(faded(lower_part()[0], self.edge) * rim)

    def put_back(self, frames: Frames, start: int, faces: Frames, masks: Masks | None = None) -> None:
        """Put finished faces into their frames, in place; write into `masks` ``[B,H,W]`` (zeros), if given, how much each pixel changed."""
        weights = self.weights()
        to_size = similarity.resize_matrix(SIZE, SIZE, *faces.shape[1:3])
        lips = self._lips(start, len(frames))

        def work(i: int) -> None:
            if not self.wanted(start + i):
                return
            within = self._within(start + i, frames[i], None if lips is None else lips[i])
            matrix = similarity.compose(to_size, self.cutter.matrix(start + i))
            pasted: Pasted | None = paste(frames[i], faces[i], matrix, _HARD, weights, within)
            if masks is not None and pasted is not None:
                masks[i, pasted.rows, pasted.columns] = pasted.weight

        for_each_frame(len(frames), work)

    def _lips(self, start: int, count: int) -> Masks | None:
        return LipMask().masks(self.track, start, start + count) if self.mask_mode == "lips" else None

    def _within(self, index: int, frame: Frame, lips: Frame | None) -> Frame | None:
        own = None if self.within is None else self.within.at(index, *frame.shape[:2])
        return own if lips is None else lips if own is None else lips * own

    def to_json(self) -> dict[str, Any]:
        """Give every setting, the track, the mel, the checkpoint's path and what was learnt; `lip_json` reads it back.

        Raises:
            SettingError: the network came from no file.
        """
        from .lip_json import written

        return {**super().to_json(), **written(self)}


class _Drawn:
    """The drawn faces of a clip, as often as they are asked for."""

    def __init__(self, operation: LipSync, clip: Iterable[Numbered]) -> None:
        self._operation, self._clip = operation, clip

    def __iter__(self) -> Iterator[Numbered]:
        return ((start, self._operation.drawn(frames, start)) for start, frames in self._clip)
