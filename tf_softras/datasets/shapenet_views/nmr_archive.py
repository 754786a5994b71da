"""Reads the renders of the Neural 3D Mesh Renderer, object by object.

SYNSET_SPLIT_images.npz  arr_0: uint8 [num_objects, 24, 4, 64, 64], RGB and alpha
SYNSET_SPLIT_voxels.npz  arr_0: bool [num_objects, 32, 32, 32]

The files lie in a folder or in a ZIP file. Colours are composited on white and then inverted, so
the background is 0. Voxel axes are (+y, -z, +x) of our world. We derived both conventions from the
authors' code, so `check_axes` tests whether the voxels fit the pictures.
"""

import contextlib
import dataclasses
import hashlib
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS
from tf_softras.datasets.shapenet_views.mesh_folder import SPLITS
from tf_softras.datasets.shapenet_views.object_views import Rendering
from tf_softras.datasets.shapenet_views.sources import Example, Problem
from tf_softras.datasets.shapenet_views.voxel_pictures import AXIS_ORDERS, overlap, reordered
from tf_softras.geometry.cameras import N3MR_NUM_VIEWS, eye_from_angles, n3mr_views

ARCHIVE_NAME = "mesh_reconstruction_dataset.zip"
ARCHIVE_MD5 = "cde0353519427992c1183232ebff74e8"
IMAGES_SHAPE = (N3MR_NUM_VIEWS, 4, 64, 64)
VOXELS_SHAPE = (32, 32, 32)

_FILE_NAME = re.compile(r"(?P<synset>[0-9]{8})_(?P<split>[a-z]+)_(?P<kind>images|voxels)\.npz")
# The published archive has 7,000 objects at most; a header that says far more is wrong.
_MAX_OBJECTS = 1_000_000
# zipfile and NumPy's reader of headers raise these for a damaged file.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, OSError, RuntimeError,
    NotImplementedError,
)  # fmt: skip
# The check of axes takes every 7th view; share and IoU have to reach these values.
_CHECKED_VIEWS = slice(None, None, 7)
_MIN_SHARE, _MIN_IOU = 0.9, 0.7
# Mirrored voxels of a symmetric object fit almost as well; smaller differences count as ties.
_IOU_TOLERANCE = 0.01


class NmrArchiveError(SoftrasError, ValueError):
    """The archive or one of its files differs from the published one."""


@dataclasses.dataclass(frozen=True)
class NmrFiles:
    """A `Source`: the two files of one class in one split."""

    synset: str
    split: str
    images: str
    voxels: str
    archive: str | None = None

    @property
    def name(self) -> str:
        """SYNSET_SPLIT, the beginning of the files' names."""
        return f"{self.synset}_{self.split}"

    def examples(self, rendering: Rendering) -> Iterator[Example | Problem]:
        """Yields an example for each object, or one problem if a file is damaged.

        Both files are read twice. The first pass compares the checksum, which stands at the end of
        a file, so no example comes from a damaged one.
        """
        del rendering
        try:
            with self._arrays() as (images, voxels):
                for index, pair in enumerate(zip(images, voxels, strict=True)):
                    yield self._example(index, *pair)
        except NmrArchiveError as error:
            yield Problem(self.name, str(error))

    def first(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the first object's stored pictures and voxels, or None if they are unreadable."""
        try:
            with self._arrays() as (images, voxels):
                return next(zip(images, voxels, strict=True), None)
        except NmrArchiveError:
            return None

    @contextlib.contextmanager
    def _arrays(self):
        with contextlib.ExitStack() as stack:
            arrays = [
                stack.enter_context(_open_array(self.archive, *rest))
                for rest in (
                    (self.images, IMAGES_SHAPE, np.uint8),
                    (self.voxels, VOXELS_SHAPE, np.bool_),
                )
            ]
            counts = [array.count for array in arrays]
            if counts[0] != counts[1]:
                raise NmrArchiveError(
                    f"{self.name}: expected as many pictures as voxels; received {counts[0]} in "
                    f"'{self.images}', {counts[1]} in '{self.voxels}'"
                )
            yield arrays

    def _example(self, index: int, images: np.ndarray, voxels: np.ndarray) -> Example | Problem:
        name = f"{self.synset}/{self.split}_{index:05d}"
        if not images[:, 3].any() or not voxels.any():
            return Problem(name, "expected pictures and voxels of an object; received empty ones")
        labels = {synset: label for label, synset in CLASS_SYNSETS.items()}
        return name, {
            "images": restored_images(images),
            "voxels": restored_voxels(voxels),
            "cameras": n3mr_views(),
            "label": labels[self.synset],
            "model_id": name.split("/")[1],
        }


def restored_images(images: np.ndarray) -> np.ndarray:
    """Returns the data set's pictures of stored ones, uint8 `[views, 4, height, width]`.

    Formula: stored = 255 - (alpha colour + (1 - alpha) 255) = alpha (255 - colour).

    Returns:
        uint8 `[views, height, width, 4]`: straight colours, 0 where alpha is 0. Colours are coarse
        where alpha is small, because few of their bits were stored.
    """
    images = np.moveaxis(images, 1, -1)
    alpha = images[..., 3:].astype(np.float32) / 255.0
    colors = 255.0 - images[..., :3] / np.maximum(alpha, 1.0 / 255.0)
    colors = np.where(alpha > 0.0, np.clip(np.rint(colors), 0.0, 255.0), 0.0)
    return np.concatenate([colors.astype(np.uint8), images[..., 3:]], axis=-1)


def restored_voxels(voxels: np.ndarray) -> np.ndarray:
    """Returns stored voxels, axes (+y, -z, +x), as bool [x, y, z]."""
    return np.ascontiguousarray(reordered(voxels, (2, 0, 1), (1, 1, -1)))


def find_files(folder) -> tuple[list[NmrFiles], list[Problem]]:
    """Returns the pairs of files in a folder or in its one ZIP file, and the files without a pair.

    Raises:
        FileNotFoundError: `folder` is not a folder.
        NmrArchiveError: the folder holds no pair, more than one ZIP file or a broken one; or a file
            of the published archive's name with another MD5.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"'{folder}': expected a folder with {ARCHIVE_NAME}; received none")
    archive = _zip_file(folder)
    if archive is None:
        paths = sorted(path for path in folder.rglob("*.npz") if path.is_file())
        files, problems = _paired({str(path): path.name for path in paths}, archive=None)
    else:
        members, problems = _members(archive)
        files, others = _paired(members, archive=str(archive))
        problems += others
    if not files:
        raise NmrArchiveError(
            f"'{folder}': expected {ARCHIVE_NAME}, or pairs of SYNSET_SPLIT_images.npz and "
            "SYNSET_SPLIT_voxels.npz of the 13 classes; received "
            + ("; ".join(f"{one.name}: {one.reason}" for one in problems) or "none")
        )
    return files, problems


def check_axes(files: Iterable[NmrFiles]) -> None:
    """Checks that voxels fit pictures, for the first object of each class.

    Raises:
        NmrArchiveError: the voxels do not cover the masks; or another order of axes fits better; or
            the mean IoU over all 13 classes is low. A class of thin objects may have a low IoU.
    """
    by_class = {}
    for one in sorted(files, key=lambda one: ("val", "test", "train").index(one.split)):
        if one.synset not in by_class and (first := one.first()) is not None:
            by_class[one.synset] = first
    if not by_class:
        return
    eyes = np.asarray(eye_from_angles(**n3mr_views()))[_CHECKED_VIEWS]
    scores = np.mean(
        [
            [
                overlap(reordered(voxels, *order), images[_CHECKED_VIEWS, 3], eyes)
                for order in AXIS_ORDERS
            ]
            for images, voxels in (
                (images, restored_voxels(voxels))
                for images, voxels in by_class.values()
                if voxels.any()
            )
        ],
        axis=0,
    )
    iou, share = scores[0]
    best = int(np.argmax(scores[:, 0]))
    low = len(by_class) == len(CLASS_SYNSETS) and iou < _MIN_IOU
    if share < _MIN_SHARE or low or scores[best, 0] > iou + _IOU_TOLERANCE:
        raise NmrArchiveError(
            "voxels: expected axes in the order (+y, -z, +x) that cover the pictures' masks "
            f"(share {_MIN_SHARE}, IoU {_MIN_IOU} over all classes); received share {share:.2f} "
            f"and IoU {iou:.2f} over {len(by_class)} classes. The order and steps "
            f"{AXIS_ORDERS[best]} of these axes would give IoU {scores[best, 0]:.2f}"
        )


def _zip_file(folder: pathlib.Path) -> pathlib.Path | None:
    archives = sorted(folder.glob("*.zip"))
    if len(archives) > 1:
        raise NmrArchiveError(
            f"'{folder}': expected one ZIP file; received "
            f"{', '.join(path.name for path in archives)}"
        )
    if archives and archives[0].name == ARCHIVE_NAME:
        with archives[0].open("rb") as file:
            md5 = _md5(file)
        if md5 != ARCHIVE_MD5:
            raise NmrArchiveError(
                f"'{archives[0]}': expected the published archive, MD5 {ARCHIVE_MD5}; received MD5 "
                f"{md5}. Fetch it again; an archive of your own needs another name"
            )
    return archives[0] if archives else None


def _md5(file: IO[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


def _members(archive: pathlib.Path) -> tuple[dict[str, str], list[Problem]]:
    """Returns {member: file name} of an archive, and the members whose paths lead out of it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [one.filename for one in opened.infolist() if not one.is_dir()]
    except _DAMAGED as error:
        raise NmrArchiveError(f"'{archive}': expected a ZIP file; received {error}") from None
    members, problems = {}, []
    for name in names:
        path = pathlib.PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            problems.append(Problem(name, "a name that leads out of the archive"))
        elif path.suffix == ".npz":
            members[name] = path.name
    return members, problems


def _paired(names: dict[str, str], *, archive) -> tuple[list[NmrFiles], list[Problem]]:
    """Returns pairs of images and voxels, class by class, and the files without a pair."""
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    for path, name in sorted(names.items()):
        match = _FILE_NAME.fullmatch(name)
        if (
            match is None
            or match["synset"] not in CLASS_SYNSETS.values()
            or match["split"] not in SPLITS
        ):
            problems.append(Problem(path, "not SYNSET_SPLIT_images.npz of a class, nor _voxels"))
            continue
        kinds = pairs.setdefault((match["synset"], match["split"]), {})
        if match["kind"] in kinds:
            problems.append(Problem(path, f"a second file {name}"))
        else:
            kinds[match["kind"]] = path
    files = []
    for (synset, split), kinds in pairs.items():
        if len(kinds) == 2:
            files.append(NmrFiles(synset, split, **kinds, archive=archive))
        else:
            (path,) = kinds.values()
            problems.append(Problem(path, "has no file of images or voxels beside it"))
    return files, problems


@dataclasses.dataclass(frozen=True)
class _StoredArray:
    """An array in a file. Iterating reads one item at a time."""

    file: IO[bytes]
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def __iter__(self) -> Iterator[np.ndarray]:
        size = int(np.prod(self.shape)) * self.dtype.itemsize
        for _ in range(self.count):
            with _named(self.file.name):
                data = self.file.read(size)
                if len(data) < size:
                    raise EOFError("fewer bytes than its header says")
            # NumPy does not take bytes other than 0 and 1 for bool.
            raw = np.frombuffer(data, np.uint8 if self.dtype == bool else self.dtype)
            yield (raw != 0 if self.dtype == bool else raw).reshape(self.shape)


@contextlib.contextmanager
def _named(path):
    """Turns errors of a damaged file into one sentence that names the file."""
    try:
        yield
    except NmrArchiveError:
        raise
    except _DAMAGED as error:
        raise NmrArchiveError(
            f"'{path}': expected a whole .npz file; received {type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def _open_array(archive, path: str, shape, dtype) -> Iterator[_StoredArray]:
    """Opens `arr_0` of an .npz file, which may lie in the ZIP file `archive`."""
    with contextlib.ExitStack() as stack:
        with _named(path):
            file: str | IO[bytes] = path
            if archive is not None:
                file = stack.enter_context(stack.enter_context(zipfile.ZipFile(archive)).open(path))
            npz = stack.enter_context(zipfile.ZipFile(file))
            with npz.open("arr_0.npy") as member:
                _md5(member)  # Reads to the end, where zipfile compares the checksum.
            size = npz.getinfo("arr_0.npy").file_size
            member = stack.enter_context(npz.open("arr_0.npy"))
            count = _checked_header(path, member, size, shape, np.dtype(dtype))
        yield _StoredArray(member, count, shape, np.dtype(dtype))


def _checked_header(path, member: IO[bytes], size: int, shape, dtype: np.dtype) -> int:
    """Returns the header's number of items; reads nothing else and unpickles nothing."""
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of NumPy's format")
    reader = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
    received, fortran_order, kind = reader(member)
    if kind != dtype or received[1:] != shape or fortran_order or received[0] > _MAX_OBJECTS:
        what = "pickled objects" if kind.hasobject else f"{kind} {list(received)}"
        raise NmrArchiveError(
            f"'{path}': expected {dtype} [num_objects, {', '.join(map(str, shape))}]; received "
            f"{what}{', in Fortran order' if fortran_order else ''}"
        )
    expected = member.tell() + int(np.prod(received, dtype=np.int64)) * dtype.itemsize
    if size != expected:
        raise NmrArchiveError(f"'{path}': expected {expected} bytes; received {size}")
    return received[0]
