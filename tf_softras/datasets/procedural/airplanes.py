"""Procedural airplanes: liners, jets, light airplanes, propeller twins and gliders.

The fuselage reaches from z = -0.5, the nose, to z = 0.5; all lengths are shares of it.
"""

import numpy as np

from tf_softras.datasets.procedural.solids import Assembly

# Each kind's share of the airplanes.
_KINDS = {"liner": 0.4, "light": 0.25, "jet": 0.15, "twin": 0.12, "glider": 0.08}

# Uniform ranges. Those of lengths, angles and proportions are where 15,000 airplanes of wider
# ranges had their best 3D IoU with 168 real ones. "low" and "upsweep" are shares of the fuselage's
# half height, "tall" of its half width; "sweep" and "rise" are shares of a half span.
_RANGES = {
    "liner": {
        "width": (0.043, 0.068), "tall": (0.95, 1.2), "nose": (0.08, 0.18), "tail": (0.22, 0.4),
        "upsweep": (0.25, 0.75), "thickness": (0.019, 0.045),
        "span": (0.38, 0.55), "root": (0.15, 0.25), "kink": (0.05, 0.45), "taper": (0.17, 0.42),
        "sweep": (0.37, 0.75), "lead": (-0.23, -0.07), "low": (-0.8, 0.2), "rise": (-0.02, 0.12),
        "fin_height": (0.11, 0.18), "fin_chord": (0.12, 0.23), "fin_lean": (0.45, 1.15),
        "tail_span": (0.12, 0.22), "tail_chord": (0.085, 0.15), "tail_sweep": (0.38, 0.85),
        "end": (0.45, 0.53),
    },
    "jet": {
        "width": (0.042, 0.075), "tall": (0.85, 1.3), "nose": (0.18, 0.38), "tail": (0.08, 0.27),
        "upsweep": (0.03, 0.33), "thickness": (0.018, 0.038),
        "span": (0.22, 0.44), "root": (0.3, 0.62), "kink": (0.0, 0.0), "taper": (0.08, 0.44),
        "sweep": (0.5, 1.5), "lead": (-0.25, 0.04), "low": (-0.3, 0.75), "rise": (-0.08, 0.06),
        "fin_height": (0.1, 0.155), "fin_chord": (0.15, 0.28), "fin_lean": (0.55, 1.3),
        "tail_span": (0.12, 0.26), "tail_chord": (0.11, 0.2), "tail_sweep": (0.5, 1.2),
        "end": (0.41, 0.54),
    },
    "light": {
        "width": (0.058, 0.095), "tall": (1.0, 1.52), "nose": (0.06, 0.19), "tail": (0.43, 0.65),
        "upsweep": (0.05, 0.55), "thickness": (0.024, 0.056),
        "span": (0.57, 0.81), "root": (0.165, 0.28), "kink": (0.0, 0.0), "taper": (0.56, 0.93),
        "sweep": (-0.07, 0.1), "lead": (-0.33, -0.16), "low": (-0.8, 1.0), "rise": (0.02, 0.11),
        "fin_height": (0.105, 0.2), "fin_chord": (0.12, 0.235), "fin_lean": (0.3, 0.93),
        "tail_span": (0.175, 0.28), "tail_chord": (0.09, 0.185), "tail_sweep": (0.03, 0.36),
        "end": (0.43, 0.53),
    },
    "twin": {
        "width": (0.053, 0.077), "tall": (0.94, 1.26), "nose": (0.12, 0.24), "tail": (0.32, 0.5),
        "upsweep": (0.18, 0.7), "thickness": (0.023, 0.045),
        "span": (0.52, 0.71), "root": (0.11, 0.21), "kink": (0.0, 0.3), "taper": (0.38, 0.75),
        "sweep": (0.01, 0.2), "lead": (-0.22, -0.05), "low": (-0.75, 0.9), "rise": (0.015, 0.1),
        "fin_height": (0.125, 0.2), "fin_chord": (0.14, 0.24), "fin_lean": (0.35, 0.9),
        "tail_span": (0.165, 0.26), "tail_chord": (0.078, 0.14), "tail_sweep": (0.05, 0.42),
        "end": (0.43, 0.53),
    },
    "glider": {
        "width": (0.031, 0.057), "tall": (0.95, 1.3), "nose": (0.11, 0.24), "tail": (0.52, 0.7),
        "upsweep": (0.05, 0.7), "thickness": (0.016, 0.038),
        "span": (0.85, 1.4), "root": (0.1, 0.17), "kink": (0.0, 0.0), "taper": (0.4, 0.85),
        "sweep": (-0.04, 0.05), "lead": (-0.28, -0.07), "low": (-0.3, 0.7), "rise": (0.01, 0.09),
        "fin_height": (0.125, 0.19), "fin_chord": (0.095, 0.195), "fin_lean": (0.2, 0.7),
        "tail_span": (0.135, 0.235), "tail_chord": (0.053, 0.123), "tail_sweep": (0.04, 0.26),
        "end": (0.445, 0.51),
    },
}  # fmt: skip

# The chances of where engines are.
_ENGINES = {
    "liner": {"wing": 0.68, "wing, four": 0.12, "rear": 0.2},
    "jet": {"intakes": 0.6, "inside": 0.4},
    "light": {"nose": 0.8, "inside": 0.2},
    "twin": {"propellers": 0.88, "propellers, four": 0.12},
    "glider": {"inside": 1.0},
}
# The chances of a tailplane on top of the fin, of none, of two fins, and of wheels.
_HIGH_TAIL = {"liner": 0.25, "light": 0.07, "twin": 0.28, "glider": 0.35}
_NO_TAIL = {"jet": 0.33}
_TWO_FINS = {"jet": 0.25}
_WHEELS = {"light": 0.75, "twin": 0.3}


def add_airplane(solids: Assembly, random: np.random.Generator, body, paint, detail) -> None:
    """Adds an airplane; see `procedural_mesh`.

    Args:
        solids: What it is added to.
        random: What its kind and proportions are drawn from.
        body: Colour of the fuselage, three numbers in [0, 1].
        paint: Colour of the tail and of some wings.
        detail: Colour of engines and wheels.
    """
    kind = _choice(random, _KINDS)
    size = {name: random.uniform(*ends) for name, ends in _RANGES[kind].items()}
    size["height"] = size["width"] * size["tall"]
    _fuselage(solids, size, body)
    wing = _wing(solids, size, paint if random.random() < 0.4 else body)
    _tail(solids, random, kind, size, paint)
    _engines(solids, random, kind, size, wing, detail)
    if random.random() < _WHEELS.get(kind, 0.0):
        _wheels(solids, size, detail)
    if random.random() < (1.0 if kind == "jet" else 0.4):
        glass = [(z, 0.0, 0.8 * size["height"], 0.5 * size["width"] * r, 0.5 * size["height"] * r)
                 for z, r in ((-0.36, 0.2), (-0.28, 1.0), (-0.14, 0.3))]  # fmt: skip
        solids.loft(glass, (0.15, 0.2, 0.25), sides=10)


def _choice(random, chances: dict[str, float]) -> str:
    return str(random.choice(list(chances), p=list(chances.values())))


def _fuselage(solids, size, color) -> None:
    width, height = size["width"], size["height"]
    sections = [(-0.5, 0.0, -0.3 * height, 0.15 * width, 0.15 * height)]
    for t in (0.3, 0.65, 1.0):
        low = -0.25 * height * (1.0 - t)
        sections.append((-0.5 + size["nose"] * t, 0.0, low, width * t**0.5, height * t**0.5))
    for t in (1.0, 0.66, 0.33, 0.0):
        up = height * size["upsweep"] * (1.0 - t) ** 2
        sections.append(
            (0.5 - size["tail"] * t, 0.0, up,
             width * (0.15 + 0.85 * t), height * (0.17 + 0.83 * t))
        )  # fmt: skip
    solids.loft(sections, color)


def _wing(solids, size, color):
    """Adds the wing and returns (x, y, z of the leading edge) at a share of the half span."""
    span, root, kink = size["span"], size["root"], size["kink"]
    low, rise, back = size["low"] * size["height"], span * size["rise"], span * size["sweep"]

    def leading(share):
        return share * span, low + share * rise, size["lead"] + share * back

    def edge(share, chord):
        x, y, z = leading(share)
        return x, y, z, z + chord

    tip = edge(1.0, root * size["taper"])
    if kink > 0.1:
        # Liners have a deeper inner wing.
        inner = 0.35
        middle = edge(inner, root * (1.0 - inner * (1.0 - size["taper"])))
        thick = 1.3 * size["thickness"]
        solids.wing(edge(0.0, root * (1.0 + kink)), middle, color, thickness=thick)
        solids.wing(middle, tip, color, thickness=size["thickness"])
    else:
        solids.wing(edge(0.0, root), tip, color, thickness=size["thickness"])
    return leading


def _tail(solids, random, kind, size, color) -> None:
    height, rise, chord, end = size["height"], size["fin_height"], size["fin_chord"], size["end"]
    lean = size["fin_lean"] * rise
    lower = (0.2 * height, end - chord, end)
    upper = (rise + 0.8 * height, end - chord + lean, end - 0.5 * chord + lean)
    if random.random() < _TWO_FINS.get(kind, 0.0):
        for side in (-1, 1):
            solids.fin(lower, upper, color, thickness=0.016, x=0.06 * side)
    else:
        solids.fin(lower, upper, color, thickness=0.02)
    if random.random() < _NO_TAIL.get(kind, 0.0):
        return
    high = random.random() < _HIGH_TAIL.get(kind, 0.0)
    y = rise + 0.75 * height if high else 0.6 * size["upsweep"] * height
    span, deep = size["tail_span"], size["tail_chord"]
    begin = end - deep + (0.9 * lean - 0.4 * chord if high else 0.0)
    back = begin + span * size["tail_sweep"]
    solids.wing(
        (0.0, y, begin, begin + deep), (span, y, back, back + 0.5 * deep), color, thickness=0.018
    )


def _engines(solids, random, kind, size, wing, color) -> None:
    where = _choice(random, _ENGINES[kind])
    radius, length = random.uniform(0.02, 0.036), random.uniform(0.1, 0.17)
    first = random.uniform(0.28, 0.38)
    shares = (first, 0.62) if "four" in where else (first,)

    def pods(x, y, z):
        for side in (-1, 1):
            profile = ((z, 0.9), (z + 0.3 * length, 1.0), (z + length, 0.6))
            sections = [(at, side * x, y, radius * r, radius * r) for at, r in profile]
            solids.loft(sections, color, sides=12)

    if where == "rear":
        pods(size["width"] + 0.8 * radius, 0.4 * size["height"], 0.52 - size["tail"])
    elif where == "intakes":
        for side in (-1, 1):
            center = (side * size["width"], -0.1 * size["height"], 0.1)
            solids.box(center, (0.8 * size["width"], 1.1 * size["height"], 0.6), color)
    elif where == "nose":
        solids.box((0, 0, -0.515), (random.uniform(0.18, 0.28), 0.025, 0.01), color)
    for share in shares if where.startswith(("wing", "propellers")) else ():
        x, y, z = wing(share)
        if where.startswith("wing"):
            pods(x, y - 1.1 * radius, z - 0.45 * length)
            continue
        front = z - 0.5 * length
        pods(x, y, front)
        for side in (-1, 1):
            solids.box((side * x, y, front), (0.12, 0.02, 0.01), color)


def _wheels(solids, size, color) -> None:
    low = -size["height"] - 0.06
    for x in (-0.1, 0.1):
        z = size["lead"] + 0.05
        solids.rod((0.3 * x, -0.5 * size["height"], z), (x, low, z), 0.01, color)
        solids.box((x, low - 0.01, z), (0.02, 0.055, 0.055), color)
    solids.box((0, low + 0.01, -0.4), (0.02, 0.08, 0.045), color)
