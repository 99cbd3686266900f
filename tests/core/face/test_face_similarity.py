"""The transforms between point sets, against the published numbers and against each other."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.face import similarity
from talkies.core.face.similarity import GeometryError
from talkies.core.face.template import template

SHAPE = np.array([[10.0, 12], [70, 15], [38, 60], [20, 80]])
numbers = st.floats(-300, 300)


@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), numbers, numbers)
@settings(max_examples=60, deadline=None)
def test_both_fits_recover_a_similarity_exactly(scale, angle, x, y):
    made = similarity.from_complex(np.array([scale * np.exp(1j * angle)]), np.array([x + 1j * y]))
    target = similarity.apply(made, SHAPE)
    for fit in (similarity.fit, similarity.fit_by_spread):
        assert np.allclose(fit(SHAPE[None], target), made, atol=1e-8 * (1 + scale * 100))


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_least_squares_is_least(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 30, (1, 5, 2)), rng.normal(0, 30, (5, 2))
    best = similarity.fit(source, target)

    def miss(m):
        return np.square(similarity.apply(m, source) - target).sum()

    for _ in range(8):
        factor, shift = similarity.to_complex(best)
        other = similarity.from_complex(factor + rng.normal(0, 0.01, 1), shift + rng.normal(0, 0.3, 1))
        assert miss(best) <= miss(other) + 1e-9


@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), numbers, numbers)
@settings(max_examples=40, deadline=None)
def test_inverse_undoes_and_compose_chains(scale, angle, x, y):
    made = similarity.from_complex(np.array([scale * np.exp(1j * angle)]), np.array([x + 1j * y]))
    assert np.allclose(similarity.compose(similarity.invert(made), made), np.eye(2, 3), atol=1e-8)
    assert np.allclose(similarity.apply(similarity.invert(made), similarity.apply(made, SHAPE)), SHAPE, atol=1e-6)
    assert np.isclose(similarity.scales(made)[0], scale)


def test_points_that_coincide_are_refused_by_frame():
    points = np.stack([SHAPE, np.full_like(SHAPE, 5)])
    with pytest.raises(GeometryError, match="frame 1"):
        similarity.fit(points, SHAPE)
    with pytest.raises(GeometryError, match="frame 0"):
        similarity.invert(np.zeros((1, 2, 3)))


def test_the_spread_fit_is_larger_on_noisy_points():
    rng = np.random.default_rng(0)
    noisy = SHAPE[None] + rng.normal(0, 6, (50, 4, 2))
    ratio = similarity.scales(similarity.fit_by_spread(noisy, SHAPE)) / similarity.scales(similarity.fit(noisy, SHAPE))
    assert (ratio >= 1 - 1e-12).all() and ratio.mean() > 1.001


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("name, points", [("synth", "synth_noisy"), ("real", "real_lm3")])
def test_plain_matrices_are_the_published_ones(goldens, size, name, points):
    made = similarity.fit_by_spread(np.round(goldens[points]), template(size).points)
    assert np.abs(made - goldens[f"{name}_M_{size}_plain"]).max() < 2e-3


def test_resize_keeps_the_corners():
    matrix = similarity.resize_matrix(20, 30, 40, 90)
    corners = np.array([[-0.5, -0.5], [29.5, 19.5]])
    assert np.allclose(similarity.apply(matrix[None], corners)[0], [[-0.5, -0.5], [89.5, 39.5]])


def test_natural_template_keeps_proportions_and_the_published_one_fills_the_square():
    published, natural = template(256), template(256, "natural")
    assert (published.height, published.width) == (280, 210) and (natural.height, natural.width) == (280, 280)
    brow, nose = published.square[:, :2] @ published.points[[0, 2]].T + published.square[:, 2:]
    assert np.allclose((brow[0], nose[0]), (58, 51), atol=0.6)
    assert np.isclose(natural.square[0, 0], natural.square[1, 1])
    assert np.isclose(natural.points[:, 0].mean(), 140, atol=0.01)
    with pytest.raises(ValueError, match="at least 16"):
        template(8)
