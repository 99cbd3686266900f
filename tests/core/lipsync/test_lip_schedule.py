"""The schedule and DDIM against goldens of the original, to the bit."""
from __future__ import annotations

import lips_filling
import numpy as np
import pytest
import torch

from talkies.core.lipsync.samplers.ddim import Ddim
from talkies.core.lipsync.schedule import ScheduleError, log_snr, respaced, schedule, trained_signal

COUNTS = (5, 10, 25, 50, 100)


@pytest.fixture(scope="module")
def goldens(shared):
    path = shared / "goldens" / "diff2lip" / "schedule.npz"
    if not path.is_file():
        pytest.skip("no goldens of Diff2Lip in ../shared")
    return np.load(path)


def test_trained_signal(goldens):
    np.testing.assert_array_equal(trained_signal(), goldens["base_alphas_cumprod"])


@pytest.mark.parametrize("count", COUNTS)
def test_tables(goldens, count):
    kept = respaced(f"ddim{count}")
    golden = {k.removeprefix(f"ddim{count}_"): goldens[k] for k in goldens.files if k.startswith(f"ddim{count}_")}
    assert list(kept.timesteps) == golden["timesteps_ascending"].tolist()
    np.testing.assert_array_equal(kept.signal, golden["alphas_cumprod"])
    np.testing.assert_array_equal(kept.previous_signal, golden["alphas_cumprod_prev"])
    np.testing.assert_array_equal(np.sqrt(1 / kept.signal), golden["sqrt_recip_alphas_cumprod"])
    np.testing.assert_array_equal(np.sqrt(1 / kept.signal - 1), golden["sqrt_recipm1_alphas_cumprod"])


@pytest.mark.parametrize("spacing", ["250", "ddim7", "ddim12", "ddim20"])
def test_spacings(goldens, spacing):
    assert list(respaced(spacing).timesteps) == goldens[f"respace_{spacing}"].tolist()


def test_sections_each_have_their_count():
    steps = np.array(respaced("10,5,3").timesteps)
    assert [int(((steps >= a) & (steps < b)).sum()) for a, b in ((0, 334), (334, 667), (667, 1000))] == [10, 5, 3]


@pytest.mark.parametrize(("spacing", "message"), [
    ("ddim999", r"nearest counts are \[500, 1000\]"), ("ddim0", "No whole stride"), ("sixteen", "must be such as"),
    ("ddim5,5", "must be such as"), ("", "must be such as"), ("1001", "cannot give 1001"), ("0", "cannot give 0"),
])
def test_impossible_spacings(spacing, message):
    with pytest.raises(ScheduleError, match=message):
        respaced(spacing)


@pytest.mark.parametrize("steps", [(), (5, 5), (-1, 3), (1000,)])
def test_impossible_timesteps(steps):
    with pytest.raises(ScheduleError, match="none twice"):
        schedule(steps)


def test_log_snr():
    assert log_snr(0.5) == 0 and log_snr(1.0) == float("inf") and log_snr(0.9) == -log_snr(1 - 0.9)


def toy_eps(x, timestep):
    return 0.9 * x + 0.2 * torch.sin(3 * x + 0.01 * torch.tensor(float(timestep)))


class TestDdim:
    """The sampler alone, on a formula in place of the network."""

    start = torch.tensor(lips_filling.generator(21).standard_normal((2, 3, 16, 16)).astype(np.float32))

    @pytest.mark.parametrize("count", COUNTS)
    @pytest.mark.parametrize("clip", [True, False], ids=["clipped", "free"])
    def test_to_the_bit(self, goldens, count, clip):
        made = Ddim(Ddim.spaced(f"ddim{count}").timesteps, clip=clip).sample(toy_eps, self.start).clean
        want = torch.tensor(goldens[f"toy_{'' if clip else 'noclip_'}ddim{count}_final"])
        # Equal to the bit with the vector library (AVX-512) of the machine that made the goldens; others may round a root otherwise.
        exact = "AVX512" in torch.backends.cpu.get_cpu_capability()
        torch.testing.assert_close(made, want, rtol=0, atol=0 if exact else 1e-5)

    def test_network_is_asked_at_the_trained_timesteps(self):
        asked = []
        Ddim.spaced("ddim25").sample(lambda x, t: asked.append(t) or x, self.start)
        assert asked == list(range(960, -1, -40))

    def test_eps_is_derived_again_from_the_clipped_picture(self, goldens):
        """A mutant: keeping the network's eps must not give the golden."""
        kept, x = respaced("ddim5"), self.start
        for place in range(4, -1, -1):
            signal, previous = kept.signal[place], kept.previous_signal[place]
            eps = toy_eps(x, kept.timesteps[place])
            clean = ((x - np.sqrt(1 - signal) * eps) / np.sqrt(signal)).clamp(-1, 1)
            x = np.sqrt(previous) * clean + np.sqrt(1 - previous) * eps
        assert float((x - torch.tensor(goldens["toy_ddim5_final"])).abs().max()) > 1e-3
