"""Further forms of an exported model: for timm, and in 8-bit integers for OpenVINO."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vecaf.errors import InputError, VecafError
from vecaf.export.inputs import random_images
from vecaf.export.model_files import ONNX
from vecaf.export.run_record import RunRecord
from vecaf.store import TEST, TRAIN

TIMM, INT8 = "timm", "int8"
FORMS = (TIMM, INT8)
MEASURED = 1_000
"""At most this many test images measure the accuracy of the runtimes."""


def check_forms(forms: Collection[str]) -> None:
    """Raise InputError for an unknown form, UnavailableError if a package is missing."""
    for form in forms:
        if form not in FORMS:
            raise InputError(f"There is no form '{form}'. Choose from: {', '.join(FORMS)}.")
    if INT8 in forms:
        from vecaf.export.int8 import check_packages

        check_packages()


def write_forms(record: RunRecord, folder: Path, forms: Collection[str]) -> list[str]:
    """Write the forms into an export, and return a description of each for the model card.

    Raises
    ------
    VecafError
        A form can't be written for this model.
    """
    found = []
    if TIMM in forms:
        found.append(_timm(record, folder))
    if INT8 in forms:
        found.append(_int8(record, folder))
    return found


def _timm(record: RunRecord, folder: Path) -> str:
    from vecaf.export.timm_folder import FOLDER, export_timm

    rows = random_images(record.samples, TRAIN, MEASURED, labeled=False)
    agreement = export_timm(folder, [record.samples.paths[row] for row in rows])
    return (
        f"The folder `{FOLDER}` loads with "
        f'`timm.create_model("local-dir:{FOLDER}", pretrained=True)`. Its '
        "backbone is that of this model. Its linear classifier approximates the classifier of the "
        f"run, which scales features to unit length: on {len(rows):,} images of the pool, both "
        f"predict the same class for {agreement:.1%}."
    )


def _int8(record: RunRecord, folder: Path) -> str:
    from vecaf.export.int8 import CALIBRATION, export_int8
    from vecaf.export.int8 import INT8 as FILE
    from vecaf.export.runtimes import measure_runtimes, table

    if not (folder / ONNX).exists():
        raise VecafError(
            f"int8 is made from {ONNX}, which could not be written for this model. Export without "
            "--int8."
        )
    samples = record.samples
    pool = random_images(samples, TRAIN, CALIBRATION, labeled=False)
    export_int8(folder, [samples.paths[row] for row in pool])
    text = (
        f"`{FILE}` is the model in 8-bit integers for OpenVINO. It was calibrated on "
        f"{len(pool):,} images of the pool. OpenVINO also reads `{ONNX}`, in float32."
    )
    test = random_images(samples, TEST, MEASURED, labeled=True)
    if not len(test):
        return (
            f"{text} The accuracy of these models was not measured, because the dataset has no "
            "labeled test images."
        )
    measured = measure_runtimes(folder, [samples.paths[row] for row in test], samples.labels[test])
    return f"{text} Measured on the machine that exported the run:\n\n{table(measured, len(test))}"
