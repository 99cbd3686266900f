"""From a blurred frame to a sharp one: the regularised inverse, BM3D of the coloured noise that it leaves, and rounds of both.

Sources: the inverse and the filter of its coloured noise: Dabov, Foi, Katkovnik and Egiazarian, "Image restoration by sparse 3D
transform-domain collaborative filtering", SPIE Electronic Imaging 6812, 2008. The rounds: half-quadratic splitting with a denoiser
for the prior (Venkatakrishnan, Bouman and Wohlberg, "Plug-and-play priors for model based reconstruction", GlobalSIP 2013), its
schedule as in Zhang et al., "Plug-and-play image restoration with deep denoiser prior", IEEE TPAMI 44(10), 2022.
"""
from __future__ import annotations

import numpy as np

from ...arrays import Frame
from ...progress import Progress, part, silent
from ..bm3d.denoise import denoise_frame
from ..bm3d.noise_model import Noise
from ..bm3d.profile import Profile
from .inverse import Blur

_INVERSE = 30.0  # the picture's power at all frequencies, for the first inverse, is taken for a thirtieth of the range squared
_SURROUND = 3  # times that the surroundings are guessed anew before the first filter
_TRUST = 0.4  # weight of the prior: the lower, the more the blurred frame is believed
_COARSE, _FINE = 30.0, 2.0  # steps of 255 that the denoiser takes away in the first and in the last round
_LEAST = 0.25  # steps of 255: a frame without noise would be inverted beyond what float32 holds


def restored(frame: Frame, blur: Blur, sigma: float, profile: Profile, rounds: int, progress: Progress = silent) -> Frame:
    """Restore one frame.

    Args:
        frame: ``[H,W,C]``, C = 1 or 3, of the size that `blur` is laid out for.
        blur: what blurred it.
        sigma: white noise added after the blur, steps of 255; less than 0.25 counts as that.
        profile: of BM3D.
        rounds: after the first inverse and filter; each inverts again with the last result as its guide, and filters.
        progress: called as the work gets done; may raise to cancel.

    Returns:
        ``[H,W,C]``, not clipped.
    """
    sigma = max(sigma, _LEAST)
    planes = [frame[..., c] for c in range(frame.shape[2])]
    inverse = blur.inverse(_INVERSE * (sigma / 255) ** 2)
    firsts = []
    for plane in planes:
        guess = blur.spectrum(blur.laid_out(plane)) * inverse
        for _ in range(_SURROUND):
            guess = blur.surrounded(plane, guess) * inverse
        firsts.append(blur.plane(guess))
    noise = blur.noise_through(inverse, sigma)
    made = _filtered(firsts, noise, profile, part(progress, 0, rounds + 1))
    levels = np.geomspace(max(_COARSE, 1.5 * sigma), max(_FINE, sigma), rounds)
    for turn, level in enumerate(levels):
        weight = np.float32(_TRUST * (sigma / level) ** 2)
        nexts = []
        for c, plane in enumerate(planes):
            guess = blur.spectrum(made[..., c])
            observed = blur.surrounded(plane, guess)
            nexts.append(blur.plane((np.conj(blur.transfer) * observed + weight * guess) / (blur.gain + weight)))
        made = _filtered(nexts, Noise(float(level)), profile, part(progress, turn + 1, rounds + 1))
    return made[blur.frame]


def _filtered(planes: list[Frame], noise: Noise, profile: Profile, progress: Progress) -> Frame:
    """Filter the whole canvas: what lies around the frame is part of the picture that is looked for."""
    return denoise_frame(np.stack(planes, axis=-1)[None], 0, noise, profile, progress=progress)
