import numpy as np
import pytest
from speech_made import RATE

from talkies.core.audio.mel import ENHANCED, STANDARD, mel_spectrogram
from talkies.core.audio.spectrogram import spectrogram_picture


def tone(hz, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(2 * rate) / rate)).astype(np.float32)[None]


def brightest_row(picture):
    """Row of the picture where the plot is brightest, axes and colour bar left out."""
    height, width = picture.shape[:2]
    inner = picture[:, width // 4 : width // 2].sum(axis=2).mean(axis=1)
    inner[: height // 15] = 0
    return int(inner[: int(0.86 * height)].argmax())


@pytest.mark.parametrize("preset", [STANDARD, ENHANCED], ids=lambda p: p.name)
def test_a_higher_tone_is_drawn_higher(preset):
    mels = [mel_spectrogram(tone(hz, preset.sample_rate), preset.sample_rate, preset) for hz in (300, 1000, 4000)]
    rows = [brightest_row(spectrogram_picture(mel, preset)) for mel in mels]
    assert rows[0] > rows[1] > rows[2]


def test_later_sound_is_drawn_further_right():
    sound = np.zeros((1, 4 * RATE), np.float32)
    sound[0, 3 * RATE :] = tone(1000)[0, :RATE]
    picture = spectrogram_picture(mel_spectrogram(sound, RATE))
    columns = picture[60:400].sum(axis=(0, 2))
    width = picture.shape[1]
    assert columns[int(0.74 * width) : int(0.9 * width)].mean() > 3 * columns[int(0.2 * width) : int(0.6 * width)].mean()


@pytest.mark.parametrize(("width", "height"), [(1280, 480), (400, 200)])
@pytest.mark.parametrize("columns", [1, 16, 20_000])
def test_size_range_and_dtype(columns, width, height):
    mel = np.random.default_rng(0).uniform(-4, 4, (80, columns)).astype(np.float32)
    picture = spectrogram_picture(mel, width=width, height=height, title="title")
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_axes_are_labelled():
    """The strip left of the plot and the one under it hold ink."""
    picture = spectrogram_picture(np.full((80, 100), -4, np.float32))
    assert (picture[60:400, :50] > 0.6).any()
    assert (picture[-40:, 100:1100] > 0.6).any()
