"""Initial heads from class means and from class names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.training import initialization
from vecaf.training.batches import LabeledFeatures
from vecaf.training.initialization import (
    SCALES,
    SHRINKAGES,
    decay_toward,
    initialize_from_means,
    initialize_from_text,
    remaining_loss_share,
)
from vecaf.training.model import Head


def clusters(n: int, classes: int = 4, d: int = 12) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(3)
    labels = rng.integers(classes, size=n)
    stretch = np.linspace(0.2, 3, d)  # uninformative directions have the largest variance
    rows = rng.normal(size=(classes, d))[labels] + stretch * rng.normal(size=(n, d))
    return torch.tensor(rows, dtype=torch.float32), torch.from_numpy(labels)


def initialized(n: int, classes: int = 4, val: int = 0) -> tuple[Head, Tensor, Tensor]:
    features, labels = clusters(2000)
    head = Head(torch.zeros(12), classes)
    chosen = slice(1000, 1000 + val)
    train = LabeledFeatures(features[:n], labels[:n])
    initialize_from_means(head, train, LabeledFeatures(features[chosen], labels[chosen]))
    return head, features[1000:], labels[1000:]


def test_the_head_matches_the_definition_of_linear_discriminants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(initialization, "SHRINKAGES", (share := 0.2,))
    head, _, _ = initialized(600)
    x, y = (part[:600].numpy().astype(np.float64) for part in clusters(2000))
    means = np.stack([x[y == c].mean(axis=0) for c in range(4)])
    s = np.cov((x - means[y.astype(int)]).T, bias=True)
    shrunk = (1 - share) * s + share * np.trace(s) / 12 * np.eye(12)
    weight = np.linalg.solve(shrunk, means.T).T
    ratio = head.linear.weight.detach().numpy() / weight
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
    bias = -0.5 * ratio[0, 0] * (weight * means).sum(axis=1)
    np.testing.assert_allclose(head.linear.bias.detach().numpy(), bias, rtol=1e-3)


def test_it_beats_the_nearest_mean_where_directions_have_unequal_variance() -> None:
    head, features, labels = initialized(800)
    found = float((head(features).argmax(dim=1) == labels).float().mean())
    x, y = clusters(2000)
    means = torch.stack([x[:800][y[:800] == c].mean(dim=0) for c in range(4)])
    nearest = float((torch.cdist(features, means).argmin(dim=1) == labels).float().mean())
    assert found > nearest + 0.05


def test_validation_chooses_scale_and_shrinkage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loss() -> tuple[float, float]:
        """Return the losses on the validation rows and on other rows."""
        head, features, labels = initialized(60, val=400)
        with torch.no_grad():
            losses = F.cross_entropy(head(features), labels, reduction="none")
        return float(losses[:400].mean()), float(losses[400:].mean())

    own, unseen = loss()
    one_each = []
    for scale, shrinkage in itertools.product(SCALES, SHRINKAGES):
        monkeypatch.setattr(initialization, "SCALES", (scale,))
        monkeypatch.setattr(initialization, "SHRINKAGES", (shrinkage,))
        one_each.append(loss())
    assert own == min(decided for decided, _ in one_each)
    assert unseen <= min(other for _, other in one_each) * 1.05
    assert max(other for _, other in one_each) > 1.5 * unseen


def test_a_class_without_rows_is_never_predicted() -> None:
    head, _, _ = initialized(600, classes=6)
    assert torch.isfinite(head.linear.weight).all()
    near_means = clusters(2000)[0][:600]
    assert int(head(near_means).argmax(dim=1).max()) <= 3


@pytest.mark.parametrize("val", [0, 2, 5, 60])
@pytest.mark.parametrize("n", [1, 4, 9, 24])
def test_few_rows_in_many_dimensions_do_not_make_it_overconfident(n: int, val: int) -> None:
    """An overconfident head would start far above the loss of a uniform prediction."""
    rng = np.random.default_rng(n)
    labels = torch.from_numpy(np.arange(800) % 4)
    losses = []
    for _ in range(6):
        centers = rng.normal(size=(4, 600))
        rows = torch.from_numpy(centers[labels] + 3 * rng.normal(size=(800, 600))).float()
        rows = F.normalize(rows, dim=1)
        wrong = torch.from_numpy(rng.random(n) < 0.25)
        noisy = torch.where(wrong, (labels[:n] + 1) % 4, labels[:n])
        head = Head(torch.zeros(600), 4)
        held_out = LabeledFeatures(rows[100 : 100 + val], labels[100 : 100 + val])
        initialize_from_means(head, LabeledFeatures(rows[:n], noisy), held_out)
        with torch.no_grad():
            losses.append(float(F.cross_entropy(head(rows[200:]), labels[200:])))
    assert np.mean(losses) < np.log(4) + 0.1


def test_many_rows_without_validation_make_it_useful() -> None:
    head, features, labels = initialized(800)
    with torch.no_grad():
        assert float(F.cross_entropy(head(features), labels)) < 0.7 * np.log(4)


def test_labels_decide_how_much_the_names_count() -> None:
    features, labels = clusters(200)
    right = torch.linalg.lstsq(features, F.one_hot(labels, 4).float()).solution.T
    right /= (features @ right.T).std()
    head = Head(torch.zeros(12), 4)
    train = LabeledFeatures(features, labels)
    initialize_from_text(head, right, train)
    torch.testing.assert_close(head.linear.weight.detach(), right)
    initialize_from_text(head, -right, train)
    assert not head.linear.weight.any()


def test_the_remaining_loss_is_a_share_of_a_uniform_prediction() -> None:
    features, labels = torch.eye(4).repeat(2, 1), torch.arange(4).repeat(2)
    head, train = Head(torch.zeros(4), 4), LabeledFeatures(features, labels)
    assert remaining_loss_share(head, train) == pytest.approx(1)
    assert remaining_loss_share(head, LabeledFeatures(features[:0], labels[:0])) == 1
    with torch.no_grad():
        head.linear.weight.copy_(torch.log(torch.tensor(3.0)) * torch.eye(4))  # probability ½
    assert remaining_loss_share(head, train) == pytest.approx(np.log(2) / np.log(4))
    few = LabeledFeatures(features[:4], labels[:4])  # a linear model can fit them exactly
    assert remaining_loss_share(head, few) == 1
    assert remaining_loss_share(head, LabeledFeatures(features, labels.flip(0))) == 1
    one_class = LabeledFeatures(features, torch.zeros_like(labels))
    assert remaining_loss_share(Head(torch.zeros(4), 1), one_class) == 1


def test_weight_decay_pulls_toward_the_anchor() -> None:
    head, anchor = Head(torch.zeros(12), 4), torch.ones(4, 12)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1, weight_decay=0.5)
    decay_toward(optimizer, head.linear.weight, anchor)
    for _ in range(200):
        head.linear.weight.grad = torch.zeros(4, 12)
        optimizer.step()
    torch.testing.assert_close(head.linear.weight.detach(), anchor, rtol=1e-3, atol=0)
