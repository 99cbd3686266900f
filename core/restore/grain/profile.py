"""What grain a clip has, as a value: strength by luma, correlation, chroma, kind; to JSON and back."""
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...settings import SettingError
from ..noise.blocks import Floats
from ..noise.flat import LEVELS
from ..noise.spectrum import WHITE, Lags, correlation_size, lags_from, plane_of

Kind = Literal["none", "fine", "medium", "coarse", "regular pattern", "digital noise"]
KINDS: tuple[Kind, ...] = ("none", "fine", "medium", "coarse", "regular pattern", "digital noise")

_NOTHING = (0.0,) * LEVELS


class GrainError(SettingError):
    """A grain profile or grain table that cannot be read; the message says where it is wrong."""


@dataclass(frozen=True)
class GrainProfile:
    """The grain of a clip.

    Attributes:
        kind: what it looks like.
        confidence: of `kind`, 0..1.
        sigmas: standard deviation of luma grain (0..1) at LEVELS levels of luma, level i at ``(i + 1/2) / LEVELS``.
        cb_sigmas: the same of Cb (Rec. 601, full range), by luma.
        cr_sigmas: the same of Cr.
        lags: autocorrelation of luma grain.
        cb_lags: autocorrelation of Cb grain.
        cr_lags: autocorrelation of Cr grain.
        cb_luma: correlation of Cb grain with luma grain, -1..1.
        cr_luma: correlation of Cr grain with luma grain, -1..1.
        sigma: the usual standard deviation of luma grain (0..1).
        temporal: correlation of the grain of neighbouring frames: 0 is film, 1 is a frozen pattern; None: one frame cannot tell.
        pattern: cycles a pixel (down, right) of the strongest regular pattern; None: there is none.
        height: rows of the frames that it was measured on; 0: sizes hold at any.
        blocks: flat blocks that it was measured on.
        frames: frames that it was measured on.

    Raises:
        GrainError: numbers that no grain can have.
    """

    kind: Kind = "none"
    confidence: float = 1.0
    sigmas: tuple[float, ...] = _NOTHING
    cb_sigmas: tuple[float, ...] = _NOTHING
    cr_sigmas: tuple[float, ...] = _NOTHING
    lags: Lags = WHITE
    cb_lags: Lags = WHITE
    cr_lags: Lags = WHITE
    cb_luma: float = 0.0
    cr_luma: float = 0.0
    sigma: float = 0.0
    temporal: float | None = None
    pattern: tuple[float, float] | None = None
    height: int = 0
    blocks: int = 0
    frames: int = 0

    def __post_init__(self) -> None:
        """Refuse what no grain can be."""
        if self.kind not in KINDS:
            raise GrainError(f"grain: kind is {self.kind!r}; it must be one of {', '.join(KINDS)}.")
        for name in ("sigmas", "cb_sigmas", "cr_sigmas"):
            curve = getattr(self, name)
            if len(curve) != LEVELS or not all(math.isfinite(s) and s >= 0 for s in curve):
                raise GrainError(f"grain: {name} must be {LEVELS} numbers of at least 0.")
        for name in ("lags", "cb_lags", "cr_lags"):
            rows = getattr(self, name)
            reach = len(rows) - 1
            if reach < 1 or any(len(row) != 2 * reach + 1 for row in rows) or not np.isfinite(rows).all() or abs(rows[0][reach] - 1) > 1e-3:
                raise GrainError(f"grain: {name} must be L + 1 rows of 2 L + 1 numbers with 1 at lag (0, 0).")

    @property
    def size(self) -> float:
        """Give the size of a grain in px of its frames (see `spectrum.correlation_size`); white noise has 1."""
        return correlation_size(self.lags)

    @property
    def has_chroma(self) -> bool:
        """Say whether there is colour in the grain."""
        return max(*self.cb_sigmas, *self.cr_sigmas) > 0

    def sigma_at(self, luma: NDArray[Any]) -> Floats:
        """Give the standard deviation of luma grain at luma values (0..1), piecewise linear."""
        return curve_at(self.sigmas, luma)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, plain: Any) -> GrainProfile:
        """Read back what `to_json` gave.

        Raises:
            GrainError: not such an object.
        """
        names = [entry.name for entry in fields(cls)]
        if not isinstance(plain, Mapping) or not set(plain) <= set(names):
            raise GrainError(f"grain: {str(plain)[:60]!r} is no grain profile; wanted is an object with {', '.join(names)}.")
        try:
            return cls(**{name: _frozen(value) for name, value in plain.items()})
        except (TypeError, ValueError) as error:
            raise error if isinstance(error, GrainError) else GrainError(f"grain: not a grain profile ({error}).") from error

    def dumps(self) -> str:
        """Give JSON text."""
        return json.dumps(self.to_json(), indent=1)

    @classmethod
    def loads(cls, text: str) -> GrainProfile:
        """Read JSON text.

        Raises:
            GrainError: no JSON, or no grain profile.
        """
        try:
            plain = json.loads(text)
        except json.JSONDecodeError as error:
            raise GrainError(f"grain: no JSON ({error}).") from error
        return cls.from_json(plain)


def curve_at(curve: tuple[float, ...], luma: NDArray[Any]) -> Floats:
    """Read a curve over LEVELS levels at luma values; beyond the middles of the first and the last level it is level."""
    places = (np.arange(LEVELS) + 0.5) / LEVELS
    return np.asarray(np.interp(luma, places, curve))


def scaled_lags(lags: Lags, factor: float) -> Lags:
    """Give the autocorrelation of grain that is `factor` times as large."""
    if abs(factor - 1) < 1e-3:
        return lags
    reach = len(lags) - 1
    wide = max(2, math.ceil((reach + 1) * factor))
    places = np.arange(-wide, wide + 1) / factor
    # Linear between lags: the triangle around every lag has a spectrum that is nowhere negative, so the sum keeps a valid one.
    weights = np.maximum(1 - abs(places[:, None] - np.arange(-reach, reach + 1)[None]), 0)
    return lags_from((weights @ plane_of(lags) @ weights.T)[wide:])


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value
