"""The pictures of a run: what stands where on a contact sheet, and that a curve is drawn."""

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from tests.shapes import RADII, ellipsoid, tiny_config
from tf_softras.geometry import icosphere
from tf_softras.sheets._contact_sheet import _GAP, _HEADER, CELL
from tf_softras.training import RunFolder, RunFolderError, contact_sheet, training_curve


class _TrueShapes:
    faces = icosphere(2).faces

    def __call__(self, images):
        assert images.shape == (2, 16, 16, 4) and 0.9 < images.max() <= 1.0
        return np.stack([ellipsoid(radii).vertices for radii in RADII[2:]])


def _cell(sheet, row, column):
    top, left = _HEADER + row * (CELL + _GAP), _GAP + column * (CELL + _GAP)
    # Without the name that is written into the first.
    return sheet[top + 16 : top + CELL, left : left + CELL].astype(float) / 255


def _silhouette_iou(sheet, true_row, predicted_row, column):
    true = 1 - _cell(sheet, true_row, column)[..., 0]
    # Blue has 0.1 of red: 1 - 0.9 * mask.
    predicted = (1 - _cell(sheet, predicted_row, column + 1)[..., 0]) / 0.9
    return np.minimum(true, predicted).sum() / np.maximum(true, predicted).sum()


def test_rows_show_input_silhouettes_true_and_predicted_and_the_mesh(dataset, tmp_path):
    path = tmp_path / "pictures" / "sheet.png"
    contact_sheet(_TrueShapes(), dataset.skip(2), path, input_view=1, num_views=2)
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (_HEADER + 2 * (CELL + _GAP) + _GAP, 7 * (CELL + _GAP) + _GAP, 3)
    for row in range(2):
        picture = _cell(sheet, row, 0)
        # The first view that is compared is the input's: its silhouette is not white there.
        true = 1 - _cell(sheet, row, 1)[..., 0]
        assert ((picture < 0.99).any(axis=-1) == (true > 0.01)).all()
        for column in (1, 3):
            # Not 1: the data set takes 4 samples a pixel here, the sheet 16.
            assert _silhouette_iou(sheet, row, row, column) > 0.9
            assert _silhouette_iou(sheet, row, 1 - row, column) < 0.6
        mesh = _cell(sheet, row, 5)
        assert ((mesh < 0.99).any(axis=-1) & (1 - _cell(sheet, row, 1)[..., 0] > 0.99)).any()


def test_predicted_silhouettes_have_no_pale_lines_between_faces(dataset, tmp_path):
    path = tmp_path / "sheet.png"
    contact_sheet(_TrueShapes(), dataset.skip(2), path, input_view=1, num_views=2)
    sheet = np.asarray(Image.open(path))
    true, predicted = 1 - _cell(sheet, 0, 1)[..., 0], (1 - _cell(sheet, 0, 2)[..., 0]) / 0.9
    # More than one of the 16 pixels (8 of the cell's 128) away from the outline.
    inside = scipy.ndimage.minimum_filter(true, size=17) == 1
    assert inside.sum() > 16 * 64
    # Eq. 2 gives 0.75 along an edge.
    assert predicted[inside].min() > 0.99


def test_sheet_needs_an_example_and_views_that_there_are(dataset, tmp_path):
    with pytest.raises(ValueError, match="expected at least one"):
        contact_sheet(_TrueShapes(), [], tmp_path / "sheet.png")
    for options in ({"input_view": 6}, {"num_views": 7}, {"num_views": 0}):
        with pytest.raises(ValueError, match=r"expected input_view in \[0, 6\)"):
            contact_sheet(_TrueShapes(), dataset, tmp_path / "sheet.png", **options)
    assert not list(tmp_path.iterdir())


def test_curve_is_drawn_of_what_was_logged(tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny_config())
    with pytest.raises(RunFolderError, match="expected a whole epoch"):
        training_curve(folder, tmp_path / "curve.png")
    rows = [
        {"step": 10, "loss": 0.5, "val_loss": float("nan"), "silhouette_iou": 0.4},
        {"step": 20, "loss": 0.4, "val_loss": 0.6, "silhouette_iou": 0.5},
    ]
    folder.record(rows, monitor="silhouette_iou")
    training_curve(folder, tmp_path / "curve.png")
    picture = np.asarray(Image.open(tmp_path / "curve.png").convert("RGB"))
    assert picture.shape == (400, 1000, 3)
    # Matplotlib's first colour, in both panels: a line was drawn.
    blue = (np.abs(picture.astype(int) - (31, 119, 180)) < 8).all(axis=-1)
    assert blue[:, :500].any() and blue[:, 500:].any()
