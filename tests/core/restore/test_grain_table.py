"""AV1 grain tables: text in and out, and a decoder's integers bit for bit."""
from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from talkies.core.restore.grain.afgs1 import add_to_luma, luma_noise, luma_template, scaling_table
from talkies.core.restore.grain.autoregressive import fitted_filter
from talkies.core.restore.grain.gaussian_sequence import GAUSSIAN_SEQUENCE
from talkies.core.restore.grain.presets import PRESETS, preset_profile
from talkies.core.restore.grain.profile import GrainError
from talkies.core.restore.grain.table import GrainTable, profile_of_table, read_tables, table_of, write_tables
from talkies.core.restore.grain.template import filtered_template, next_register, template_sigma
from talkies.core.restore.noise.spectrum import causal_offsets, gaussian_lags, radial_spectrum

TABLE = GrainTable(
    points_y=((16, 40), (128, 96), (235, 24)),
    coeffs_y=(-2, 4, -8, 10, 0, 0, 0, 4, -11, 20, -27, 0, 0, 0, -8, 21, -38, 49, 0, 0, 0, 11, -27, 49),
    coeffs_cb=(0,) * 25, coeffs_cr=(0,) * 25, ar_lag=3, ar_shift=6, seed=7391, end=10**12)


def picture():
    rows, columns = np.mgrid[:200, :328]
    return (40 + 150 * columns / 328 + 20 * np.sin(rows / 20)).astype(np.uint8)


def decoded(tmp_path, table):
    """The luma of three frames that libaom encoded with the table, as dav1d decodes them without grain and with it."""
    height, width = picture().shape
    (tmp_path / "grain.tbl").write_text(write_tables([table]))
    (tmp_path / "in.yuv").write_bytes((picture().tobytes() + bytes([128]) * (height * width // 2)) * 3)
    shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p"]
    coder = ["-c:v", "libaom-av1", "-cpu-used", "8", "-aom-params", "film-grain-table=grain.tbl", "-crf", "25"]
    subprocess.run(["ffmpeg", "-y", *shape, "-s", f"{width}x{height}", "-i", "in.yuv", *coder, "a.mkv"], cwd=tmp_path, check=True,
                   capture_output=True)
    made = []
    for grain in ("0", "1"):
        run = subprocess.run(["ffmpeg", "-c:v", "libdav1d", "-filmgrain", grain, "-i", "a.mkv", *shape, "-"], cwd=tmp_path, check=True,
                             capture_output=True)
        made.append(np.frombuffer(run.stdout, np.uint8).reshape(-1, height * 3 // 2, width)[:, :height])
    return made


def codecs_are_there():
    if shutil.which("ffmpeg") is None:
        return False
    listed = [subprocess.run(["ffmpeg", "-hide_banner", kind], capture_output=True, text=True, check=False).stdout
              for kind in ("-encoders", "-decoders")]
    return "libaom-av1" in listed[0] and "libdav1d" in listed[1]


@pytest.mark.skipif(not codecs_are_there(), reason="no ffmpeg with libaom and dav1d on this machine")
@pytest.mark.parametrize("table", [TABLE, replace(table_of(preset_profile("8mm")), start=0, end=10**12)], ids=["lag 3", "8mm"])
def test_luma_is_what_a_decoder_makes_of_it_bit_for_bit(table, tmp_path):
    bare, grainy = decoded(tmp_path, table)
    assert len(bare) == 3 and (bare != grainy).any()
    for number, (before, after) in enumerate(zip(bare, grainy, strict=True)):
        own = replace(table, seed=(table.seed + 3381 * number) % 65536)  # libaom's step from frame to frame
        assert np.array_equal(add_to_luma(before, own), after)


def test_template_and_noise_stay_what_was_checked_against_a_decoder():
    def digest(array):
        return hashlib.sha256(array.astype("<i4").tobytes()).hexdigest()[:16]

    assert digest(luma_template(TABLE)) == "e99e4f82882fc0e5"
    assert digest(luma_noise(TABLE, 200, 328)) == "72ef76abf17440fd"


def test_sequence_of_the_standard():
    assert len(GAUSSIAN_SEQUENCE) == 2048 and GAUSSIAN_SEQUENCE.sum() == 1120 and abs(GAUSSIAN_SEQUENCE).sum() == 837192
    assert (GAUSSIAN_SEQUENCE * np.arange(1, 2049)).sum() == -8011268
    assert list(GAUSSIAN_SEQUENCE[:4]) == [56, 568, -180, 172] and list(GAUSSIAN_SEQUENCE[-4:]) == [288, 944, 428, -484]


def test_register_has_the_full_period_but_for_zero():
    register, steps = 1, 0
    while True:
        register, steps = next_register(register), steps + 1
        if register == 1:
            break
    assert steps == 65535


def test_template_without_filter_is_the_sequence():
    table = GrainTable(points_y=((0, 10),), seed=1)
    register = next_register(1)
    assert luma_template(table)[0, 0] == (GAUSSIAN_SEQUENCE[(register >> 5) & 2047] + 8) >> 4
    assert not luma_template(GrainTable()).any()


def test_scaling_is_piecewise_linear():
    lookup = scaling_table(((0, 20), (4, 5), (6, 90), (255, 90)))
    assert list(lookup[:7]) == [20, 16, 13, 9, 5, 48, 90] and lookup[255] == 90
    assert not scaling_table(()).any()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_text_round_trip(preset, lag):
    tables = [table_of(preset_profile(preset), 100, lag), replace(TABLE, start=5, seed=9)]
    assert read_tables(write_tables(tables)) == tables


@pytest.mark.parametrize("preset, most", [("35mm", 1.3), ("16mm", 0.9), ("8mm", 2.9), ("high_iso", 0.1), ("fine", 0.1)])
def test_a_profile_survives_its_table(preset, most):
    grain = preset_profile(preset)
    back = profile_of_table(table_of(grain))
    assert np.array(back.sigmas[2:-2]) == pytest.approx(np.array(grain.sigmas[2:-2]), rel=0.025)
    assert np.array(back.cb_sigmas[4:-4]) == pytest.approx(np.array(grain.cb_sigmas[4:-4]), rel=0.03)
    strong = radial_spectrum(grain.lags) > 0.02 * radial_spectrum(grain.lags).max()
    assert abs(10 * np.log10(radial_spectrum(back.lags) / radial_spectrum(grain.lags)))[strong].max() < most
    assert abs(np.array(back.lags)[:4, 5:12] - np.array(grain.lags)[:4, 5:12]).max() <= 0.05


GRAINS = [*map(preset_profile, PRESETS), *(replace(preset_profile("16mm"), lags=gaussian_lags(blur)) for blur in (1.3, 1.8))]


@pytest.mark.parametrize("grain", GRAINS, ids=[*PRESETS, "1.3 px", "1.8 px"])
def test_a_decoders_template_has_the_grains_correlation(grain):
    wanted, table = np.array(grain.lags)[:4, 8:12], table_of(grain)
    sums = np.zeros((4, 4))
    for seed in range(1, 60000, 600):
        part = filtered_template(table.coeffs_y, table.ar_lag, table.ar_shift, seed, table.scale_shift)[9:, 9:76].astype(float)
        height, width = part.shape
        sums += [[(part[: height - y, : width - x] * part[y:, x:]).mean() for x in range(4)] for y in range(4)]
    assert abs(sums / sums[0, 0] - wanted).max() <= 0.05


@pytest.mark.parametrize("shift", [6, 9])
def test_a_filter_for_very_coarse_grain_is_stable(shift):
    made = fitted_filter(gaussian_lags(3.0), 3, shift)
    coeffs = made.coeffs
    assert len(coeffs) == 24 and -128 <= min(coeffs) <= max(coeffs) <= 127
    power = np.zeros((64, 64))
    power[0, 0] = 1
    for (down, right), coefficient in zip(causal_offsets(3), coeffs, strict=True):
        power[-down % 64, -right % 64] -= coefficient / 2**shift
    said = np.sqrt((1 / abs(np.fft.fft2(power)) ** 2).mean()) * template_sigma((), 0, 7, made.scale_shift)
    # An unstable one grows until it is clipped: 0.75.
    assert template_sigma(coeffs, 3, shift, made.scale_shift) == pytest.approx(said, rel=0.15)


def test_decoded_strength_is_the_measured_one():
    grain = preset_profile("16mm")
    flat = np.full((512, 512), 112, np.uint8)
    made = np.stack([add_to_luma(flat, table_of(grain, seed)).astype(float) - 112 for seed in range(1, 17)])
    assert made.std() == pytest.approx(255 * float(grain.sigma_at(np.array(112 / 255))), rel=0.02)
    assert abs(made.mean()) < 0.6  # one template of coarse grain has a mean of its own; over the frames' seeds it goes


def test_segments_follow_one_another():
    text = write_tables([TABLE]) + "E 10 20 1 55 0\n"
    first, second = read_tables(text)
    assert second == replace(first, seed=55, start=10, end=20)


@pytest.mark.parametrize("text, said", [
    ("", "filmgrn1"), ("filmgrn1\n", "no segment"), ("filmgrn1\nE 1 2 1\n", "line 2: E has 3"), ("filmgrn1\nE 0 1 1 7 1\n", "the end"),
    (write_tables([TABLE]).replace("sY 3 16 40", "sY 3 16"), "pairs"), (write_tables([TABLE]).replace("p 3 6", "p 4 6"), "wanted"),
    (write_tables([TABLE]).replace("16 40 128", "200 40 128"), "rising"), (write_tables([TABLE]).replace("7391", "x"), "whole numbers"),
])
def test_wrong_tables_are_refused(text, said):
    with pytest.raises(GrainError, match=said):
        read_tables(text)
