"""The gallery's sheet of fits, which takes a minute: what is found looks as what was given."""

import pathlib

import numpy as np
import PIL.Image
import pytest

from tf_softras.gallery import draw_sheet

KEPT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "images" / "fits.png"


@pytest.mark.slow
def test_fits_find_what_they_are_given_the_right_way_round():
    sheet = draw_sheet("fits")

    def cell(row, column):
        # Cells of 112 pixels, gaps of 4, labels of 14 above.
        top, left = 4 + 130 * row + 14, 4 + 116 * column
        return np.float32(sheet[top : top + 112, left : left + 112])

    # Row, then the columns of what was given, of the start and of what was found.
    for row, given, start, found in ((0, 0, 1, 2), (1, 0, 1, 2), (2, 0, None, 1), (3, 0, None, 1)):
        error = np.abs(cell(row, given) - cell(row, found)).mean()
        # The error was at most 2.3 of 255. Mirrored pictures are off by 3.9 times as much or more.
        assert error < 4, (row, error)
        assert np.abs(cell(row, given)[:, ::-1] - cell(row, found)).mean() > 2.5 * error
        if start is not None:
            assert np.abs(cell(row, given) - cell(row, start)).mean() > 2 * error
    # The picture of the documentation, but for what other machines round otherwise.
    assert np.abs(np.float32(PIL.Image.open(KEPT)) - sheet).mean() < 3
