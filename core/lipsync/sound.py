"""What each video frame hears: sixteen mel columns, found by time and not by counting frames, at any frame rate."""
from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Waveform, as_float32
from ..audio.mel import STANDARD, Mel, mel_spectrogram
from ..audio.speech import Speech
from ..audio.windows import WIDTH
from ..progress import Progress, silent
from ..settings import SettingError

LEAD = Fraction(1, 25)
"""How long before a frame its window begins, s: the one frame at 25 a second that the published front-end looks back."""

SILENCE = -STANDARD.top
"""The mel of digital silence. (Zero would be a loud hum: the middle of the scale.)"""


@dataclass(frozen=True)
class LipSound:
    """The mel of a voice, ``[80,T]``, as a value. `seconds` is how long the sound is, exactly."""

    mel: Mel = field(repr=False, hash=False, compare=False)
    seconds: Fraction = Fraction(0)
    packed: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Pack the mel, so that sounds compare and hash by value.

        Raises:
            SettingError: it is no mel of 80 bands.
        """
        mel = as_float32(self.mel)
        if mel.ndim != 2 or mel.shape[0] != STANDARD.bands or not mel.shape[1] or not np.isfinite(mel).all():
            raise SettingError(f"The mel has shape {list(mel.shape)}; {STANDARD.bands} finite bands by at least one column are wanted.")
        object.__setattr__(self, "mel", mel)
        object.__setattr__(self, "packed", zlib.compress(mel.astype("<f4").tobytes(), 1))

    def frames(self, fps: Fraction) -> int:
        """Count the video frames that begin before the sound ends, at least 1."""
        return max(1, -(-self.seconds * fps // 1))

    def windows(self, first: int, last: int, fps: Fraction) -> NDArray[np.float32]:
        """Cut the windows of frames first..last-1, by absolute index; silence lies beyond the end.

        Returns:
            ``[last-first,80,16]`` float32.
        """
        columns = self.mel.shape[1]
        cut = np.full((last - first, STANDARD.bands, WIDTH), SILENCE, np.float32)
        for i in range(first, last):
            start = window_start(i, fps)
            known = max(0, min(WIDTH, columns - start))
            cut[i - first, :, :known] = self.mel[:, start : start + known]
        return cut

    def to_json(self) -> dict[str, Any]:
        """Give the mel as zlib-packed little-endian float32 in base64, and the length."""
        return {"columns": self.mel.shape[1], "seconds": str(self.seconds), "mel": base64.b64encode(self.packed).decode("ascii")}

    @classmethod
    def from_json(cls, plain: Any) -> LipSound:
        """Read back what `to_json` gave.

        Raises:
            SettingError: it is no such thing.
        """
        try:
            values = np.frombuffer(zlib.decompress(base64.b64decode(plain["mel"])), "<f4")
            return cls(values.reshape(STANDARD.bands, int(plain["columns"])), Fraction(plain["seconds"]))
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise SettingError(f"This is no packed mel ({error}).") from error


def window_start(index: int, fps: Fraction) -> int:
    """Give the first mel column that frame `index` hears: ``floor(80 * max(index / fps - 0.04 s, 0))``.

    At 25 frames a second that is the published ``floor(3.2 * max(index - 1, 0))``; at other rates it keeps the published time, where
    counting frames would move the lips by up to 40 ms.
    """
    return int(max(Fraction(index) / fps - LEAD, Fraction(0)) * STANDARD.columns_per_second)


def hear_waveform(waveform: Waveform, rate: int, progress: Progress = silent) -> LipSound:
    """Listen to a waveform ``[C,T]`` of any rate (Hz) and channel count.

    Raises:
        ArrayError: no samples.
    """
    return LipSound(mel_spectrogram(waveform, rate, progress=progress), Fraction(waveform.shape[1], rate))


def hear_speech(speech: Speech) -> LipSound:
    """Take the mel of encoded speech, whatever its mode; its frame rate plays no part."""
    return LipSound(speech.mel, Fraction(speech.sound.shape[1], speech.sample_rate))
