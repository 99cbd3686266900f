"""What is done to the drawn faces before they go back: sharpen, enlarge the mouth, match its colours, calm it. In that order."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Frames
from ..masked import Mask
from ..operation import Chain, Operation
from ..restore.sharpen import Sharpen
from ..settings import check_settings, setting
from ..upscale.super_resolve import SuperResolve
from ..upscale.upscaler import Upscaler
from ..video.colour import ColorMatch
from ..video.colour_rows import Rows, rows_of, steadied
from ..video.temporal import TemporalConsistency
from .condition import lower_part


@dataclass(frozen=True)
class FinishSettings:
    """The finish of the drawn lips; what is 0 or off is left out."""

    sharpening_strength: float = setting(0.3, "How much detail is brought out in the drawn face. 0 leaves it as it was drawn.",
                                         low=0.0, high=1.0, step=0.01)
    super_resolution: bool = setting(False, "Enlarge the drawn mouth by an upscale model, for faces larger than 128 px.")
    sr_model: str = setting("RealESRGAN_x2plus.pth", "For `super_resolution`: the model's file in models/upscale_models, or a path.")
    color_match: float = setting(0.0, "How far the colours of the drawn part are brought to the source's, one match for the whole clip. "
                                      "0 leaves them.", low=0.0, high=1.0, step=0.01)
    temporal_consistency: float = setting(0.0, "How much flicker is taken out of the drawn part, along the motion. 0 leaves it.", low=0.0,
                                          high=1.0, step=0.01)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingError: one is wrong.
        """
        check_settings(self)

    def chain(self, upscaler: Upscaler | None = None) -> Chain:
        """Give the operations, on faces ``[B,128,128,3]``; `upscaler` brings a network on a wire, or folders and device of a host."""
        lower = Mask(lower_part())
        steps: list[Operation] = []
        if self.sharpening_strength:
            steps.append(Sharpen(self.sharpening_strength))
        if self.super_resolution:
            steps.append(SuperResolve(self.sr_model, "2x", region=lower, upscaler=upscaler))
        if self.color_match:
            steps.append(ColorMatch("lab", self.color_match, measure=lower))
        if self.temporal_consistency:
            steps.append(TemporalConsistency(strength=self.temporal_consistency))
        return Chain(tuple(steps))


def matched(finish: Operation, drawn: Frames, faces: Frames, count: int) -> Operation:
    """Give a finish whose colour match knows its figures: from drawn faces ``[N,128,128,3]`` to the same faces as they were cut.

    One match serves all `count` frames of the clip, so that nothing flickers and a stream needs no more than this sample.
    """

    def taught(link: Operation) -> Operation:
        if not isinstance(link, ColorMatch) or link.source is not None:
            return link
        source, target = (steadied(rows_of(part, link.method, link.measure), np.inf)[:1].repeat(count, axis=0) for part in (drawn, faces))
        return replace(link, source=Rows(source), target=Rows(target))

    links: Iterable[Operation] = finish.operations if isinstance(finish, Chain) else (finish,)
    made = tuple(taught(link) for link in links)
    return Chain(made) if isinstance(finish, Chain) else made[0]


def wants_colours(finish: Operation) -> bool:
    """Say whether a colour match in a finish has still to learn its figures."""
    links = finish.operations if isinstance(finish, Chain) else (finish,)
    return any(isinstance(link, ColorMatch) and link.needs_survey for link in links)
