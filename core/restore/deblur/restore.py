"""From a blurred frame to a sharp one: the regularised inverse, BM3D of the coloured noise that it leaves, and rounds of both.

Sources: the inverse and the filter of its coloured noise: Dabov, Foi, Katkovnik and Egiazarian, "Image restoration by sparse 3D
transform-domain collaborative filtering", SPIE Electronic Imaging 6812, 2008. The rounds: half-quadratic splitting with a denoiser
for the prior (Venkatakrishnan, Bouman and Wohlberg, "Plug-and-play priors for model based reconstruction", GlobalSIP 2013), its
schedule as in Zhang et al., "Plug-and-play image restoration with deep denoiser prior", IEEE TPAMI 44(10), 2022. That the frame's
surroundings are unknown: Almeida and Figueiredo, "Deconvolving images with unknown boundaries using the alternating direction method
of multipliers", IEEE TIP 22(8), 2013.
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
_COARSE, _FINE = 80.0, 4.0  # steps of 255 that the denoiser takes away in the first and in the last round
_STEPS = 8  # of conjugate gradients a round: how far the surroundings follow
_LEAST = 0.75  # steps of 255: frames without noise need as many rounds of that until their surroundings are found
_CERTAIN = 4  # standard deviations of noise beyond 0..1 that show that the picture itself goes there


def restored(frame: Frame, blur: Blur, sigma: float, profile: Profile, rounds: int, progress: Progress = silent) -> Frame:
    """Restore one frame.

    Args:
        frame: ``[H,W,C]``, C = 1 or 3, of the size that `blur` is laid out for.
        blur: what blurred it.
        sigma: white noise added after the blur, steps of 255; less than 0.75 counts as that.
        profile: of BM3D.
        rounds: after the first inverse and filter; each inverts again with the last result as its guide, and filters.
        progress: called as the work gets done; may raise to cancel.

    Returns:
        ``[H,W,C]`` within 0..1, or farther where the frame goes there by more than its noise.
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
    beyond = _CERTAIN * sigma / 255
    bounds = min(0.0, float(frame.min()) + beyond), max(1.0, float(frame.max()) - beyond)
    noise = blur.noise_through(inverse, sigma)
    made = _filtered(firsts, noise, profile, bounds, part(progress, 0, rounds + 1))
    levels = np.geomspace(max(_COARSE, 1.5 * sigma), max(_FINE, sigma), rounds)
    for turn, level in enumerate(levels):
        weight = _TRUST * (sigma / float(level)) ** 2
        nexts = [blur.plane(blur.agreed(plane, blur.spectrum(made[..., c]), weight, _STEPS)) for c, plane in enumerate(planes)]
        made = _filtered(nexts, Noise(float(level)), profile, bounds, part(progress, turn + 1, rounds + 1))
    return made[blur.frame]


def _filtered(planes: list[Frame], noise: Noise, profile: Profile, bounds: tuple[float, float], progress: Progress) -> Frame:
    """Filter the whole canvas: what lies around the frame is part of the picture that is looked for, and within the same bounds."""
    made = denoise_frame(np.stack(planes, axis=-1)[None], 0, noise, profile, progress=progress)
    return np.clip(made, *bounds, out=made)
