"""The fit under the deep image prior: what is fitted, when it stops, and what it does with values that are no numbers."""
from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from talkies.core.progress import silent
from talkies.core.restore.prior import fit as fitting
from talkies.core.restore.prior.fit import FitError, Moment, Plan, fit
from talkies.core.restore.prior.memory import PeakMemory
from talkies.core.restore.prior.networks import DeepDecoder, Hourglass, TwoLayers
from talkies.core.restore.prior.problems import Drawing, halved
from talkies.core.restore.prior.recipe import mixed_seed, recipe
from talkies.core.restore.prior.runtime import half_precision
from talkies.core.restore.prior.stopping import VarianceRule
from talkies.core.restore.prior.target import Target, shrinking_kernel
from talkies.core.restore.prior.tiles import Mosaic, tiles

CPU = torch.device("cpu")


def target(size=32, channels=3) -> Target:
    return Target(torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(1)))


def problem(network="hourglass", iterations=20, **plan):
    made = recipe("denoise", "fast", network, iterations, Plan(1, 0.0, **plan))
    return made.problem(target(), 0, (0,), CPU), made.plan


# --- what the gradient reaches


@pytest.mark.parametrize("network", ["hourglass", "deep_decoder"])
def test_no_gradient_flows_into_the_noise_and_it_never_changes(network):
    drawing, plan = problem(network)
    before = drawing.noise.clone()
    loss = drawing.loss(0)
    assert not drawing.noise.requires_grad and loss.requires_grad
    loss.backward()
    assert drawing.noise.grad is None and all(p.grad is not None for p in drawing.network.parameters())
    fit(drawing, plan, CPU, silent)
    assert torch.equal(drawing.noise, before)


def test_noise_that_asks_for_a_gradient_is_refused():
    noise = torch.rand(1, 16, 32, 32, requires_grad=True)
    with pytest.raises(ValueError, match="only the network is fitted"):
        Drawing(Hourglass(3), noise, target(), 0.0, torch.Generator())


@pytest.mark.parametrize("network", ["hourglass", "deep_decoder"])
def test_the_seed_makes_the_weights_and_the_noise(network):
    made = recipe("denoise", "fast", network, 20, Plan(1, 0.0))
    first, same, other = (made.problem(target(), seed, (0,), CPU) for seed in (4, 4, 5))
    for a, b, c in zip(*(p.network.parameters() for p in (first, same, other)), strict=True):
        assert torch.equal(a, b)
        assert a.ndim < 4 or not torch.equal(a, c)  # normalisations and biases begin alike or at random
    assert torch.equal(first.noise, same.noise) and not torch.equal(first.noise, other.noise)


def test_the_hourglass_has_narrow_skips_and_the_stated_size():
    network = Hourglass(3)
    assert all(s[0].out_channels == 4 for s in network.skips)
    assert 200_000 < sum(p.numel() for p in network.parameters()) < 400_000
    assert sum(p.numel() for p in TwoLayers(3).parameters()) < 25_000
    assert sum(p.numel() for p in DeepDecoder(3).parameters()) < 64 * 64 * 3 * 3


# --- the stop rule


def ran(variances, window=2, patience=10) -> tuple[int, int]:
    """Feed a curve until it stops; give the check of the low and the check at which it stopped (-1: it did not)."""
    rule = VarianceRule(window, patience)
    for i, variance in enumerate(variances):
        rule.add_variance(variance)
        if rule.over:
            return rule.lowest - (window - 1), i
    return rule.lowest - (window - 1), -1


def test_it_stops_patience_checks_after_the_low():
    curve = [(i - 30) ** 2 + 1.0 for i in range(100)]
    assert ran(curve) == (30, 40) and ran(curve, patience=3) == (30, 33)


@pytest.mark.parametrize(("iterations", "window"), [(1500, 25), (500, 25), (400, 20), (125, 6), (20, 2), (1, 2)])
def test_a_short_fit_has_a_window_of_half_its_checks(iterations, window):
    assert Plan(iterations, 0.01, window=25, patience=3).rule().window == window


def test_it_never_stops_while_the_variance_falls():
    assert ran([1 / (1 + i) for i in range(200)]) == (199, -1)


def test_a_short_rise_is_waited_out():
    curve = [100.0 - i for i in range(50)] + [80.0] * 9 + [49.0 - i for i in range(20)] + [90.0] * 20
    assert ran(curve) == (78, 88)


def test_a_variance_that_is_no_number_is_never_the_low():
    assert ran([3.0, math.nan, 2.0, math.nan, 4.0]) == (2, -1)


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=80), st.integers(1, 12))
def test_what_is_kept_is_the_lowest_so_far(curve, patience):
    low, stop = ran(curve, patience=patience)
    seen = curve if stop < 0 else curve[: stop + 1]
    assert low == int(np.argmin(seen)) and (stop < 0 or stop - low == patience)


@settings(deadline=None)
@given(st.integers(2, 6), st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=20))
def test_the_variance_is_that_of_the_last_outputs(window, values):
    rule = VarianceRule(window, 10)
    for value in values:
        rule.add(torch.tensor([value, 0.0]))
    expected = [np.var(np.float64(values[i : i + window])) / 2 for i in range(len(values) - window + 1)]
    assert np.allclose(rule.variances, expected, rtol=1e-3, atol=1e-6)


class Scripted:
    """A problem whose outputs are scripted: still at first, restless later; its loss falls all the way."""

    def __init__(self, calm_until):
        self.network = nn.Linear(1, 1)
        self._calm, self._step = calm_until, 0

    def loss(self, step):
        self._step = step
        return (self.network.weight * 0).sum() + 1 / (1 + step)

    def keep_average(self, step):
        pass

    def forget_average(self):
        pass

    def output(self):
        return torch.full((1, 1, 2, 2), abs(self._step - self._calm) ** 2 * 1e-4)

    def average(self):
        return torch.full((1, 1, 2, 2), float(self._step))


def test_the_result_is_the_average_at_the_calmest_check_and_not_at_the_lowest_loss():
    made = fit(Scripted(300), Plan(1000, 0.01, window=4, patience=10), CPU, silent)
    assert made.ended == "variance" and made.iterations < 500
    assert abs(made.best - 300) <= 30 and float(made.picture.mean()) == made.best - 1
    assert int(np.argmin(made.losses)) == len(made.losses) - 1


def test_how_a_fit_stands_is_told_once_a_second_and_changes_nothing(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(fitting.time, "monotonic", lambda: next(clock) / 15)
    told: list[Moment] = []
    plan = Plan(100, 0.01, window=4, patience=99)
    made = fit(Scripted(300), plan, CPU, silent, watch=told.append)
    assert [moment.iterations for moment in told] == [15, 30, 45, 60, 75, 90] and {moment.most for moment in told} == {100}
    for moment in told:
        checks = moment.iterations // plan.every
        assert moment.losses == made.losses[:checks] and len(moment.variances) == checks
        assert np.array_equal(moment.variances, made.variances[:checks], equal_nan=True)
        assert moment.best == (10 * checks if checks >= plan.window else 0)
        assert moment.seconds == pytest.approx(moment.iterations / 15, abs=0.1)
    assert float(told[0].picture.mean()) == 14


def test_without_a_rise_it_runs_to_its_end():
    made = fit(Scripted(1000), Plan(200, 0.01, window=4), CPU, silent)
    assert made.ended == "iterations" and made.iterations == made.best == 200


# --- values that are no numbers


class Broken(nn.Module):
    """Gives NaN from some call on, or only in half precision."""

    def __init__(self, inner, only_half):
        super().__init__()
        self.inner, self.only_half = inner, only_half

    def forward(self, noise):
        drawn = self.inner(noise)
        return drawn * math.nan if torch.is_autocast_enabled("cpu") or not self.only_half else drawn


def test_nan_in_half_precision_falls_back_to_float32_and_says_so(caplog):
    drawing, plan = problem(iterations=20)
    expected = fit(problem(iterations=20)[0], plan, CPU, silent)
    drawing.network = Broken(drawing.network, only_half=True)
    drawing.generator.manual_seed(0)
    made = fit(drawing, plan, CPU, silent, half=torch.bfloat16)
    assert made.fell_back and made.precision == "float32" and made.iterations == 20 and "float32" in caplog.text
    assert torch.isfinite(made.picture).all() and len(made.losses) == len(expected.losses)


def test_nan_in_float32_is_an_error_and_not_a_picture():
    drawing, plan = problem(iterations=20)
    drawing.network = Broken(drawing.network, only_half=False)
    with pytest.raises(FitError, match="went to infinity"):
        fit(drawing, plan, CPU, silent)


def test_half_precision_fits_as_well():
    drawing, plan = problem(iterations=20)
    made = fit(drawing, plan, CPU, silent, half=torch.bfloat16)
    assert made.precision == "bfloat16" and not made.fell_back and made.losses[-1] < made.losses[0]
    assert made.picture.dtype == torch.float32


def test_half_precision_is_for_gpus():
    assert half_precision("auto", CPU) is None and half_precision("float16", CPU) is None
    assert half_precision("auto", torch.device("cuda")) == torch.float16
    assert half_precision("bfloat16", torch.device("cuda")) == torch.bfloat16
    assert half_precision("float32", torch.device("cuda")) is None


# --- targets, tiles, seeds


@pytest.mark.parametrize("factor", [2, 4])
def test_shrinking_keeps_ramps_and_shades(factor):
    assert float(shrinking_kernel(factor).sum()) == pytest.approx(1)
    ramp = torch.arange(16.0 * factor).repeat(1, 1, 16 * factor, 1)
    small = torch.arange(16.0).repeat(1, 1, 16, 1) * factor + (factor - 1) / 2
    inner = Target(small[..., 4:-4, 4:-4], factor=factor)
    assert float(inner.error(ramp[..., 4 * factor : -4 * factor, 4 * factor : -4 * factor])) < 0.05 * factor**2
    assert float(Target(torch.full((1, 1, 5, 5), 0.3), factor=factor).error(torch.full((1, 1, 5 * factor, 5 * factor), 0.3))) < 1e-10


@pytest.mark.parametrize("factor", [2, 4])
def test_an_enlarged_picture_is_matched_to_the_small_one_and_keeps_what_that_cannot_tell(factor):
    truth = 0.5 + 0.3 * torch.sin(torch.arange(192.0)).reshape(1, 3, 8, 8)
    small = Target(truth, factor=factor)
    drawn = small.enlarged(truth) * 0.8 + 0.1
    made = small.matched(drawn)
    assert float(small.error(made)) < 1e-3 * float(small.error(drawn)) and made.shape[2:] == small.size
    again = small.matched(made)
    assert float((again - made).abs().max()) < 2e-3 and torch.equal(target().matched(truth), truth)


def test_what_is_enlarged_is_drawn_from_the_small_picture_too():
    small = target(size=20)
    plain, guided = (recipe("denoise", "fast", "hourglass", 20, Plan(1, 0.0)).problem(Target(small.picture, factor=f), 0, (0,), CPU)
                     for f in (1, 2))
    assert plain.guide is None and plain.noise.shape[1] == 16 and guided.noise.shape[1] == 13
    rough = Target(small.picture, factor=2).enlarged(small.picture)
    assert guided.guide.shape == (1, 3, 64, 64) and torch.equal(guided.guide[..., :40, :40], rough)
    before = guided.loss(0).item()
    guided.guide.zero_()
    assert guided.loss(0).item() != pytest.approx(before, rel=1e-3)


def test_equal_weights_of_luma_and_chroma_are_plain_rgb():
    a, b = target(), torch.rand(1, 3, 32, 32)
    plain = float(a.error(b))
    assert float(Target(a.picture, luma=2.0, chroma=2.0).error(b)) == pytest.approx(2 * plain, rel=1e-4)
    gray = a.picture + 0.1
    assert float(Target(a.picture, luma=0.5, chroma=3.0).error(gray)) == pytest.approx(0.005, rel=1e-3)


def test_only_known_pixels_count():
    known = torch.zeros(1, 1, 32, 32)
    known[..., :16] = 1
    a = target()
    drawn = a.picture.clone()
    drawn[..., 16:] = 5
    drawn[..., :16] += 0.1
    assert float(Target(a.picture, known).error(drawn)) == pytest.approx(0.01, rel=1e-3)


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(16, 128), st.integers(0, 64))
def test_tiles_of_one_size_cover_the_picture_and_lay_back_to_it(height, width, longest, overlap):
    picture = np.random.default_rng(0).random((height, width, 1)).astype(np.float32)
    cover = tiles(height, width, longest, overlap)
    assert len({(t.bottom - t.top, t.right - t.left) for t in cover}) == 1
    assert max(cover[0].bottom - cover[0].top, cover[0].right - cover[0].left) <= longest
    mosaic = Mosaic(height, width, 1, 1, overlap)
    for tile in cover:
        mosaic.lay(tile, tile.of(picture))
    assert np.allclose(mosaic.picture(), picture, atol=1e-5)


def test_halves_are_the_means_of_the_two_diagonals():
    first, second = halved(torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]]]))
    assert float(first) == 3 and float(second) == 2.5


def test_mixed_seeds_differ():
    assert len({mixed_seed(a, b, c) for a in range(8) for b in range(8) for c in range(8)}) == 512


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="psutil may be missing where the system does not tell")
def test_peak_memory_is_what_was_held_at_most():
    peak = PeakMemory(torch.device("cpu"))
    held = np.ones(2**23)
    peak.look()
    del held
    peak.look()
    assert 60e6 < peak.beyond < 100e6
