"""The names of classes: the 13 of the published tables, and all 55 of ShapeNetCore."""

from collections.abc import Iterable, Sequence

# The 13 classes of the published figures, in the order of Table 1 of the paper.
CLASS_SYNSETS = {
    "airplane": "02691156",
    "bench": "02828884",
    "cabinet": "02933112",
    "car": "02958343",
    "chair": "03001627",
    "display": "03211117",
    "lamp": "03636649",
    "loudspeaker": "03691459",
    "rifle": "04090263",
    "sofa": "04256520",
    "table": "04379243",
    "telephone": "04401088",
    "vessel": "04530566",
}
# The classes of ShapeNetCore v1 and v2, by the first word of each synset in WordNet 3.0.
SHAPENET_SYNSETS = {
    **CLASS_SYNSETS,
    "ashcan": "02747177",
    "bag": "02773838",
    "basket": "02801938",
    "bathtub": "02808440",
    "bed": "02818832",
    "birdhouse": "02843684",
    "bookshelf": "02871439",
    "bottle": "02876657",
    "bowl": "02880940",
    "bus": "02924116",
    "camera": "02942699",
    "can": "02946921",
    "cap": "02954340",
    "cellphone": "02992529",
    "clock": "03046257",
    "dishwasher": "03207941",
    "earphone": "03261776",
    "faucet": "03325088",
    "file": "03337140",
    "guitar": "03467517",
    "helmet": "03513137",
    "jar": "03593526",
    "keyboard": "03085013",
    "knife": "03624134",
    "laptop": "03642806",
    "mailbox": "03710193",
    "microphone": "03759954",
    "microwave": "03761084",
    "motorcycle": "03790512",
    "mug": "03797390",
    "piano": "03928116",
    "pillow": "03938244",
    "pistol": "03948459",
    "pot": "03991062",
    "printer": "04004475",
    "remote_control": "04074963",
    "rocket": "04099429",
    "skateboard": "04225987",
    "stove": "04330267",
    "tower": "04460130",
    "train": "04468005",
    "washer": "04554684",
}
_NAMES = {synset: name for name, synset in SHAPENET_SYNSETS.items()}


def class_name(folder: str) -> str:
    """Returns the class of a folder's name: a synset's name, or else the name itself.

    Example:
        >>> class_name("03797390"), class_name("my mugs")
        ('mug', 'my mugs')
    """
    return _NAMES.get(folder, folder)


def labels_of(classes: Iterable[str]) -> list[str]:
    """Returns the labels of a data set with these classes, in their order.

    Classes that are all among the 13 of the tables give these 13, so that labels mean the same in
    every such data set. With others, only those that are there count: the 13's first, in their
    order, then the others, sorted.

    Example:
        >>> labels_of(["mug", "chair", "airplane"])
        ['airplane', 'chair', 'mug']
        >>> len(labels_of(["chair"]))
        13
    """
    found = set(classes)
    others = sorted(found - set(CLASS_SYNSETS))
    return [name for name in CLASS_SYNSETS if name in found or not others] + others


def names_for(labels: Iterable[int], class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns a name for each label up to the largest.

    Args:
        labels: The labels of some examples.
        class_names: A data set's own (`builder.info.features["label"].names`), or None for the 13.
    """
    names = tuple(CLASS_SYNSETS if class_names is None else class_names)
    largest = max((int(label) for label in labels), default=-1)
    return names + tuple(f"class {label}" for label in range(len(names), largest + 1))
