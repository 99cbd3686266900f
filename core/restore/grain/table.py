"""AV1 film grain tables, the text that libaom and SVT-AV1 take as ``--film-grain-table`` / ``--fgs-table``: read, write, convert."""
from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..noise.blocks import LAGS, Floats
from ..noise.flat import LEVELS
from ..noise.measure import ColourNoise, Noise
from ..noise.spectrum import WHITE, Lags, causal_offsets, lags_from
from .autoregressive import SHIFTS, fitted_filter
from .classify import classify
from .profile import GrainError, GrainProfile, Kind, curve_at
from .template import template_sigma

Points = tuple[tuple[int, int], ...]

HEADER = "filmgrn1"

_FOREVER = 2**63 - 1
_GAIN_SIZE = 64  # px of the grid on which an AR filter's spectrum is sampled
_MOST = (14, 10, 10)  # points of the scaling functions of Y, Cb and Cr


@dataclass(frozen=True)
class GrainTable:
    """The film grain parameters of one segment, as AV1 sends them (AV1 specification, 6.8.20).

    Scaling points are ``(luma 0..255, scaling 0..255)``; coefficients are signed, in the order of `spectrum.causal_offsets`, chroma
    with one more for luma at their end.
    """

    points_y: Points = ()
    points_cb: Points = ()
    points_cr: Points = ()
    coeffs_y: tuple[int, ...] = ()
    coeffs_cb: tuple[int, ...] = (0,)
    coeffs_cr: tuple[int, ...] = (0,)
    ar_lag: int = 0
    ar_shift: int = 7
    scale_shift: int = 0
    scaling_shift: int = 11
    chroma_from_luma: bool = False
    overlap: bool = True
    cb_mult: int = 128
    cb_luma_mult: int = 192
    cb_offset: int = 256
    cr_mult: int = 128
    cr_luma_mult: int = 192
    cr_offset: int = 256
    seed: int = 7391
    start: int = 0
    end: int = _FOREVER

    def __post_init__(self) -> None:
        """Refuse what AV1 cannot send.

        Raises:
            GrainError: names the parameter.
        """
        taps = 2 * self.ar_lag * (self.ar_lag + 1)
        ranges = {"ar_lag": (0, 3), "ar_shift": (6, 9), "scale_shift": (0, 3), "scaling_shift": (8, 11), "seed": (0, 65535),
                  "cb_mult": (0, 255), "cb_luma_mult": (0, 255), "cb_offset": (0, 511), "cr_mult": (0, 255), "cr_luma_mult": (0, 255),
                  "cr_offset": (0, 511)}
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise GrainError(f"grain table: {name} is {getattr(self, name)}; AV1 has {low} to {high}.")
        for name, count in (("coeffs_y", taps), ("coeffs_cb", taps + 1), ("coeffs_cr", taps + 1)):
            found = getattr(self, name)
            if len(found) != count or not all(-128 <= c <= 127 for c in found):
                raise GrainError(f"grain table: {name} has {len(found)} values; ar_lag {self.ar_lag} wants {count} of -128 to 127.")
        for name, most in zip(("points_y", "points_cb", "points_cr"), _MOST, strict=True):
            points = getattr(self, name)
            rising = all(a[0] < b[0] for a, b in pairwise(points))
            if len(points) > most or not rising or not all(0 <= v <= 255 for point in points for v in point):
                raise GrainError(f"grain table: {name} must be at most {most} points of 0 to 255, the first numbers rising.")


def read_tables(text: str) -> list[GrainTable]:
    """Read the segments of a grain table.

    Raises:
        GrainError: another format, a line that is missing or has other numbers than wanted.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0][0] != HEADER:
        raise GrainError(f'grain table: it must begin with the line "{HEADER}".')
    tables: list[GrainTable] = []
    at = 1
    while at < len(lines):
        start, end, apply, seed, update = _numbers(lines, at, "E", 5)
        at += 1
        table = replace(tables[-1], seed=seed, start=start, end=end) if tables else GrainTable(seed=seed, start=start, end=end)
        if update:
            lag, shift, scale, scaling, from_luma, overlap, *mults = _numbers(lines, at, "p", 12)
            y, cb, cr = (_points(lines, at + 1 + n, name) for n, name in enumerate(("sY", "sCb", "sCr")))
            of_y, of_cb, of_cr = (tuple(_numbers(lines, at + 4 + n, name, 2 * lag * (lag + 1) + (n > 0)))
                                  for n, name in enumerate(("cY", "cCb", "cCr")))
            table = GrainTable(y, cb, cr, of_y, of_cb, of_cr, lag, shift, scale, scaling, bool(from_luma), bool(overlap),
                               mults[0], mults[1], mults[2], mults[3], mults[4], mults[5], seed, start, end)
            at += 7
        tables.append(table if apply else GrainTable(seed=seed, start=start, end=end))
    if not tables:
        raise GrainError("grain table: it has no segment (a line that begins with E).")
    return tables


def write_tables(tables: list[GrainTable]) -> str:
    """Give the text of a grain table."""
    lines = [HEADER]
    for t in tables:
        lines.append(f"E {t.start} {t.end} 1 {t.seed} 1")
        lines.append(f"\tp {t.ar_lag} {t.ar_shift} {t.scale_shift} {t.scaling_shift} {int(t.chroma_from_luma)} {int(t.overlap)} "
                     f"{t.cb_mult} {t.cb_luma_mult} {t.cb_offset} {t.cr_mult} {t.cr_luma_mult} {t.cr_offset}")
        for name, points in (("sY", t.points_y), ("sCb", t.points_cb), ("sCr", t.points_cr)):
            lines.append(" ".join([f"\t{name} {len(points)}", *(f"{x} {y}" for x, y in points)]))
        for name, coeffs in (("cY", t.coeffs_y), ("cCb", t.coeffs_cb), ("cCr", t.coeffs_cr)):
            lines.append(" ".join([f"\t{name}", *map(str, coeffs)]))
    return "\n".join(lines) + "\n"


def table_of(grain: GrainProfile, seed: int = 7391, lag: int = 3) -> GrainTable:
    """Give the AV1 parameters of a measured grain: AR filters by its spectra, scaling by its strength over luma.

    The template's standard deviation follows from the filter; the scaling makes up for it, so that the decoded strength is right.
    """
    planes = (grain.lags, grain.cb_lags, grain.cr_lags) if grain.has_chroma else (grain.lags,) * 3
    # All planes have the same shifts: luma's error counts as much as both others', and the loudest filter must not be cut off.
    shift = min(SHIFTS, key=lambda n: sum(w * fitted_filter(own, lag, n).error for own, w in zip(planes, (2, 1, 1), strict=True)))
    filters = [fitted_filter(own, lag, shift) for own in planes]
    scale = max(made.scale_shift for made in filters)
    coeffs, cb, cr = (made.coeffs for made in filters)
    spread, cb_spread, cr_spread = (template_sigma(own, lag, shift, scale) for own in (coeffs, cb, cr))
    curves = (grain.sigmas, grain.cb_sigmas, grain.cr_sigmas)
    wanted = [[255 * s * 2048 / gain for s in curve] for curve, gain in zip(curves, (spread, cb_spread, cr_spread), strict=True)]
    scaling = 11
    while scaling > 8 and max(map(max, wanted)) > 255:
        wanted, scaling = [[v / 2 for v in row] for row in wanted], scaling - 1
    y_points, cb_points, cr_points = (_scaling(row, most) for row, most in zip(wanted, _MOST, strict=True))
    return GrainTable(y_points, cb_points, cr_points, coeffs, (*cb, 0), (*cr, 0), lag, shift, scale, scaling, seed=seed)


def profile_of_table(table: GrainTable) -> GrainProfile:
    """Give the grain that a decoder makes of AV1 parameters; chroma strength is taken over luma."""
    lags, spread = _filtered(table.coeffs_y, table)
    cb_lags, cb_spread = _filtered(table.coeffs_cb[:-1], table)
    cr_lags, cr_spread = _filtered(table.coeffs_cr[:-1], table)
    chroma = (table.points_y, table.points_y) if table.chroma_from_luma else (table.points_cb, table.points_cr)
    unit = 1 / 2**table.scaling_shift / 255
    luma = _curve(table.points_y, unit * spread)
    cb, cr = _curve(chroma[0], unit * cb_spread), _curve(chroma[1], unit * cr_spread)
    usual = float(np.median([s for s in luma if s > 0] or [0.0]))
    made = GrainProfile("none", 1.0, luma, cb, cr, lags, cb_lags, cr_lags, sigma=round(usual, 7), temporal=0.0)
    return replace(made, kind=_kind(made))


def _kind(grain: GrainProfile) -> Kind:
    cb, cr = (Noise(float(np.median(curve))) for curve in (grain.cb_sigmas, grain.cr_sigmas))
    return classify(ColourNoise(Noise(grain.sigma, grain.sigmas, grain.lags, 1000), cb, cr), 1080)[0]


def _filtered(coeffs: tuple[int, ...], table: GrainTable) -> tuple[Lags, float]:
    """Give the autocorrelation and the standard deviation (steps of 255) of the template that an AR filter makes."""
    sigma = template_sigma(coeffs, table.ar_lag, table.ar_shift, table.scale_shift)
    if not coeffs:
        return WHITE, sigma
    power = _power(coeffs, table.ar_lag, table.ar_shift)
    covariance = np.fft.ifft2(power).real
    offsets = np.arange(-LAGS, LAGS + 1)
    return lags_from(covariance[np.ix_(offsets % _GAIN_SIZE, offsets % _GAIN_SIZE)][LAGS:]), sigma


def _power(coeffs: tuple[int, ...], lag: int, shift: int) -> Floats:
    """Give the power gain of an AR filter over frequency, ``[_GAIN_SIZE,_GAIN_SIZE]``."""
    kernel = np.zeros((_GAIN_SIZE, _GAIN_SIZE))
    kernel[0, 0] = 1
    for (y, x), coefficient in zip(causal_offsets(lag), coeffs, strict=True):
        kernel[-y % _GAIN_SIZE, -x % _GAIN_SIZE] -= coefficient / 2**shift
    return np.asarray(1 / np.maximum(abs(np.fft.fft2(kernel)) ** 2, 1e-4))


def _scaling(wanted: list[float], most: int) -> Points:
    """Put a curve over LEVELS levels into at most `most` points."""
    if max(wanted) < 0.5:
        return ()
    places = np.linspace(0.5 / LEVELS, 1 - 0.5 / LEVELS, most)
    values = curve_at(tuple(wanted), places)
    return tuple((round(255 * float(x)), int(np.clip(round(float(v)), 0, 255))) for x, v in zip(places, values, strict=True))


def _curve(points: Points, unit: float) -> tuple[float, ...]:
    if not points:
        return (0.0,) * LEVELS
    luma = (np.arange(LEVELS) + 0.5) / LEVELS * 255
    return tuple(round(float(v) * unit, 7) for v in np.interp(luma, [x for x, _ in points], [y for _, y in points]))


def _points(lines: list[list[str]], at: int, name: str) -> Points:
    numbers = _numbers(lines, at, name, None)
    if not numbers or len(numbers) != 1 + 2 * numbers[0]:
        raise GrainError(f"grain table, line {at + 1}: {name} must be a count and that many pairs of numbers.")
    return tuple(zip(numbers[1::2], numbers[2::2], strict=True))


def _numbers(lines: list[list[str]], at: int, name: str, count: int | None) -> list[int]:
    if at >= len(lines) or lines[at][0] != name:
        found = f'"{lines[at][0]}"' if at < len(lines) else "the end"
        raise GrainError(f'grain table, line {at + 1}: a line that begins with "{name}" is wanted, {found} is there.')
    try:
        numbers = [int(word) for word in lines[at][1:]]
    except ValueError as error:
        raise GrainError(f"grain table, line {at + 1}: whole numbers are wanted ({error}).") from error
    if count is not None and len(numbers) != count:
        raise GrainError(f"grain table, line {at + 1}: {name} has {len(numbers)} numbers; {count} are wanted.")
    return numbers


