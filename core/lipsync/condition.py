"""What the network is shown: the face with its lower half hidden, a face with the mouth, and the sound of the moment."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..arrays import ArrayError, Frames, Masks, as_float32, to_frames, to_image, to_mask
from .audio_encoder import BANDS, COLUMNS
from .network import SIZE

PUBLISHED_SEED = 7
PUBLISHED_SHARE = 0.5
"""Share of the height that the published model was trained to paint."""


@dataclass(frozen=True)
class LipInputs:
    """Inputs of the network for N faces, float32; see `LipNetwork.forward` for each.

    Attributes:
        noise: start of the walk and filling of the hidden part, one for all faces so that they do not flicker, ``[1,3,H,W]``.
        face: the clean faces, ``[N,3,H,W]``, -1..1.
        mask: ``[N,1,H,W]``, 1 where to paint.
        ref: ``[N,3,H,W]``, -1..1.
        mel: ``[N,80,16]``.
    """

    noise: Tensor
    face: Tensor
    mask: Tensor
    ref: Tensor
    mel: Tensor

    def __len__(self) -> int:
        return len(self.face)

    @property
    def cond(self) -> Tensor:
        """Give the faces with the hidden part replaced by the very noise that the walk starts from, ``[N,3,H,W]``."""
        return self.face * (1 - self.mask) + self.mask * self.noise

    @property
    def start(self) -> Tensor:
        """Give the start of the walk, ``[N,3,H,W]``."""
        return self.noise.expand_as(self.face)

    def rows(self, chosen: slice | Tensor) -> LipInputs:
        """Give the inputs of some of the faces."""
        return LipInputs(self.noise, self.face[chosen], self.mask[chosen], self.ref[chosen], self.mel[chosen])

    def to(self, device: torch.device) -> LipInputs:
        """Give the inputs on a device."""
        return LipInputs(*(t.to(device) for t in (self.noise, self.face, self.mask, self.ref, self.mel)))


def start_noise(seed: int = PUBLISHED_SEED, size: int = SIZE) -> Tensor:
    """Draw the one noise picture of a clip, ``[1,3,size,size]`` float32; seed 7 gives the published one. No global state is touched."""
    return torch.randn((1, 3, size, size), generator=torch.Generator().manual_seed(seed))


def lower_part(share: float = PUBLISHED_SHARE, size: int = SIZE) -> Masks:
    """Give the mask that hides the lower `share` (0..1) of a face, ``[1,size,size]``."""
    mask = torch.zeros(1, size, size)
    mask[:, int(size * (1 - share)) :] = 1
    return to_mask(mask)


def assemble(faces: Any, references: Any, mel: Any, noise: Tensor, mask: Any = None) -> LipInputs:
    """Put together what the network is shown for N faces.

    Args:
        faces: crops ``[N,128,128,3]``, RGB, 0..1 (anything that `to_frames` takes).
        references: crops that show the mouth, ``[N,128,128,3]`` or one for all, ``[1,128,128,3]``.
        mel: windows ``[N,80,16]`` (bands, columns; -4 silence to 4).
        noise: from `start_noise`.
        mask: ``[N,128,128]`` or one for all, 1 where to paint; the lower half if None.

    Raises:
        ArrayError: sizes or counts that do not fit together, or values that are not finite.
    """
    face = _signed(to_frames(faces, "faces"), "faces")
    ref = _signed(to_frames(references, "references"), "references")
    hidden = to_image(to_mask(lower_part(size=face.shape[-1]) if mask is None else mask))[:, None]
    sound = to_image(as_float32(mel)) if not isinstance(mel, Tensor) else mel.float()
    if sound.ndim != 3 or sound.shape[1:] != (BANDS, COLUMNS) or not bool(torch.isfinite(sound).all()):
        raise ArrayError(f"mel has shape {list(sound.shape)}; finite windows [N,{BANDS},{COLUMNS}] are wanted, one a face.")
    count, _, height, width = face.shape
    for name, given, wanted in (("references", ref, face), ("mask", hidden, face), ("noise", noise, face)):
        if given.shape[0] not in (1, count) or given.shape[2:] != wanted.shape[2:]:
            raise ArrayError(f"{name} has {given.shape[0]} of {given.shape[3]}x{given.shape[2]}; the {count} faces are {width}x{height}; "
                             f"one or {count} of that size are wanted.")
    if len(sound) != count:
        raise ArrayError(f"There are {len(sound)} mel windows for {count} faces; one a face is wanted.")
    return LipInputs(noise, face, hidden.expand(count, 1, height, width), ref.expand_as(face), sound)


def composite(clean: Tensor, inputs: LipInputs) -> Frames:
    """Put painted parts into their faces, ``[N,H,W,3]``, RGB, 0..1.

    The published 8-bit picture is ``to_uint8(..., rounding="truncate")`` of this.
    """
    whole = clean * inputs.mask + (1 - inputs.mask) * inputs.face
    return to_frames(((whole + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1), "painted faces")


def _signed(frames: Frames, name: str) -> Tensor:
    if frames.shape[-1] != 3 or frames.shape[1] % 16 or frames.shape[2] % 16:
        raise ArrayError(f"{name} has shape {list(frames.shape)}; RGB crops of {SIZE}x{SIZE} are wanted (or another multiple of 16).")
    return to_image(frames).permute(0, 3, 1, 2) * 2 - 1
