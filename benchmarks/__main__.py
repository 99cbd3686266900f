"""The command line: ``python -m benchmarks NAME [options]``."""
from __future__ import annotations

import argparse
import importlib
import sys

BENCHMARKS = {
    "grain": "Film grain: measured against what was put in, taken out and matched, and its cost; wavelet-MAD beside it",
    "sharpen": "Sharpen beside kornia, ComfyUI's own way, an OpenCV loop, and a plain copy",
    "bm3d": "BM3D beside the bm3d package and non-local means, still and across frames",
    "align": "every smoothing of a face track side by side, on real and rendered clips, and its time beside the published way",
    "upscale": "Real-ESRGAN's networks against the machine's limit, tiles, and the mouth alone",
    "deblur": "Deblur beside scikit-image's Wiener and Richardson-Lucy, each at its best for the very picture",
    "lips": "Diff2Lip's samplers by evaluations and error, and the cost of one evaluation",
    "lips_generate": "Diff2Lip in clips: what shortcuts save and how far off they are, memory by length",
    "temporal": "flicker removal beside the plain average: flicker, speech kept, time",
    "rates": "processor time and cost of an hour of 1080p video, stage by stage",
    "scale": "a Ray cluster: work done by its workers, and what Ray costs beside it",
    "long": "memory by length of the clip, and a render that is killed and resumed",
    "clahe": "LB-CLAHE beside OpenCV's, scikit-image's and the published node: time, noise, order, and the regressor on held-out pictures",
    "prior": "the deep image prior beside the published network and OpenCV: steps, presets, the automatic stop, inpainting",
    "audio": "the mel, the encoder, noise reduction and levels beside their peers",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; it prints its tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the pack beside its peers, in one run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<10} {summary}" for name, summary in BENCHMARKS.items()))
    parser.add_argument("name", choices=BENCHMARKS, metavar="NAME")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of that benchmark; --help lists them")
    chosen = parser.parse_args(arguments)
    importlib.import_module(f".{chosen.name}", __package__).main(chosen.options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
