"""Procedural objects by class: any number of meshes, without a file or a licence.

They stand as ShapeNet's objects do: y is up, left and right lie along x, and fronts (an airplane's
nose, a car's hood, the seat of a sofa) look towards -z.
"""

import hashlib
import numbers
from collections.abc import Callable

import numpy as np

from tf_softras.datasets.procedural.airplanes import add_airplane
from tf_softras.datasets.procedural.lamps import add_lamp
from tf_softras.datasets.procedural.solids import Assembly
from tf_softras.geometry import Mesh


def procedural_mesh(name: str, number: int) -> Mesh:
    """Returns a mesh of a class, of longest side 1 about the origin, with colours of faces.

    Args:
        name: One of `PROCEDURAL_CLASSES`.
        number: int of at least 0: which one. The same name and number always give the same mesh.

    Raises:
        ValueError: There is no such class, or `number` is not as above.

    Example:
        >>> procedural_mesh("airplane", 0).normalized().vertices.max().round(3)
        0.5
    """
    if name not in _SHAPES:
        raise ValueError(f"name: expected one of {', '.join(_SHAPES)}; received {name!r}")
    if not isinstance(number, numbers.Integral) or isinstance(number, bool) or number < 0:
        raise ValueError(f"number: expected an integer of at least 0; received {number!r}")
    digest = hashlib.sha256(f"{name}/{number}".encode()).digest()
    solids = Assembly()
    _SHAPES[name](solids, np.random.default_rng(list(digest)))
    return solids.mesh().normalized()


def _color(random, *, bright=(0.15, 0.95), saturation=0.5):
    """Returns a random colour, more often pale than strong."""
    grey = random.uniform(*bright)
    return np.clip(grey + saturation * random.beta(1, 3) * random.uniform(-1, 1, 3), 0.02, 0.98)


def _airplane(solids: Assembly, random) -> None:
    body, paint = _color(random, bright=(0.3, 0.95)), _color(random)
    add_airplane(solids, random, body, paint, _color(random))


def _rifle(solids: Assembly, random) -> None:
    metal, wood = _color(random, bright=(0.08, 0.4)), _color(random, bright=(0.1, 0.5))
    thick = random.uniform(0.04, 0.15)
    body_end, body_begin = random.uniform(0.1, 0.2), random.uniform(-0.25, -0.05)
    deep = random.uniform(0.06, 0.19)
    middle = (body_begin + body_end) / 2
    solids.box((0, 0, middle), (thick, deep, body_end - body_begin), metal)
    barrel = random.uniform(0.012, 0.035)
    solids.rod((0, 0.2 * deep, -0.5), (0, 0.2 * deep, body_begin + 0.02), barrel, metal)
    guard = random.uniform(0.3, 0.8) * (body_begin + 0.5)
    solids.box((0, 0.05 * deep, body_begin - guard / 2), (0.8 * thick, 0.6 * deep, guard), wood)
    drop = random.uniform(0.0, 0.08)
    if random.random() < 0.85:
        solids.fin(
            (-drop - random.uniform(0.06, 0.12), 0.36, 0.5), (0.3 * deep, body_end - 0.04, 0.5),
            wood, thickness=0.8 * thick,
        )  # fmt: skip
    grip = random.uniform(0.08, 0.14)
    solids.fin(
        (-0.5 * deep - grip, body_end - 0.02, body_end + 0.03),
        (-0.3 * deep, body_end - 0.07, body_end - 0.01), wood, thickness=0.8 * thick,
    )  # fmt: skip
    if random.random() < 0.7:
        long, lean = random.uniform(0.06, 0.2), random.uniform(-0.05, 0.02)
        at = body_begin + random.uniform(0.2, 0.5) * (body_end - body_begin)
        solids.fin(
            (-0.5 * deep - long, at + lean - 0.03, at + lean + 0.03),
            (-0.3 * deep, at - 0.03, at + 0.03), metal, thickness=0.6 * thick,
        )  # fmt: skip
    if random.random() < 0.5:
        solids.rod(
            (0, deep, middle - 0.08), (0, deep, middle + 0.09), random.uniform(0.014, 0.028), metal
        )
        solids.box((0, 0.7 * deep, middle), (0.5 * thick, 0.5 * deep, 0.04), metal)


def _vessel(solids: Assembly, random) -> None:
    hull, deck = _color(random), _color(random, bright=(0.4, 0.95))
    half, deep = random.uniform(0.035, 0.19), random.uniform(0.025, 0.11)
    blunt = random.uniform(0.1, 0.45)
    sections = [(-0.5, 0, 0.35 * deep, 0.06 * half, 0.5 * deep)]
    for share in (0.35, 0.7, 1.0):
        rise = 0.25 * deep * (1 - share)
        sections.append(
            (-0.5 + blunt * share, 0, rise, half * share**0.7, deep * (0.7 + 0.3 * share))
        )
    sections += [
        (0.3, 0, 0, half, deep),
        (0.5, 0, 0.1 * deep, half * random.uniform(0.5, 1), 0.85 * deep),
    ]
    solids.loft(sections, hull, power=random.uniform(2.5, 5.0))
    kind = random.choice(["ship", "yacht", "sail"], p=[0.6, 0.3, 0.1])
    if kind == "sail":
        mast = random.uniform(0.5, 0.95)
        solids.rod((0, 0, -0.05), (0, mast, -0.05), 0.01, deck)
        solids.fin(
            (0.14, -0.04, random.uniform(0.25, 0.42)),
            (mast - 0.03, -0.04, 0.0),
            deck,
            thickness=0.012,
        )
        if random.random() < 0.7:
            solids.fin((0.12, -0.46, -0.08), (mast * 0.85, -0.12, -0.07), deck, thickness=0.012)
        solids.box((0, deep + 0.03, 0.15), (half, 0.06, 0.25), deck, top=(0.8, 0.8))
        return
    y, z = 0.9 * deep, random.uniform(-0.15, 0.3)
    length, wide = random.uniform(0.12, 0.4), random.uniform(1.1, 1.6) * half
    for _ in range(random.integers(1, 5)):
        tall = random.uniform(0.02, 0.055)
        solids.box(
            (0, y + tall / 2, z), (wide, tall, length), deck, top=(0.92, random.uniform(0.7, 1))
        )
        y, length, wide = (
            y + tall,
            length * random.uniform(0.5, 0.9),
            wide * random.uniform(0.6, 0.95),
        )
    if kind == "ship" and random.random() < 0.6:
        funnel = random.uniform(0.03, 0.08)
        solids.revolve([(0, 0.03), (funnel, 0.025)], _color(random), center=(0, y - 0.01, z + 0.03))
    if random.random() < 0.6:
        solids.rod(
            (0, y - 0.02, z - 0.03), (0, y + random.uniform(0.04, 0.16), z - 0.03), 0.008, deck
        )
    if kind == "ship" and random.random() < 0.4:
        for at in np.linspace(-0.3, z - 0.35, random.integers(1, 4)):
            solids.box((0, deep + 0.03, at), (1.3 * half, 0.06, 0.1), _color(random))


def _telephone(solids: Assembly, random) -> None:
    color, dark = _color(random), _color(random, bright=(0.03, 0.3))
    wide, thick = random.uniform(0.35, 0.6), random.uniform(0.05, 0.2)
    if random.random() < 0.4:  # A mobile telephone, upright.
        solids.box((0, 0, 0), (wide, 1.0, thick), color)
        high = random.uniform(0.3, 0.85)
        solids.box((0, 0.45 - high / 2, -thick / 2), (0.85 * wide, high, 0.02), dark)
        if random.random() < 0.3:
            solids.rod((0.4 * wide, 0.4, 0), (0.4 * wide, 0.75, 0), 0.03, dark)
        return
    solids.box(
        (0, 0, 0), (0.8, 0.22, 1.0), color, top=(random.uniform(0.6, 1), random.uniform(0.5, 0.9))
    )
    x = random.choice([-0.28, 0.0])
    solids.box((x, 0.18, 0), (0.18, 0.1, 0.95), dark)
    for z in (-0.38, 0.38):
        solids.box((x, 0.13, z), (0.2, 0.14, 0.2), dark)


def _bench(solids: Assembly, random) -> None:
    color, metal = _color(random), _color(random, bright=(0.05, 0.5))
    deep, high, thick = (
        random.uniform(0.22, 0.38),
        random.uniform(0.12, 0.28),
        random.uniform(0.02, 0.05),
    )
    solids.box((0, high, 0), (1.0, thick, deep), color)
    if random.random() < 0.65:
        up, lean = random.uniform(0.1, 0.26), random.uniform(0.0, 0.06)
        for share in np.linspace(0.3, 1.0, random.integers(1, 4)):
            solids.box(
                (0, high + share * up, deep / 2 + share * lean), (1.0, 0.25 * up, thick), color
            )
        for x in (-0.42, 0.42):
            solids.rod((x, high, deep / 2), (x, high + up, deep / 2 + lean), 0.02, metal)
    if random.random() < 0.5:
        for x in (-0.4, 0.4):
            solids.box((x, high / 2, 0), (random.uniform(0.04, 0.12), high, 0.85 * deep), metal)
    else:
        for x in (-0.44, 0.44):
            for z in (-0.4 * deep, 0.4 * deep):
                solids.rod((x, 0, z), (x, high, z), 0.02, metal)
    if random.random() < 0.35:
        for x in (-0.47, 0.47):
            solids.box((x, high + 0.15, 0), (0.04, 0.03, deep), metal)
            solids.rod((x, high, -0.4 * deep), (x, high + 0.15, -0.4 * deep), 0.015, metal)


def _display(solids: Assembly, random) -> None:
    color, glass = _color(random, bright=(0.05, 0.7)), _color(random, bright=(0.02, 0.5))
    wide = 1.0
    high, thick = random.uniform(0.45, 0.75), random.uniform(0.03, 0.1)
    tube = random.random() < 0.15
    y = high / 2 + random.uniform(0.03, 0.16)
    solids.box((0, y, 0), (wide, high, thick), color)
    solids.box((0, y, -thick / 2), (0.92 * wide, 0.88 * high, 0.01), glass)
    if tube:
        deep = random.uniform(0.3, 0.7)
        solids.loft(
            [(0, 0, y, 0.48 * wide, 0.48 * high), (deep, 0, y, 0.25 * wide, 0.25 * high)],
            color, power=8.0,
        )  # fmt: skip
    solids.rod((0, 0, 0.05), (0, y, 0.03), random.uniform(0.02, 0.07), color)
    foot = random.uniform(0.2, 0.45)
    if random.random() < 0.5:
        solids.revolve([(0, foot / 2), (0.03, foot / 2.2)], color, center=(0, -0.01, 0.05))
    else:
        solids.box((0, 0.0, 0.05), (foot, 0.03, random.uniform(0.15, 0.4)), color)


def _loudspeaker(solids: Assembly, random) -> None:
    color, cone = _color(random), _color(random, bright=(0.02, 0.4))
    wide, deep = random.uniform(0.25, 0.7), random.uniform(0.25, 0.6)
    solids.box((0, 0, 0), (wide, 1.0, deep), color, top=(random.uniform(0.8, 1.0), 1.0))
    for y, radius in ((-0.2, 0.36 * wide), (0.22, random.uniform(0.12, 0.33) * wide)):
        solids.loft([(-deep / 2 - 0.02, 0, y, radius, radius), (0, 0, y, radius, radius)], cone)
    if random.random() < 0.4:
        solids.box((0, -0.52, 0), (1.2 * wide, 0.05, 1.2 * deep), cone)


def _car(solids: Assembly, random) -> None:
    paint, glass = _color(random, saturation=1.0), _color(random, bright=(0.05, 0.35))
    kind = random.choice(["sedan", "hatch", "van", "pickup", "truck", "racer"],
                         p=[0.32, 0.22, 0.16, 0.1, 0.12, 0.08])  # fmt: skip
    half = random.uniform(0.14, 0.2) if kind == "truck" else random.uniform(0.16, 0.23)
    floor, wheel = random.uniform(0.03, 0.09), random.uniform(0.05, 0.09)
    hood = random.uniform(0.12, 0.18) if kind == "racer" else random.uniform(0.15, 0.26)
    middle, tall = (floor + hood) / 2, (hood - floor) / 2
    low = random.uniform(0.75, 1.0)  # How flat the front's and the rear's ends are.
    solids.loft(
        [(-0.5, 0, middle - 0.01, 0.9 * half, 0.8 * low * tall), (-0.42, 0, middle, half, tall),
         (0.42, 0, middle + 0.01, half, 1.04 * tall), (0.5, 0, middle, 0.9 * half, 0.85 * tall)],
        paint, power=5.0,
    )  # fmt: skip
    # The cabin reaches from `front` to `rear`; its roof is shorter by the slant of the windows.
    front, rear, roof, slant = {
        "sedan": ((-0.28, -0.1), (0.22, 0.38), (0.27, 0.38), (0.08, 0.2)),
        "hatch": ((-0.32, -0.15), (0.38, 0.49), (0.3, 0.46), (0.02, 0.16)),
        "van": ((-0.49, -0.36), (0.44, 0.5), (0.32, 0.5), (0.0, 0.1)),
        "pickup": ((-0.3, -0.16), (0.02, 0.18), (0.32, 0.46), (0.02, 0.12)),
        "truck": ((-0.5, -0.44), (-0.3, -0.2), (0.34, 0.56), (0.0, 0.05)),
        "racer": ((-0.2, -0.05), (0.15, 0.32), (0.2, 0.28), (0.08, 0.2)),
    }[kind]
    front, rear = random.uniform(*front), random.uniform(*rear)
    roof, lean = max(random.uniform(*roof), hood + 0.04), random.uniform(*slant)
    back = 0.4 * lean if kind != "sedan" else 0.9 * lean
    solids.fin(
        (hood - 0.03, front, rear), (roof, front + lean, rear - back),
        glass if random.random() < 0.4 else paint, thickness=random.uniform(1.6, 1.95) * half,
    )  # fmt: skip
    if kind == "truck":
        load = random.uniform(0.8, 1.1) * roof
        solids.box((0, (load + hood) / 2, 0.13 + rear / 2), (1.9 * half, load - hood + 0.06, 0.7),
                   _color(random))  # fmt: skip
    if kind == "racer" and random.random() < 0.5:
        solids.box((0, hood + 0.07, 0.45), (1.8 * half, 0.015, 0.08), paint)
        solids.box((0, hood + 0.02, 0.45), (0.03, 0.1, 0.05), paint)
    axle = random.uniform(0.27, 0.35)
    for x in (-half + 0.02, half - 0.02):
        for z in (-axle, axle - 0.02):
            solids.rod(
                (x - 0.03, wheel, z), (x + 0.03, wheel, z), wheel, (0.06, 0.06, 0.06), sides=12
            )


def _lamp(solids: Assembly, random) -> None:
    add_lamp(solids, random, _color(random, bright=(0.4, 0.95)), _color(random))


def _sofa(solids: Assembly, random) -> None:
    color, foot = _color(random), _color(random, bright=(0.05, 0.4))
    deep, seat = random.uniform(0.35, 0.5), random.uniform(0.13, 0.21)
    back, arm = random.uniform(0.3, 0.46), random.uniform(0.05, 0.12)
    solids.box((0, seat / 2 + 0.02, 0), (1.0, seat, deep), color)
    solids.box((0, back / 2 + 0.02, deep / 2 - 0.05), (1.0, back, 0.13), color, top=(1.0, 0.8))
    if random.random() < 0.85:
        high = random.uniform(seat + 0.04, back)
        for x in (-0.5 + arm / 2, 0.5 - arm / 2):
            solids.box((x, high / 2 + 0.02, 0), (arm, high, deep), color)
    for x in (-0.44, 0.44):
        for z in (-0.4 * deep, 0.4 * deep):
            solids.box((x, 0.0, z), (0.04, 0.06, 0.04), foot)


_SHAPES: dict[str, Callable[[Assembly, np.random.Generator], None]] = {
    "airplane": _airplane,
    "bench": _bench,
    "car": _car,
    "display": _display,
    "lamp": _lamp,
    "loudspeaker": _loudspeaker,
    "rifle": _rifle,
    "sofa": _sofa,
    "telephone": _telephone,
    "vessel": _vessel,
}
PROCEDURAL_CLASSES = tuple(_SHAPES)
"""The classes that have a shape, sorted."""
