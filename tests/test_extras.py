"""A package that an extra brings, and that is not there, is one sentence."""

import doctest

import pytest

from tf_softras._shared import extras
from tf_softras._shared.extras import needs


def test_the_example_runs():
    results = doctest.testmod(extras)
    assert results.attempted and not results.failed


def test_what_names_its_extra_already_is_handed_on():
    with pytest.raises(ModuleNotFoundError, match="tf-softras\\[film\\]") as raised:
        with needs("all", "softras render"), needs("film", "An MP4"):
            import a_package_that_nobody_has  # noqa: F401
    assert "softras render" not in str(raised.value)


def test_a_module_of_ours_that_is_missing_is_no_matter_of_extras():
    with pytest.raises(ModuleNotFoundError, match="^No module named 'tf_softras.nowhere'"):
        with needs("all", "softras render"):
            import tf_softras.nowhere  # noqa: F401
