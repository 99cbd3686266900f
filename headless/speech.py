"""The command line's speech commands: clean-speech, export-reference, validate-reference."""
from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import soundfile

from ..core.arrays import Waveform, contiguous, to_waveform
from ..core.audio.clean.chain import CleanSpeech
from ..core.audio.export import TOLERANCE
from ..core.audio.export import export_reference as write_reference
from ..core.audio.validate import validate_reference as compare_reference
from ..core.audio.windows import frame_rate
from ..host.progress import node_progress
from ..host.speech import NO_CHECKPOINT, encode_speech
from ..host.speech_export import export_networks


def add_clean_speech(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``talkies clean-speech``."""
    parser.add_argument("source", type=Path, help="the voice track: .wav, .flac, .ogg or .mp3")
    parser.add_argument("target", type=Path, help="where the cleaned one goes: .wav or .flac")
    parser.add_argument("--denoise", nargs="?", type=float, const=1.0, default=0.0, metavar="SHARE", help="turn noise down, 0 to 1 (1)")
    parser.add_argument("--method", choices=("wiener", "log-mmse"), default="wiener", help="how noise and speech are told apart")
    parser.add_argument("--compress", nargs="?", type=float, const=1.0, default=0.0, metavar="SHARE", help="even out the level, 0 to 1 (1)")
    parser.add_argument("--level", nargs="?", type=float, const=-16.0, default=None, metavar="LUFS", help="bring to this loudness (-16)")
    parser.add_argument("--report", type=Path, help="write the figures before and after as JSON")


def clean_speech(args: argparse.Namespace) -> int:
    """Run ``talkies clean-speech``; gives the exit code."""
    clean = CleanSpeech(denoise=args.denoise, method=args.method, compress=args.compress, level=args.level is not None,
                        target=-16.0 if args.level is None else args.level)
    sound, rate = read_sound(args.source)
    made, report = clean(sound, rate, node_progress("clean-speech"))
    if clean.identity and args.source.suffix.lower() == args.target.suffix.lower():
        if args.source.resolve() != args.target.resolve():
            shutil.copyfile(args.source, args.target)
    else:
        kind = soundfile.info(str(args.source)).subtype
        usable = soundfile.check_format(args.target.suffix[1:].upper(), kind)
        soundfile.write(str(args.target), made.T, rate, subtype=kind if usable else None)
    if args.report:
        args.report.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    print(report.to_text())
    return 0


def add_export_reference(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``talkies export-reference``."""
    parser.add_argument("source", type=Path, help="the speech: .wav, .flac, .ogg or .mp3")
    parser.add_argument("folder", type=Path, help="where the data set goes; an earlier one there is replaced")
    parser.add_argument("--checkpoint", type=Path, default=Path(NO_CHECKPOINT), help="the network's file (ave: audio_visual_encoder.pth)")
    parser.add_argument("--mode", choices=("ave", "hubert", "wenet"), default="ave", help="which features")
    parser.add_argument("--features", type=Path, help="precomputed features (.npy) in place of a network")
    parser.add_argument("--fps", default="25", help="video frames a second: 25, 29.97, 30000/1001 ... (25)")
    parser.add_argument("--frames", type=int, help="how many video frames (what the sound gives)")
    parser.add_argument("--border", choices=("zeros", "edge", "legacy"), default="zeros", help="what frames hear beyond the ends (zeros)")
    parser.add_argument("--onnx", action="store_true", help="also write AudioEncoder.onnx")
    parser.add_argument("--coreml", action="store_true", help="also write AudioEncoder.mlpackage, float32")


def export_reference(args: argparse.Namespace) -> int:
    """Run ``talkies export-reference``; gives the exit code."""
    sound, rate = read_sound(args.source)
    speech, report = encode_speech(
        sound, rate, mode=args.mode, checkpoint=args.checkpoint, fps=frame_rate(args.fps), border=args.border, frames=args.frames,
        features=args.features, progress=node_progress("encode"))
    write_reference(speech, args.folder, str(args.source), node_progress("write"))
    written = export_networks(speech, args.folder, args.checkpoint, onnx=args.onnx, coreml=args.coreml)
    print(report.to_text())
    print(f"written to {args.folder}" + "".join(f", {path.name}" for path in written))
    return 0


def add_validate_reference(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``talkies validate-reference``."""
    parser.add_argument("reference", type=Path, help="folder written by export-reference")
    parser.add_argument("candidate", type=Path, help="folder with the port's arrays under the same names")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"largest difference allowed ({TOLERANCE:g})")


def validate_reference(args: argparse.Namespace) -> int:
    """Run ``talkies validate-reference``; gives 0 when the candidate passes, else 1."""
    verdict = compare_reference(args.reference, args.candidate, args.tolerance, node_progress("validate"))
    print(verdict.to_text(), file=sys.stdout if verdict.passed else sys.stderr)
    return 0 if verdict.passed else 1


def read_sound(path: Path) -> tuple[Waveform, int]:
    """Read a sound file as ``[C,T]`` float32 and its rate.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that libsndfile cannot read, or one without samples.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}.")
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path.name} cannot be read as sound ({error}). Give a .wav, .flac, .ogg or .mp3.") from error
    return to_waveform(contiguous(samples.T), path.name), int(rate)
