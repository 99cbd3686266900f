"""The samplers on problems whose answer is known in closed form or by a very fine walk."""
from __future__ import annotations

import math
from dataclasses import replace

import lips_filling
import numpy as np
import pytest
import torch
from scipy.integrate import quad

from talkies.core.lipsync.samplers import grids, integration
from talkies.core.lipsync.samplers.adams import Adams
from talkies.core.lipsync.samplers.base import Level, Step, rms
from talkies.core.lipsync.samplers.ddim import Ddim
from talkies.core.lipsync.samplers.dpm_solver import DpmSolver2M, DpmSolver3M, DpmSolverSingle
from talkies.core.lipsync.samplers.presets import EVALUATIONS, SamplerName, preset, sampler
from talkies.core.lipsync.samplers.unipc import UniPC
from talkies.core.lipsync.schedule import ScheduleError, trained_signal

SIGNAL = trained_signal()
NAMES = SamplerName.__args__
MULTISTEP = [n for n in NAMES if n not in ("ddim", "dpm_2s", "dpm_3s")]


class Gauss:
    """Pictures around `mean` with a spread: the walk is known exactly."""

    mean, spread = 0.3, 0.4
    noise = torch.tensor(lips_filling.generator(3).standard_normal((6, 3, 4, 4)))

    def eps(self, x, timestep):
        a = SIGNAL[timestep]
        return (x - math.sqrt(a) * self.mean) * math.sqrt(1 - a) / (a * self.spread**2 + 1 - a)

    def answer(self):
        first, last = (SIGNAL[t] * self.spread**2 + 1 - SIGNAL[t] for t in (999, 0))
        x = math.sqrt(SIGNAL[0]) * self.mean + math.sqrt(last / first) * (self.noise - math.sqrt(SIGNAL[999]) * self.mean)
        return (x - math.sqrt(1 - SIGNAL[0]) * self.eps(x, 0)) / math.sqrt(SIGNAL[0])


class Mixture:
    """Equal Gaussians around drawn means, 60 walks; the answer by 1000 steps."""

    def __init__(self, seed, count, spread, dims=64):
        g = lips_filling.generator(seed)
        self.means, self.spread = torch.tensor(g.uniform(-0.8, 0.8, (count, dims))), spread
        self.noise = torch.tensor(g.standard_normal((60, dims)))
        self.answer = Adams(tuple(range(999, -1, -1))).sample(self.eps, self.noise).clean

    def eps(self, x, timestep):
        a = SIGNAL[timestep]
        variance = a * self.spread**2 + 1 - a
        off = x[:, None] - math.sqrt(a) * self.means
        inside = self.means + math.sqrt(a) * self.spread**2 / variance * off
        clean = (torch.softmax(-off.square().sum(-1) / (2 * variance), 1)[..., None] * inside).sum(1).clamp(-1, 1)
        return (x - math.sqrt(a) * clean) / math.sqrt(1 - a)

    def error(self, made):
        """Give the error of the median walk: of 60, one that decides for another mode would be all that the mean shows."""
        return float(rms(made.clean - self.answer).median())


@pytest.fixture(scope="module")
def gauss():
    return Gauss()


def free(name, evaluations, spacing="log_snr"):
    return replace(sampler(name, evaluations, spacing), clip=False)


@pytest.mark.parametrize(("name", "order"), [("dpm_2m", 1.7), ("dpm_3m", 2.5), ("dpm_2s", 1.7), ("dpm_3s", 2.3), ("unipc_2", 2.4),
                                             ("unipc_3", 2.5), ("adams", 2.5)])
def test_order_of_convergence(gauss, name, order):
    """Four times the evaluations must cut the error by 4 to the power of the order, or about."""
    few, many = (float(rms(free(name, n).sample(gauss.eps, gauss.noise).clean - gauss.answer()).mean()) for n in (12, 48))
    assert math.log(few / many, 4) > order, (few, many)


def test_ddim_is_first_order(gauss):
    few, many = (float(rms(Ddim(grids.grid("log_snr", n), clip=False).sample(gauss.eps, gauss.noise).clean - gauss.answer()).mean())
                 for n in (30, 120))
    assert 0.8 < math.log(few / many, 4) < 1.2


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_order_one_and_two_without_corrector_are_the_known_methods(gauss, order):
    steps = grids.grid("log_snr", 12)
    made = Adams(steps, order=order, corrects=False, clip=False).sample(gauss.eps, gauss.noise).clean
    if order == 1:  # over any variable a constant is a constant: DDIM
        torch.testing.assert_close(made, Ddim(steps, clip=False).sample(gauss.eps, gauss.noise).clean, atol=1e-5, rtol=0)
    else:
        assert float((made - Ddim(steps, clip=False).sample(gauss.eps, gauss.noise).clean).abs().max()) > 1e-3


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    """Promises that every sampler keeps."""

    @staticmethod
    def made(name):
        return sampler(name, 10)

    def test_a_picture_that_never_changes_is_found_exactly(self, name):
        picture = torch.tensor(lips_filling.generator(1).uniform(-0.9, 0.9, (2, 3, 4, 4))).float()
        noise = torch.tensor(lips_filling.generator(2).standard_normal((2, 3, 4, 4))).float()

        def eps(x, timestep):
            return (x - math.sqrt(SIGNAL[timestep]) * picture) / math.sqrt(1 - SIGNAL[timestep])

        torch.testing.assert_close(self.made(name).sample(eps, noise).clean, picture, atol=2e-5, rtol=0)

    def test_asks_as_often_as_it_says_at_descending_timesteps(self, name, gauss):
        asked = []
        chosen = self.made(name)
        made = chosen.sample(lambda x, t: asked.append(t) or gauss.eps(x, t), gauss.noise)
        assert tuple(asked) == chosen.timesteps and made.evaluations == chosen.evaluations == len(asked) == 10

    def test_every_picture_is_walked_alone(self, name, gauss):
        whole = self.made(name).sample(gauss.eps, gauss.noise)
        alone = self.made(name).sample(gauss.eps, gauss.noise[2:3])
        assert torch.equal(whole.clean[2:3], alone.clean)
        torch.testing.assert_close(whole.error[2:3], alone.error, equal_nan=True)

    def test_result_is_clipped(self, name, gauss):
        def bright(x, timestep):  # a picture of 3 everywhere
            return (x - 3 * math.sqrt(SIGNAL[timestep])) / math.sqrt(1 - SIGNAL[timestep])

        assert torch.equal(self.made(name).sample(bright, gauss.noise).clean, torch.ones_like(gauss.noise))

    def test_progress_and_watch_see_every_evaluation(self, name, gauss):
        told, seen = [], []
        made = self.made(name).sample(gauss.eps, gauss.noise, lambda done, total: told.append((done, total)), seen.append)
        assert told == [(i, 10) for i in range(1, 11)]
        assert [s.index for s in seen] == list(range(10)) and all(isinstance(s, Step) and s.count == 10 for s in seen)
        torch.testing.assert_close(seen[-1].clean, made.clean, atol=1e-6, rtol=0)

    def test_cancel_stops_at_once(self, name, gauss):
        asked = []

        def progress(done, total):
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.made(name).sample(lambda x, t: asked.append(t) or gauss.eps(x, t), gauss.noise, progress)
        assert len(asked) == 3

    def test_inputs_are_left_as_they_are_and_nothing_random_is_drawn(self, name, gauss):
        before, state = gauss.noise.clone(), torch.random.get_rng_state()
        twice = [self.made(name).sample(gauss.eps, gauss.noise).clean for _ in range(2)]
        assert torch.equal(before, gauss.noise) and torch.equal(*twice) and torch.equal(state, torch.random.get_rng_state())

    def test_error_is_estimated(self, name, gauss):
        error = self.made(name).sample(gauss.eps, gauss.noise).error
        if name == "ddim":
            assert bool(error.isnan().all())
            return
        finer = sampler(name, 40).sample(gauss.eps, gauss.noise).error
        assert error.shape == (6,) and bool((finer < error).all()) and bool((finer > 0).all())

    def test_estimate_looks_only_at_the_region(self, name, gauss):
        if name == "ddim":
            pytest.skip("DDIM has no estimate")
        noise = gauss.noise.clone()
        noise[:, :, :2] = gauss.mean  # no: a start at the mean stays near it, so the upper half hardly moves
        region = torch.zeros(1, 1, 4, 4)
        region[:, :, 2:] = 1
        whole, lower = (self.made(name).sample(gauss.eps, noise, region=r).error for r in (None, region))
        assert bool((lower > whole).all())


@pytest.mark.parametrize("evaluations", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "ddim"])
def test_few_evaluations_are_enough_to_run(name, evaluations, gauss):
    steps = (999,) if evaluations == 1 else grids.grid("sqrt_t", evaluations)
    made = replace(sampler(name, 10), timesteps=steps).sample(gauss.eps, gauss.noise)
    assert made.evaluations == evaluations and bool(torch.isfinite(made.clean).all())


@pytest.mark.parametrize(("seed", "count", "spread", "dims"), [(11, 1, 0.05, 64), (12, 8, 0.3, 64), (13, 8, 0.05, 64), (14, 8, 0.05, 2)])
def test_adams_in_12_beats_ddim50_and_in_20_ddim100(seed, count, spread, dims):
    problem = Mixture(seed, count, spread, dims)
    for ours, theirs in ((12, 50), (20, 100)):
        ddim = problem.error(Ddim.spaced(f"ddim{theirs}").sample(problem.eps, problem.noise))
        assert problem.error(sampler("adams", ours).sample(problem.eps, problem.noise)) < ddim


def test_drawing_over_log_snr_is_what_holds_the_others_back():
    problem = Mixture(12, 8, 0.3)
    ours, theirs = (problem.error(sampler(n, 12).sample(problem.eps, problem.noise)) for n in ("adams", "dpm_3m"))
    assert ours < theirs / 1.5


class TestGrids:
    """Whole timesteps, distinct, both ends in."""

    @pytest.mark.parametrize("spacing", ["sqrt_t", "log_snr", "t"])
    @pytest.mark.parametrize("count", [2, 5, 12, 100, 999, 1000])
    def test_shape(self, spacing, count):
        steps = grids.grid(spacing, count)
        assert len(steps) == count and steps[0] == 999 and steps[-1] == 0 and list(steps) == sorted(set(steps), reverse=True)

    def test_even_in_what_they_say(self):
        levels = grids.log_snrs()
        assert np.ptp(np.diff(levels[list(grids.grid("log_snr", 8))])) < 0.3
        assert np.ptp(np.diff(np.sqrt(grids.grid("sqrt_t", 8)))) < 0.3
        assert np.ptp(np.diff(grids.grid("t", 28))) == 0

    @pytest.mark.parametrize("count", [-1, 0, 1, 1001])
    def test_counts_that_cannot_be(self, count):
        with pytest.raises(ScheduleError, match="2 to 1000"):
            grids.grid("sqrt_t", count)

    def test_density_decides(self):
        places = np.linspace(0, 999, 50)
        steps = np.array(grids.equidistributed(places, np.where(places < 300, 9.0, 1.0), 40))
        assert (steps < 300).sum() > 28 and steps[0] == 999 and steps[-1] == 0


class TestIntegration:
    """The weights of beliefs against numerical integration."""

    @pytest.mark.parametrize("variable", ["t", "log_snr"])
    def test_weights(self, variable):
        levels = grids.log_snrs()
        nodes, end = (400, 520, 700), 310
        weights = integration.belief_weights(tuple(levels[list(nodes)]), levels[400], levels[end], variable)

        def drawn(level):
            return level if variable == "log_snr" else np.interp(-level, -levels, np.arange(1000))

        at = [drawn(levels[n]) for n in nodes]

        def integrand(level, own):
            return np.exp(level) * np.prod([(drawn(level) - at[o]) / (at[own] - at[o]) for o in range(3) if o != own])

        for own in range(3):
            value, _ = quad(integrand, levels[400], levels[end], args=(own,), limit=400)
            assert weights[own] == pytest.approx(value, rel=1e-5, abs=1e-6)

    def test_they_sum_to_the_way(self):
        levels = grids.log_snrs()
        for nodes in ((300,), (300, 500), (300, 500, 900, 950)):
            weights = integration.belief_weights(tuple(levels[list(nodes)]), levels[300], levels[100], "t")
            assert sum(weights) == pytest.approx(np.exp(levels[100]) - np.exp(levels[300]))

    def test_damping(self):
        assert Level.of(float(SIGNAL[0])).damping == pytest.approx(1, abs=1e-3) and Level.of(float(SIGNAL[999])).damping < 0.01


def test_rms_of_a_region():
    x = torch.zeros(2, 3, 4, 4)
    x[1, :, 2:] = 2
    region = torch.zeros(1, 1, 4, 4)
    region[:, :, 2:] = 1
    assert rms(x).tolist() == pytest.approx([0, math.sqrt(2)]) and rms(x, region).tolist() == pytest.approx([0, 2])


class TestNames:
    """Presets and samplers by name."""

    def test_presets_are_the_published_ddim(self):
        assert {n: preset(n).timesteps for n in EVALUATIONS} == {
            n: tuple(range(0, 1000, 1000 // c))[::-1] for n, c in {"fast": 10, "balanced": 25, "high": 50, "ultra": 100}.items()}

    def test_unknown_names(self):
        with pytest.raises(ValueError, match="fast, balanced, high, ultra"):
            preset("best")
        with pytest.raises(ValueError, match="adams, ddim"):
            sampler("euler", 10)

    @pytest.mark.parametrize("wrong", [(), (5, 5), (0, 999), (1000,)])
    def test_timesteps_that_cannot_be(self, wrong):
        for kind in (Ddim, Adams, UniPC, DpmSolver2M, DpmSolver3M, DpmSolverSingle):
            with pytest.raises(ValueError, match="timesteps"):
                kind(wrong)

    @pytest.mark.parametrize(("kind", "order"), [(Adams, 0), (Adams, 5), (UniPC, 4), (DpmSolverSingle, 1)])
    def test_orders_that_cannot_be(self, kind, order):
        with pytest.raises(ValueError, match="order"):
            kind((999, 500, 0), order=order)
