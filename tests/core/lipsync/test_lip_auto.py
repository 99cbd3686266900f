"""`auto`: the bound is kept, finer bounds cost more, and a frame's result depends on nobody else."""
from __future__ import annotations

import math

import pytest
import torch
from lips_filling import generator

from talkies.core.lipsync.samplers import auto
from talkies.core.lipsync.samplers.adams import Adams
from talkies.core.lipsync.samplers.base import rms
from talkies.core.lipsync.schedule import trained_signal

SIGNAL = trained_signal()
COUNT = 24


class Soft:
    """Pictures ``[N,1,8,8]`` from a mixture of four, each a little uncertain."""

    means = torch.tensor(generator(5).uniform(-0.7, 0.7, (4, 64)))
    noise = torch.tensor(generator(6).standard_normal((COUNT, 1, 8, 8)))

    def eps(self, x, timestep):
        a = SIGNAL[timestep]
        variance = a * 0.3**2 + 1 - a
        off = x.flatten(1)[:, None] - math.sqrt(a) * self.means
        inside = self.means + math.sqrt(a) * 0.3**2 / variance * off
        clean = (torch.softmax(-off.square().sum(-1) / (2 * variance), 1)[..., None] * inside).sum(1).clamp(-1, 1)
        return (x - math.sqrt(a) * clean.reshape(x.shape)) / math.sqrt(1 - a)

    def answer(self):
        return Adams(tuple(range(999, -1, -1))).sample(self.eps, self.noise).clean


@pytest.fixture(scope="module")
def soft():
    return Soft()


@pytest.mark.parametrize("bound", [0.1, 0.05, 0.02, 0.01])
def test_prediction_and_result_keep_the_bound(soft, bound):
    chosen = auto.plan(soft.eps, soft.noise[::4], bound)
    assert chosen.kept and chosen.predicted <= bound
    made, spent = auto.sample_within(chosen, lambda rows: soft.eps, soft.noise)
    assert bool((made.error <= bound).all())
    assert float(rms(made.clean - soft.answer()).median()) < bound
    assert bool((spent >= chosen.sampler.evaluations).all())


def test_a_finer_bound_takes_more_evaluations(soft):
    counts = [auto.plan(soft.eps, soft.noise[::4], bound).sampler.evaluations for bound in (0.1, 0.03, 0.01)]
    assert counts == sorted(set(counts)) and counts[0] >= auto.FEWEST and counts[-1] <= auto.MOST


def test_the_default_needs_four_times_fewer_than_ddim50(soft):
    assert auto.plan(soft.eps, soft.noise[::4]).sampler.evaluations <= 12.5


def test_a_bound_out_of_reach_is_said(soft):
    chosen = auto.plan(soft.eps, soft.noise[:2], 1e-7)
    assert not chosen.kept and chosen.sampler.evaluations == auto.MOST and "above the bound" in chosen.to_text()


def test_the_text_names_what_was_used(soft):
    chosen = auto.plan(soft.eps, soft.noise[::4])
    text = chosen.to_text()
    assert f"{chosen.sampler.evaluations} evaluations" in text and str(list(chosen.sampler.timesteps)).strip("[]") in text
    assert f"{chosen.predicted:.4f}" in text and "within the bound 0.05" in text and "pilot: 40" in text


def test_a_frame_is_walked_as_if_alone(soft):
    chosen = auto.plan(soft.eps, soft.noise[:3], 0.04)
    whole, spent = auto.sample_within(chosen, lambda rows: soft.eps, soft.noise)
    for cut in (1, 7, 23):
        parts = [auto.sample_within(chosen, lambda rows: soft.eps, piece) for piece in (soft.noise[:cut], soft.noise[cut:])]
        assert torch.equal(torch.cat([p.clean for p, _ in parts]), whole.clean)
        assert torch.equal(torch.cat([s for _, s in parts]), spent)


def test_frames_above_the_bound_are_walked_again_and_only_those(soft):
    tight = auto.Plan(Adams((999, 700, 450, 250, 110, 30, 0)), 0.04, 0.04, 0)
    first = tight.sampler.sample(soft.eps, soft.noise).error
    asked = []
    made, spent = auto.sample_within(tight, lambda rows: asked.append(rows.tolist()) or soft.eps, soft.noise)
    assert asked[0] == list(range(COUNT))
    assert asked[1] == torch.nonzero(first > 0.04).flatten().tolist() and 0 < len(asked[1]) < COUNT
    same = first <= 0.04
    assert bool((spent[same] == 7).all()) and bool((spent[~same] >= 7 + 13).all())
    assert torch.equal(made.clean[same], tight.sampler.sample(soft.eps, soft.noise).clean[same])
    assert bool((made.error[~same] < first[~same]).all())


def test_only_the_region_counts(soft):
    region = torch.zeros(1, 1, 8, 8)
    region[..., 4:, :] = 1

    def half_still(x, timestep):  # the upper half is grey and known
        eps = soft.eps(x, timestep)
        eps[..., :4, :] = x[..., :4, :] / math.sqrt(1 - SIGNAL[timestep])
        return eps

    whole, lower = (auto.plan(half_still, soft.noise[::4], 0.03, r) for r in (None, region))
    assert lower.sampler.evaluations > whole.sampler.evaluations


def test_refined_keeps_what_was_there():
    steps = auto.refined((999, 500, 100, 2, 1, 0))
    assert set(steps) > {999, 500, 100, 2, 1, 0} and list(steps) == sorted(set(steps), reverse=True) and len(steps) == 9


def test_a_picture_that_never_moves(soft):
    picture = torch.full((2, 1, 8, 8), 0.25, dtype=torch.float64)
    chosen = auto.plan(lambda x, t: (x - math.sqrt(SIGNAL[t]) * picture) / math.sqrt(1 - SIGNAL[t]), soft.noise[:2])
    assert chosen.sampler.evaluations == auto.FEWEST and chosen.predicted < 1e-5


@pytest.mark.parametrize(("bound", "pilot"), [(0, 40), (-1, 40), (math.nan, 40), (0.05, 5)])
def test_refused(soft, bound, pilot):
    with pytest.raises(ValueError, match="bound above 0"):
        auto.plan(soft.eps, soft.noise[:1], bound, pilot_evaluations=pilot)


def test_progress_and_cancel(soft):
    told = []
    auto.plan(soft.eps, soft.noise[:1], progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 40) for i in range(1, 41)]

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auto.plan(soft.eps, soft.noise[:1], progress=cancel)
    with pytest.raises(KeyboardInterrupt):
        auto.sample_within(auto.Plan(Adams((999, 0)), 0.1, 0.1, 0), lambda rows: soft.eps, soft.noise, cancel)
