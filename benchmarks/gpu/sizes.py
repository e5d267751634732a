"""How much the GPU benchmark computes, and the rows of its table."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.figures import clock

HEADER = (
    "| computation | studio | reference | reference / studio | roofline | share of it | memory |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Sizes:
    """The size of every computation.

    Attributes
    ----------
    models
        timm names; their weights are random.
    image_size
        Side of the images in pixels.
    images, batch
        Number of embedded images, and of those in a batch.
    training_batch, steps
        Images of an optimizer step, and the number of steps.
    rows, width, budget
        n, d and k of the selection.
    selection_steps
        Optimizer steps of the selection.
    matrix
        Side of the matrices that measure the roofline.
    repeats
        Number of turns; the fastest counts.
    """

    models: tuple[str, ...] = ("vit_small_patch14_dinov2", "vit_base_patch16_224")
    image_size: int = 224
    images: int = 8192
    batch: int = 256
    training_batch: int = 64
    steps: int = 20
    rows: int = 1_281_167
    width: int = 384
    budget: int = 12_811
    selection_steps: int = 100
    matrix: int = 8192
    repeats: int = 3


TINY = Sizes(
    models=("vit_tiny_patch16_224",), image_size=32, images=12, batch=8, training_batch=4, steps=2,
    rows=600, width=16, budget=8, selection_steps=2, matrix=64, repeats=1,
)  # fmt: skip
"""For a dry run: everything is computed, and the times mean nothing."""


@dataclass(frozen=True)
class Measured:
    """A row of the table: times in seconds, memory in bytes (0 = not measured)."""

    name: str
    ours: float
    reference: tuple[str, float]
    roofline: float
    memory: int = 0

    def row(self) -> str:
        """Format the row below HEADER."""
        name, seconds = self.reference
        cells = [
            self.name,
            clock(self.ours),
            f"{name}: {clock(seconds)}",
            f"{seconds / self.ours:.2f}×",
            clock(self.roofline),
            f"{self.roofline / self.ours:.0%}",
            f"{self.memory / 2**30:.1f} GiB" if self.memory else "–",
        ]
        return f"| {' | '.join(cells)} |"
