"""Speech: the mel and the encoder against the plain way, noise reduction against noisereduce, levels against pyloudnorm.

    python -m benchmarks.audio [prepare] [encode] [denoise] [level] [--speech FOLDER] [--minutes 10]

Without names, all of them. FOLDER holds talk_hb.wav (16 kHz mono); by default ../shared/media. Figures are printed as tables.
noisereduce, pyloudnorm and onnxruntime are used where installed.
"""
from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from scipy.io import wavfile

from talkies.core.arrays import to_waveform
from talkies.core.audio.clean.denoise import denoise
from talkies.core.audio.clean.dynamics import compress
from talkies.core.audio.clean.loudness import integrated_loudness, level, true_peak
from talkies.core.audio.encoder import AudioEncoder, fold
from talkies.core.audio.mel import mel_spectrogram
from talkies.core.audio.network_export import OnnxEncoder, export_onnx
from talkies.core.audio.windows import cut_windows, window_starts
from talkies.core.measure.audio import loudness_spread, mel_distance, segmental_snr, si_sdr

ROOT = Path(__file__).resolve().parents[1]
RATE = 16000


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Give the median time of a few runs, after one to warm up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peak_rss() -> float:
    """Give the highest memory use of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def speech_of(folder: Path) -> np.ndarray:
    rate, samples = wavfile.read(folder / "talk_hb.wav")
    if rate != RATE:
        raise SystemExit(f"talk_hb.wav has {rate} Hz; {RATE} is wanted.")
    return to_waveform(samples)


def prepare(speech: np.ndarray, minutes: float) -> None:
    """Mel and windows of long sounds, against a copy of the whole mel for every window."""
    print("\nmel + windows        ours      per-window copy   ratio   RSS growth")
    longest = None
    before = peak_rss()
    for length in sorted({1.0, 2.0, 5.0, minutes}):
        samples = int(length * 60 * RATE)
        sound = np.tile(speech, (1, -(-samples // speech.shape[1])))[:, :samples].copy()

        def ours(sound: np.ndarray = sound) -> float:
            mel = mel_spectrogram(sound, RATE)
            starts = window_starts(mel.shape[1], Fraction(25))
            return sum(float(cut_windows(mel, starts[i : i + 64])[0, 0, 0, 0]) for i in range(0, len(starts), 64))

        def copies(sound: np.ndarray = sound) -> float:
            mel = mel_spectrogram(sound, RATE).astype(np.float64)
            total = 0.0
            for start in window_starts(mel.shape[1], Fraction(25)):
                total += float(mel.copy()[:, start : start + 16].astype(np.float32)[0, 0])
            return total

        fast = seconds(ours, 3)
        growth = peak_rss() - before
        start = time.perf_counter()
        copies()
        slow = time.perf_counter() - start
        print(f"{length:5.1f} min        {fast:8.3f} s   {slow:10.2f} s   {slow / fast:8.1f}x   {growth:6.0f} MB   "
              f"{1e3 * fast / length:6.1f} ms a minute")
        longest = fast, slow, growth
    if longest:
        print(f"target at the longest: >= 12x (is {longest[1] / longest[0]:.1f}x), <= 250 MB (is {longest[2]:.0f} MB)")


def encode(_: np.ndarray, __: float) -> None:
    """The folded encoder against the plain module, and ONNX."""
    torch.manual_seed(0)
    plain = AudioEncoder().eval()
    folded = fold(plain)
    windows = torch.empty(64, 1, 80, 16).uniform_(-4, 4)
    works: dict[str, Callable[[], np.ndarray]] = {
        "plain module": lambda: plain(windows).numpy(), "folded": lambda: folded(windows).numpy()}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
            encoder = OnnxEncoder(export_onnx(folded, Path(folder) / "e.onnx"), threads=torch.get_num_threads())
            given = windows.numpy()
            works["onnxruntime"] = lambda: encoder(given)
        times: dict[str, list[float]] = {name: [] for name in works}
        # Turn by turn, so that other work on the machine slows all of them alike.
        for turn in range(22):
            for name, work in works.items():
                start = time.perf_counter()
                work()
                if turn > 1:
                    times[name].append(time.perf_counter() - start)
        wanted = works["plain module"]()
        print(f"\nencoder, batch 64, {torch.get_num_threads()} threads; target of folded: 1.4x; of onnxruntime's difference: 1e-5")
        print(f"{'':16}{'fastest':>12}{'':8}{'median':>12}{'':8}{'largest difference from plain':>32}")
        plainly = times["plain module"]
        for name, each in times.items():
            print(f"{name:16}{1e3 * min(each):9.1f} ms {min(plainly) / min(each):5.2f}x {1e3 * np.median(each):10.1f} ms "
                  f"{np.median(plainly) / np.median(each):5.2f}x {np.abs(works[name]() - wanted).max():>32.1e}")


def noisy(clean: np.ndarray, colour: str, snr: float | np.ndarray, seed: int = 1) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(clean.shape[1])
    if colour == "pink":
        spectrum = np.fft.rfft(white)
        spectrum[0] = 0
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        white = np.fft.irfft(spectrum, len(white))
    voice = clean[0].astype(np.float64)
    scale = np.sqrt((voice @ voice) / (white @ white)) * 10 ** (-np.asarray(snr) / 20)
    return (voice + scale * white).astype(np.float32)[None]


def reduce(speech: np.ndarray, _: float) -> None:
    """SI-SDR gain, segmental SNR gain and mel distance, side by side with noisereduce."""
    clean = speech[:, : 15 * RATE].copy()
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ours, wiener": lambda x: denoise(x, RATE)[0], "ours, log-mmse": lambda x: denoise(x, RATE, method="log-mmse")[0],
        "ours, fixed": lambda x: denoise(x, RATE, fixed=True)[0],
    }
    if importlib.util.find_spec("noisereduce"):
        import noisereduce

        for name, stationary in (("noisereduce stationary", True), ("noisereduce non-st.", False)):
            methods[name] = lambda x, s=stationary: noisereduce.reduce_noise(x[0], sr=RATE, stationary=s).astype(np.float32)[None]
    half = clean.shape[1] // 2
    switch = np.repeat([15.0, 0.0], [half, clean.shape[1] - half])
    ramp = np.linspace(20, 0, clean.shape[1])
    cases = [(f"{c} {s} dB", c, s, 1) for c in ("white", "pink") for s in (0, 5, 10)]
    cases += [("white 15->0", "white", switch, 2), ("pink 15->0", "pink", switch, 2), ("white ramp", "white", ramp, 2)]
    targets = dict(zip([c[0] for c in cases], (9, 8, 6, 6, 5, 4.5, "fixed+3", "fixed+3", ""), strict=True))
    print("\ngain in SI-SDR dB / in segmental SNR dB / mel distance (noisy mel distance first)")
    print(f"{'':22}{'target':>8}" + "".join(f"{name:>26}" for name in methods))
    for title, colour, snr, seed in cases:
        dirty = noisy(clean, colour, snr, seed)
        base = si_sdr(dirty, clean), segmental_snr(dirty, clean, RATE), mel_distance(dirty, clean, RATE)
        cells = []
        for method in methods.values():
            made = method(dirty)
            gains = si_sdr(made, clean) - base[0], segmental_snr(made, clean, RATE) - base[1]
            cells.append(f"{gains[0]:6.2f} /{gains[1]:6.2f} / {mel_distance(made, clean, RATE):.2f}")
        print(f"{title:14}({base[2]:5.2f}) {targets[title]!s:>8}" + "".join(f"{cell:>26}" for cell in cells))
    print(f"{'clean, SI-SDR':22}{'>= 35':>8}" + "".join(f"{si_sdr(method(clean), clean):>26.1f}" for method in methods.values()))
    times = [seconds(lambda m=method: m(clean), 3) for method in methods.values()]
    print(f"{'s per 15 s of sound':22}{'':>8}" + "".join(f"{t:>26.3f}" for t in times))


def levels(speech: np.ndarray, _: float) -> None:
    """Loudness against pyloudnorm, reaching a target, and the spread of stepped segments."""
    clean = speech[:, : 15 * RATE].copy()
    if importlib.util.find_spec("pyloudnorm"):
        import pyloudnorm

        theirs = pyloudnorm.Meter(RATE).integrated_loudness(speech[0].astype(np.float64))
        print(f"\nloudness of the clip: {integrated_loudness(speech, RATE):.3f} LUFS, pyloudnorm {theirs:.3f} (target within 0.1)")
    for target in (-23, -16, -14):
        made, done = level(speech, RATE, target)
        peak = true_peak(made, RATE)
        print(f"to {target} LUFS: {done.after:.2f}, true peak {peak:.2f} dB, peaks turned down by up to {done.limited:.1f} dB")
    for steps in ((0, -12, -24), (-12, -24, 0), (0, -24, -12)):
        stepped = clean * np.repeat(10 ** (np.array(steps) / 20), 5 * RATE).astype(np.float32)
        made = compress(stepped, RATE, 1.0)[0]
        each = [integrated_loudness(made[:, i * 5 * RATE : (i + 1) * 5 * RATE], RATE) for i in range(3)]
        print(f"segments at {steps} dB: spread {loudness_spread(stepped, RATE):.1f} -> {loudness_spread(made, RATE):.1f} LU (target 7), "
              f"between segments {max(each) - min(each):.1f} LU")


PARTS = {"prepare": prepare, "encode": encode, "denoise": reduce, "level": levels}


def main(arguments: list[str]) -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--speech", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    torch.set_num_threads(2)
    speech = speech_of(options.speech)
    for name in options.parts or PARTS:
        PARTS[name](speech, options.minutes)


if __name__ == "__main__":
    main(sys.argv[1:])
