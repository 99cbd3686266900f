"""Drawing lips: faces through a sampler in micro-batches that fit into memory, and on with smaller ones when it runs out."""
from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..arrays import Frame, to_bytes
from ..progress import Progress, silent
from .condition import LipInputs, composite
from .model import Drawn, LipModel, Precision
from .network import LipNetwork
from .samplers.auto import Plan, sample_within
from .samplers.base import Denoise, Level, Sampled, Sampler, Step, Watch
from .schedule import trained_signal

_log = logging.getLogger(__name__)

_Sampler = TypeVar("_Sampler", bound=Sampler)

_ASKED = 4  # faces that the host is asked to make room for at first

Preview = Callable[[Frame], None]
"""Shown the picture that the network now believes in, ``[H,W,3]``, 0..1, after every step."""


@dataclass(frozen=True)
class Walk:
    """How a face is drawn.

    Attributes:
        sampler: the fixed sampler, or what the pilot of ``auto`` decided.
        precision: of the feature maps.
        batch: faces an evaluation on a GPU; 0 chooses by free memory.
        reuse: deep features are computed at every so many steps; 1 is exact.
        skip: share of the steps that faces with an `earlier` one leave out; 0 is exact.
        compiled: run the network through torch.compile.
    """

    sampler: Sampler | Plan
    precision: Precision = "auto"
    batch: int = 0
    reuse: int = 1
    skip: float = 0.0
    compiled: bool = False

    @property
    def evaluations(self) -> int:
        """Count the evaluations of a face."""
        return (self.sampler.sampler if isinstance(self.sampler, Plan) else self.sampler).evaluations

    def exact(self) -> Walk:
        """Give the same without shortcuts."""
        return replace(self, reuse=1, skip=0.0)

    def in_full(self) -> Walk:
        """Give the same for a face without an earlier one."""
        return replace(self, skip=0.0)

    def later_part(self) -> Walk:
        """Give the walk that leaves out its first steps, at least one of which stays."""
        if isinstance(self.sampler, Plan):
            return replace(self, sampler=replace(self.sampler, sampler=_without_first(self.sampler.sampler, self.skip)))
        return replace(self, sampler=_without_first(self.sampler, self.skip))

    def key(self) -> bytes:
        """Give what of this a result depends on."""
        return repr((self.sampler, self.precision, self.reuse, self.skip)).encode()


def _without_first(sampler: _Sampler, share: float) -> _Sampler:
    count = len(sampler.timesteps)
    return replace(sampler, timesteps=sampler.timesteps[min(int(share * count), count - 1) :])


def draw(
    model: LipModel, inputs: LipInputs, walk: Walk, earlier: Tensor | None = None, progress: Progress = silent,
    preview: Preview | None = None,
) -> list[Drawn]:
    """Draw the lips of N faces.

    A face's result depends on its own inputs only: on a CPU to the last bit, on a GPU but for the rounding of its kernels. What
    was drawn before with the same inputs is remembered.

    Args:
        model: the network.
        inputs: what it is shown, on the CPU.
        walk: how.
        earlier: finished faces ``[N,3,H,W]``, -1..1, that the walks start from instead of noise, `walk.skip` of the way on.
        progress: told after every step of every micro-batch, in faces times evaluations; what it raises ends the job.
        preview: shown what each step believes.
    """
    walk = walk.in_full() if earlier is None else walk.later_part()
    keys = [_key(inputs, i, walk, earlier) for i in range(len(inputs))]
    drawn = {i: known for i, key in enumerate(keys) if (known := model.remembered.get(key)) is not None}
    missing = [i for i in range(len(inputs)) if i not in drawn]
    tell = _Told(progress, len(inputs) * walk.evaluations)
    tell.finished(len(drawn) * walk.evaluations)
    for i, made in _drawn(model, inputs, walk, earlier, missing, tell, preview):
        drawn[i] = made
        model.remembered.put(keys[i], made)
    return [drawn[i] for i in range(len(inputs))]


def _drawn(
    model: LipModel, inputs: LipInputs, walk: Walk, earlier: Tensor | None, missing: Sequence[int], tell: _Told, preview: Preview | None,
) -> Iterator[tuple[int, Drawn]]:
    """Draw the faces at these places, fewer at a time whenever memory runs out."""
    done = 0
    size = limit = len(missing)
    while done < len(missing):
        try:
            with model.held(walk.precision, min(limit, _ASKED)) as network:
                size = min(limit, model.faces_at_once(walk.batch, network.placement, network.precision))
                while done < len(missing):
                    places = missing[done : done + size]
                    made = _batch(network, inputs, walk, earlier, places, tell, preview)
                    done += len(places)
                    yield from zip(places, made, strict=True)
                    tell.finished(len(places) * walk.evaluations)
        except Exception as error:
            if not model.runtime.ran_out(error) or size < 2:
                raise
            limit = size // 2
            _log.warning("Diff2Lip: memory is full (%s); it goes on with %d faces at a time.", str(error).split("\n")[0], limit)
        if done < len(missing) and torch.cuda.is_available():
            torch.cuda.empty_cache()  # outside the handler, which would keep the failed batch alive


def _batch(
    network: LipNetwork, inputs: LipInputs, walk: Walk, earlier: Tensor | None, places: Sequence[int], tell: _Told, preview: Preview | None,
) -> list[Drawn]:
    """Draw one micro-batch."""
    began = time.monotonic()
    rows = torch.tensor(places)
    own = inputs.rows(rows)
    given = own.to(network.placement)
    before = None if earlier is None else earlier[rows].to(network.placement)
    sampled, spent = _walked(network, given, walk, before, tell.within(len(places)), _shown(preview, own))
    pictures = composite(sampled.clean.cpu(), own)
    seconds = (time.monotonic() - began) / len(places)
    return [Drawn(picture.copy(), int(count), float(error), seconds)
            for picture, count, error in zip(pictures, spent.tolist(), sampled.error.tolist(), strict=True)]


def _walked(
    network: LipNetwork, given: LipInputs, walk: Walk, earlier: Tensor | None, progress: Progress, watch: Watch | None,
) -> tuple[Sampled, Tensor]:
    """Walk one micro-batch; give it with the evaluations that each face took."""
    conditions = network.prepare(given.cond, given.mask, given.ref, given.mel)

    def rows(chosen: Tensor) -> Denoise:
        everyone = len(chosen) == len(given)
        return network.bound_to(conditions if everyone else conditions.rows(chosen), walk.reuse, walk.compiled)

    sampler = walk.sampler.sampler if isinstance(walk.sampler, Plan) else walk.sampler
    start = given.start if earlier is None else _noised(earlier, given.start, sampler.timesteps[0])
    if isinstance(walk.sampler, Plan):
        return sample_within(walk.sampler, rows, start, progress, watch, given.mask)
    made = sampler.sample(rows(torch.arange(len(given))), start, progress, watch, given.mask)
    return made, torch.full((len(given),), made.evaluations)


def _noised(clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
    """Give finished faces the noise that they would have had at a timestep."""
    level = Level.of(float(trained_signal()[timestep]))
    return level.alpha * clean + level.sigma * noise


def _shown(preview: Preview | None, own: LipInputs) -> Watch | None:
    """Show the first face of a micro-batch."""
    if preview is None:
        return None
    first = own.rows(slice(0, 1))

    def watch(step: Step) -> None:
        preview(composite(step.clean[:1].cpu(), first)[0])

    return watch


def _key(inputs: LipInputs, place: int, walk: Walk, earlier: Tensor | None) -> bytes:
    """Give a digest of everything that a face's result depends on."""
    digest = hashlib.blake2b(walk.key(), digest_size=20)
    parts = [inputs.noise[0], inputs.face[place], inputs.mask[place], inputs.ref[place], inputs.mel[place]]
    for part in parts if earlier is None else [*parts, earlier[place]]:
        digest.update(to_bytes(part))
    return digest.digest()


class _Told:
    """Progress in faces times evaluations that never runs backwards, whatever is walked again."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._done = self._shown = 0

    def finished(self, evaluations: int) -> None:
        """Count finished work."""
        self._done += evaluations
        self._tell(self._done)

    def within(self, faces: int) -> Progress:
        """Give the progress for the walk of so many faces."""
        return lambda done, total: self._tell(self._done + faces * done)

    def _tell(self, done: int) -> None:
        self._shown = min(self._total, max(self._shown, done))
        self._progress(self._shown, self._total)
