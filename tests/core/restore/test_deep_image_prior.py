"""The deep image prior: what it promises as an operation, and for each of its tasks."""
from __future__ import annotations

import gc
import math
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from operation_tester import CancelledError, OperationTester, made_clip

from talkies.core.arrays import ArrayError, to_frames, to_image
from talkies.core.catalogue import parse_operation
from talkies.core.masked import Mask
from talkies.core.measure.image import psnr
from talkies.core.operation import cut, run, stream
from talkies.core.restore.prior import recipe
from talkies.core.restore.prior.deep_image_prior import DeepImagePrior
from talkies.core.restore.prior.fit import Fit, Moment
from talkies.core.restore.prior.frame_fit import FitError
from talkies.core.restore.prior.outcome import plot, report, report_so_far
from talkies.core.restore.prior.runtime import Runtime
from talkies.core.restore.prior.target import Target
from talkies.core.settings import SettingError


def brief(**settings) -> DeepImagePrior:
    """A few steps: enough for what does not depend on their number."""
    return DeepImagePrior(**{"iterations": 2, "preset": "fast", **settings})


def holes(height=24, width=32) -> Mask:
    plane = np.zeros((1, height, width), np.float32)
    plane[:, ::3, ::4] = 1
    plane[:, 1::3, 1::4] = 0.5
    return Mask(plane)


def scene(size=64) -> np.ndarray:
    """Smooth shades and one edge, ``[size,size,3]``."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / size
    picture = np.stack((rows, columns, 0.5 + 0.3 * np.sin(6 * columns)), -1)
    picture[size // 4 : size // 2, size // 3 :] *= 0.5
    return np.ascontiguousarray(picture * 0.8 + 0.1, np.float32)


def noisy(picture, sigma=25 / 255, seed=3) -> np.ndarray:
    return np.clip(picture + np.random.default_rng(seed).normal(0, sigma, picture.shape), 0, 1).astype(np.float32)


@pytest.fixture
def narrow(monkeypatch):
    """Smaller networks under the fast preset, for what does not depend on what a network can draw."""
    for network, widths in (("hourglass", (8, 8)), ("deep_decoder", (8,)), ("zs_n2n", (8,))):
        monkeypatch.setitem(recipe._SIZES[network], "fast", (500, widths))


@pytest.mark.usefixtures("narrow")
class TestDeepImagePrior(OperationTester):
    variants = (
        brief(),
        brief(network="hourglass", restart=3, luma=2.0, chroma=0.5, loss="absolute", iterations=1),
        brief(network="deep_decoder", task="artefacts", warm_start=False, seed=9, tile=64, overlap=8),
        brief(task="super_resolve_2x", network="deep_decoder", restart=2),
    )


# --- the clip


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("network", ["hourglass", "zs_n2n"])
def test_fresh_operations_give_the_same_bits_wherever_the_clip_is_cut(network):
    clip = made_clip(6, 16, 16)
    whole = run(brief(network=network), clip)
    for size in (1, 2, 5):  # a new operation each, which remembers nothing of another's
        parts = list(stream(brief(network=network), cut(clip, size)))
        assert np.array_equal(np.concatenate([p for _, p in parts]), whole), size


@pytest.mark.usefixtures("narrow")
def test_a_stream_fits_no_frame_twice_and_keeps_few():
    fitted = []
    op = brief(runtime=Runtime(finished=lambda index, fit: fitted.append(index)))
    list(stream(op, cut(made_clip(12, 16, 16), 1)))
    assert sorted(fitted) == list(range(12))
    assert len(op._remembered._entries) <= 2 * op.radius


@pytest.mark.usefixtures("narrow")
def test_a_warm_start_takes_fewer_steps_and_is_not_the_cold_one():
    settings = dict(network="hourglass", iterations=80, window=2)
    warm, cold = {}, {}
    clip = made_clip(2, 16, 16)
    first = run(brief(**settings, runtime=Runtime(finished=warm.__setitem__)), clip)
    second = run(brief(**settings, warm_start=False, runtime=Runtime(finished=cold.__setitem__)), clip)
    assert np.array_equal(first[0], second[0]) and not np.array_equal(first[1], second[1])
    assert warm[1].iterations < cold[1].iterations / 2 and warm[1].losses[0] < 0.75 * cold[1].losses[0]


@pytest.mark.usefixtures("narrow")
def test_groups_restart_at_fixed_frames():
    clip = made_clip(6, 16, 16)
    other = clip.copy()
    other[2] = 1 - other[2]
    first, second = run(brief(restart=3), clip), run(brief(restart=3), other)
    assert np.array_equal(first[:2], second[:2]) and np.array_equal(first[3:], second[3:])


# --- determinism


@pytest.mark.parametrize("network", ["hourglass", "deep_decoder", "zs_n2n"])
def test_the_seed_decides_and_nothing_else_does(network):
    picture = made_clip(1)
    torch.manual_seed(1)
    first = run(brief(network=network, seed=4), picture)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert np.array_equal(run(brief(network=network, seed=4), picture), first)
    assert torch.equal(torch.get_rng_state(), before), "torch's own generator was moved"
    assert not np.array_equal(run(brief(network=network, seed=5), picture), first)


def test_it_fits_inside_inference_mode_as_comfyui_runs_nodes():
    picture = made_clip(1)
    with torch.inference_mode():
        inside = run(brief(network="hourglass"), torch.tensor(picture))
    assert np.array_equal(inside, run(brief(network="hourglass"), picture))


# --- tasks


@pytest.mark.parametrize("settings", [{"preset": "fast", "iterations": 120}, {"preset": "balanced", "iterations": 60}])
def test_denoise_gains_six_decibels_on_a_smooth_scene(settings):
    clean = scene()
    dirty = noisy(clean)
    made = run(DeepImagePrior(**settings), dirty[None])[0]
    assert psnr(made, clean) > psnr(dirty, clean) + 6


def test_inpaint_fills_better_than_opencv_and_keeps_every_known_bit():
    clean = scene()
    lost = np.random.default_rng(5).random(clean.shape[:2]) < 0.5
    dirty = np.where(lost[..., None], 0, clean).astype(np.float32)
    made = run(DeepImagePrior(task="inpaint", preset="fast", iterations=30, holes=Mask(lost[None].astype(np.float32))), dirty[None])[0]
    assert np.array_equal(made[~lost], dirty[~lost])
    peer = cv2.inpaint((dirty * 255).astype(np.uint8), lost.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
    assert psnr(made, clean) > psnr(peer, clean) + 3


def test_what_lies_under_the_mask_does_not_matter():
    clip, mask = made_clip(1), holes()
    other = clip.copy()
    other[:, mask.planes[0] > 0] = 0.9
    filled = mask.planes[0] == 1
    first, second = (run(brief(task="inpaint", holes=mask), c) for c in (clip, other))
    assert np.array_equal(first[:, filled], second[:, filled])


def test_inpaint_takes_transparent_pixels_where_there_is_no_mask():
    clip = made_clip(1, channels=4)
    clip[..., 3] = 1
    clip[:, 4:9, 4:9, 3] = 0
    made = run(brief(task="inpaint"), clip)
    changed = (made[..., :3] != clip[..., :3]).any(-1)[0]
    assert changed[4:9, 4:9].all() and changed.sum() == 25 and np.array_equal(made[..., 3], clip[..., 3])


def test_a_mask_of_zeros_changes_nothing_and_one_of_ones_is_refused():
    clip = made_clip(2)
    fits = []
    runtime = Runtime(finished=lambda *fit: fits.append(fit))
    nothing = run(brief(task="inpaint", holes=Mask(np.zeros((1, 24, 32))), runtime=runtime), clip)
    assert np.array_equal(nothing, clip) and not fits
    with pytest.raises(SettingError, match="frame 0 all is to be filled"):
        run(brief(task="inpaint", holes=Mask(np.ones((1, 24, 32)))), clip)


def test_inpaint_without_a_mask_or_alpha_is_refused():
    with pytest.raises(SettingError, match="link a mask"):
        run(brief(task="inpaint"), made_clip(1))


def test_holes_survive_json():
    op = brief(task="inpaint", holes=holes())
    assert DeepImagePrior.from_json({k: v for k, v in op.to_json().items() if k != "op"}) == op


@pytest.mark.parametrize(("factor", "iterations", "beyond_lanczos"), [(2, 40, 0.2), (4, 20, -1.5)])
def test_super_resolution_shrinks_to_the_small_picture_and_shows_more_than_lanczos(factor, iterations, beyond_lanczos):
    clean = scene()
    wanted = to_image(clean).permute(2, 0, 1)[None]
    small = Target(wanted, factor=factor).shrunk(wanted)
    given = to_frames(small.permute(0, 2, 3, 1))
    made = run(DeepImagePrior(task=f"super_resolve_{factor}x", preset="fast", iterations=iterations), given)
    peer = cv2.resize(given[0], clean.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
    assert made.shape[1:] == clean.shape and psnr(made[0], clean) > psnr(peer, clean) + beyond_lanczos
    again = Target(wanted, factor=factor).shrunk(to_image(made).permute(0, 3, 1, 2))
    assert float((again - small).abs().max()) < 1e-3


def test_artefacts_of_jpeg_get_fewer():
    clean = scene()
    _, packed = cv2.imencode(".jpg", (clean[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 10])
    dirty = cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
    made = run(DeepImagePrior(task="artefacts", preset="fast", iterations=180), dirty[None])[0]
    assert psnr(made, clean) > psnr(dirty, clean) + 0.15


def test_less_weight_on_colour_follows_its_noise_less():
    clean = np.repeat(scene()[..., :1], 3, 2)
    dirty = noisy(clean)

    def colour(picture):
        return float(np.std(picture - picture.mean(-1, keepdims=True)))

    settings = dict(network="hourglass", iterations=80)
    assert colour(run(brief(**settings, chroma=0.2), dirty[None])) < 0.7 * colour(run(brief(**settings, chroma=5.0), dirty[None]))


def test_the_absolute_loss_takes_salt_and_pepper_out():
    clean = scene()
    dirty = clean.copy()
    lost = np.random.default_rng(2).random(clean.shape[:2])
    dirty[lost < 0.05], dirty[lost > 0.95] = 0, 1
    settings = dict(preset="fast", network="hourglass", iterations=50)
    squared, absolute = (psnr(run(DeepImagePrior(**settings, loss=loss), dirty[None])[0], clean) for loss in ("squared", "absolute"))
    assert absolute > squared + 1


# --- sizes and ranges


def test_8x8_gray_and_values_beyond_one():
    for picture in (made_clip(1, 8, 8), made_clip(1, 8, 8, 1), 3 * made_clip(1, 8, 8) - 1):
        for network in ("hourglass", "deep_decoder", "zs_n2n"):
            made = run(brief(network=network), picture)
            assert made.shape == picture.shape and np.isfinite(made).all()
    bright = run(brief(network="hourglass", iterations=40), np.full((1, 16, 16, 3), 4.0, np.float32))
    assert bright.mean() > 3


def test_nan_is_refused_by_name():
    clip = made_clip(1)
    clip[0, 3, 2, 1] = np.nan
    with pytest.raises(ArrayError, match="DeepImagePrior: images: frame 0 holds 1 NaN"):
        brief()(clip)


def test_tiles_leave_no_seam_and_cover_all():
    clean = np.ascontiguousarray(scene(96)[:48])
    made = run(DeepImagePrior(preset="fast", network="hourglass", iterations=50, tile=64, overlap=32), clean[None])[0]
    off = np.abs(made - clean).mean((0, 2))
    assert np.isfinite(made).all() and off.max() < 6 * np.median(off) + 0.02


# --- time, previews, cancel, memory


def test_cancel_is_asked_three_times_a_step_and_passes_through():
    asked = []

    def cancel(done, total):
        asked.append(done)
        if len(asked) == 7:
            raise CancelledError

    with pytest.raises(CancelledError):
        run(brief(network="hourglass", iterations=1000), made_clip(1), cancel)
    assert len(asked) == 7 and asked[6] <= 2


def test_the_time_limit_ends_it_and_says_so(monkeypatch):
    from talkies.core.restore.prior import fit as module

    clock = iter(range(10**6))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    fits: list[Fit] = []
    run(brief(network="hourglass", iterations=500, time_limit=20, runtime=Runtime(finished=lambda i, f: fits.append(f))), made_clip(1))
    assert fits[0].ended == "time" and fits[0].iterations < 30


def test_previews_come_and_change_nothing(monkeypatch):
    from talkies.core.restore.prior import fit as module

    clock = iter(range(10**6))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    shown, told = [], []
    op = brief(task="super_resolve_2x", iterations=6)
    watched = Runtime(
        preview=lambda frame: shown.append(frame.copy()), running=lambda index, moment: told.append((index, moment.iterations)))
    made = run(replace(op, runtime=watched), made_clip(2))
    assert shown and all(frame.shape == (48, 64, 3) for frame in shown)
    assert len(told) == len(shown) and {index for index, _ in told} == {0, 1} and {step for _, step in told} <= set(range(1, 7))
    assert np.array_equal(made, run(op, made_clip(2)))
    assert any(not np.array_equal(a, b) for a, b in pairwise(shown))


@pytest.mark.usefixtures("narrow")
def test_memory_comes_back_after_ten_runs():
    def tensors():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())  # isinstance would wake dead weak proxies

    run(brief(network="hourglass"), made_clip(1))
    before = tensors()
    for seed in range(10):
        run(brief(network="hourglass", seed=seed), made_clip(1))
    assert tensors() == before


# --- report, names


def test_report_and_plot_tell_of_the_fit():
    fits: list[tuple[int, Fit]] = []
    run(brief(network="hourglass", iterations=30, window=2, runtime=Runtime(finished=lambda *f: fits.append(f))), made_clip(2, 16, 16))
    told = report(fits)
    last = fits[-1][1]
    assert told.figures["frames"] == 2 and told.figures["best iteration"] == last.best <= last.iterations
    assert told.figures["precision"] == "float32" and len(told.series["training loss"]) == len(last.losses)
    assert plot(last).shape == (560, 1024, 3) and not np.array_equal(plot(last), plot(None))
    assert "nothing was to be filled" in str(report([]))


@pytest.mark.parametrize(("checks", "points"), [(0, 0), (7, 7), (400, 400), (401, 200), (4000, 400)])
def test_curves_for_the_page_are_thinned_to_what_a_panel_can_show(checks, points):
    losses = tuple(1.0 / (1 + i) for i in range(checks))
    variances = tuple(math.nan if i < 3 else float(i) for i in range(checks))
    told = report_so_far(5, Moment(torch.zeros(1, 3, 4, 4), 30 if checks else 0, 10 * checks, 50000, losses, variances, 2.04))
    assert told.figures["frame"] == 5 and told.figures["seconds"] == 2.0 and told.figures["best iteration"] == (30 if checks else "not yet")
    curve = told.series["training loss"]
    assert len(curve) == points and set(curve) <= set(losses) and not any(map(math.isnan, told.series["variance of the outputs"]))
    assert checks == 401 or curve[-1:] == losses[-1:]


def test_a_network_that_cannot_do_the_task_is_refused():
    with pytest.raises(SettingError, match="zs_n2n takes out noise, it cannot inpaint"):
        DeepImagePrior(network="zs_n2n", task="inpaint")
    with pytest.raises(SettingError, match="holes are for the task inpaint"):
        DeepImagePrior(holes=holes())


def test_the_command_line_names_it():
    op = parse_operation("deepimageprior:task=denoise,preset=fast,seed=0")
    assert op == DeepImagePrior(task="denoise", preset="fast", seed=0) and op.recipe.network == "zs_n2n"


def test_memory_that_runs_out_is_told_with_what_to_do(monkeypatch):
    from talkies.core.restore.prior import frame_fit

    def full(*arguments, **named):
        raise MemoryError

    monkeypatch.setattr(frame_fit, "fit", full)
    with pytest.raises(FitError, match="set tile to 256"):
        run(brief(), made_clip(1))
