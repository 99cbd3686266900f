"""The noise of a clip, measured once over its frames: what `sigma` 0 and correlated noise ask for."""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Frame, as_float32, as_float64
from ...operation import Numbered
from ...progress import Progress, silent
from ...settings import SettingError
from ..noise.measure import Samples, measure_samples, sample
from ..noise.ratio import luma_over_chroma
from ..noise.spectrum import WHITE, Lags, plane_of, radial_spectrum
from .colour import ColourSpace, to_planes
from .noise_model import LAGS, Correlation, Noise

_ALIKE, _MOST_TEXTURE = 1.3, 2.5  # times luma's level may lie below and above chroma's for noise of one process in R, G and B
_WHITE, _TEXTURE = 0.1, 0.4  # correlations of neighbours: below the one chroma's noise is white, above the other luma's surely is not
_LESS = 0.1  # that the correlation of luma's neighbours may lie below that of chroma's
_NEAR = 1.2  # times the level so read may lie below and above chroma's to be taken for the same
_ABOVE = 1.05  # times the level that its ratio to chroma says: from there on luma was measured on texture
_PART = 0.3  # of the noise's power lies in the bands that its level is read from
_FIRST, _STEP, _MOST = 8, 16, 64  # all of the first frames are measured, then every so many, up to so many in all


@dataclass(frozen=True)
class MeasuredNoise:
    """The noise of a clip in the orthonormal colour space that BM3D works in.

    Attributes:
        sigma: standard deviation of luma (or of gray), steps of 255.
        chroma_sigma: the same, the root mean square of the two chromas; of luma where there is no colour.
        lags: autocorrelation of luma, as `noise.spectrum.Lags`.
        chroma_lags: the same of the louder chroma.
    """

    sigma: float
    chroma_sigma: float
    lags: Lags = WHITE
    chroma_lags: Lags = WHITE

    def noise(self, sigma: float, *, correlated: bool, luma: float = 1.0, chroma: float = 1.0) -> Noise:
        """Give the noise to remove.

        Args:
            sigma: the level to remove, steps of 255; 0 takes the measured ones, of luma and of chroma.
            correlated: count with the measured correlation, or take the noise for white.
            luma: multiplies the level of luma.
            chroma: multiplies the level of chroma.
        """
        levels = (sigma or self.sigma) * luma, (sigma or self.chroma_sigma) * chroma
        if not correlated:
            return Noise(*levels)
        return Noise(*levels, correlation_of_lags(self.lags), correlation_of_lags(self.chroma_lags))

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, plain: Any) -> MeasuredNoise:
        """Read back what `to_json` gave.

        Raises:
            SettingError: not such JSON.
        """
        try:
            lags, chroma_lags = (tuple(tuple(float(value) for value in row) for row in plain[name]) for name in ("lags", "chroma_lags"))
            made = cls(float(plain["sigma"]), float(plain["chroma_sigma"]), lags, chroma_lags)
            made.noise(0, correlated=True)  # refuses what is no level and no autocorrelation
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SettingError(f"measured: not a measured noise ({error}).") from error
        return made


def correlation_of_lags(lags: Lags) -> Correlation:
    """Bring an autocorrelation to shifts of -7 to 7 px; what it does not reach to is 0."""
    whole = plane_of(lags)
    whole = (whole + whole[::-1, ::-1]) / 2
    table = np.zeros((2 * LAGS + 1, 2 * LAGS + 1))
    middle = whole.shape[0] // 2
    reach = min(middle, LAGS)
    near = whole[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    table[LAGS - reach : LAGS + reach + 1, LAGS - reach : LAGS + reach + 1] = near
    return as_float64(table)


def measured_noise(clip: Iterable[Numbered], space: ColourSpace = "opponent", progress: Progress = silent) -> MeasuredNoise:
    """Measure the noise of a clip, all frames together, so that the result is one and does not flicker.

    Of a long clip some frames are looked at, by their index alone: where the clip is cut does not show.

    Args:
        clip: consecutive numbered runs of frames ``[B,H,W,C]``, 0..1.
        space: the colour space of BM3D.
        progress: called frame by frame.
    """
    samples: list[Samples] = []
    colours = 1
    for start, frames in clip:
        if len(samples) >= _MOST:
            break  # the rest of a long clip need not be read
        colours = min(frames.shape[-1], 3)
        for index, frame in enumerate(frames, start):
            if (index < _FIRST or index % _STEP == 0) and len(samples) < _MOST:
                samples.append(sample(_planes(frame, space)))
            progress(index + 1, 0)
    found = measure_samples(samples)
    if colours == 1:
        return MeasuredNoise(255 * found.luma.sigma, 255 * found.luma.sigma, found.luma.lags, found.luma.lags)
    chroma = 255 * math.sqrt((found.cb.sigma**2 + found.cr.sigma**2) / 2)
    louder = found.cb if found.cb.sigma > found.cr.sigma else found.cr
    measured = _as_its_chroma(MeasuredNoise(255 * math.sqrt(3) * found.luma.sigma, chroma, found.luma.lags, louder.lags))
    ratio = luma_over_chroma(samples)
    if ratio is None:
        return measured
    louder_by = math.sqrt(3) * ratio
    told = chroma if 1 / _NEAR < louder_by < _NEAR else louder_by * chroma
    if measured.sigma <= _ABOVE * told:
        return measured
    return MeasuredNoise(told, chroma, louder.lags, louder.lags)  # measured on texture, whose shape says nothing of the noise either


def _as_its_chroma(found: MeasuredNoise) -> MeasuredNoise:
    """Take fine texture out of the measure of luma where chroma, which has less of it, can speak for both.

    Noise of one process in R, G and B has the same spectrum in luma and in chroma, up to its level, and where it is white and about as
    strong the same level too. Texture only adds to luma's spectrum, in some bands more than in others, so where the two are nearest the
    level can be read. Luma whose noise hangs together less than that of chroma, as in video whose colour is stored at half the size,
    has a process of its own and stays as it was measured.
    """
    if not (found.chroma_sigma > 0 and 1 / _ALIKE < found.sigma / found.chroma_sigma < _MOST_TEXTURE):
        return found
    luma, chroma = neighbour_correlation(found.lags), neighbour_correlation(found.chroma_lags)
    if chroma <= _WHITE and luma <= _TEXTURE and found.sigma < _ALIKE * found.chroma_sigma:
        return MeasuredNoise(found.chroma_sigma, found.chroma_sigma)
    if luma < chroma - _LESS:
        return found
    of_luma, of_chroma = (np.array(radial_spectrum(lags)) for lags in (found.lags, found.chroma_lags))
    power = of_chroma * np.arange(1, 2 * len(of_chroma), 2)  # a ring's, its circumference counted
    nearest = np.argsort(of_luma / of_chroma)
    nearest = nearest[: 1 + int(np.searchsorted(np.cumsum(power[nearest]), _PART * power.sum()))]
    share = float((of_luma * power / of_chroma)[nearest].sum() / power[nearest].sum())
    level = found.sigma * math.sqrt(min(share, 1.0))
    if 1 / _NEAR < level / found.chroma_sigma < _NEAR:  # two measures of one level, or of two a tenth from their mean
        level = math.sqrt(level * found.chroma_sigma)
    return MeasuredNoise(level, found.chroma_sigma, found.chroma_lags, found.chroma_lags)


def neighbour_correlation(lags: Lags) -> float:
    """Give the correlation one pixel right and one pixel down, the mean of the two; 0 is white."""
    whole = plane_of(lags)
    row, column = whole.shape[0] // 2, whole.shape[1] // 2
    return float(whole[row, column + 1] + whole[row + 1, column]) / 2


def _planes(frame: Frame, space: ColourSpace) -> list[Frame]:
    """Give luma, brought to 0..1 by the root of 3, and the two chromas as they are; or the one plane of gray."""
    if frame.shape[2] == 1:
        return [as_float32(frame[..., 0])]
    luma, *chromas = to_planes(as_float32(frame[..., :3]), space)
    return [as_float32(luma / math.sqrt(3)), *(as_float32(plane) for plane in chromas)]
