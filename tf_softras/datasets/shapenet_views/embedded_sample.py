"""The meshes that come with the package."""

import pathlib
import re
import zipfile

SAMPLE_PATH = pathlib.Path(__file__).with_name("sample_cc0.zip")

# The files of the archive. Anything else, such as a path that leaves the folder, is refused.
_MEMBER = re.compile(
    r"index\.csv|LICENSE\.txt|[0-9]{8}/[0-9a-z]+/models/model_normalized\.(obj|mtl)"
)
_MAX_BYTES = 64 * 2**20


def unpack_sample(folder, *, path=SAMPLE_PATH) -> None:
    """Unpacks the embedded meshes into `folder`, in ShapeNet's layout with an index.csv.

    Raises:
        ValueError: the archive is damaged, or holds a name or a size that it should not.
    """
    folder = pathlib.Path(folder)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(path, members)
            for member in members:
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"'{path}': expected a ZIP archive; received a damaged one: {error}"
        ) from None


def _check_members(path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        if not _MEMBER.fullmatch(member.filename):
            raise ValueError(
                f"'{path}': expected index.csv and SYNSET/MODEL/models/model_normalized.obj or "
                f".mtl; received the name {member.filename!r}"
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MAX_BYTES:
        raise ValueError(
            f"'{path}': expected at most {_MAX_BYTES} bytes unpacked; received {unpacked}"
        )
