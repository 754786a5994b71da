"""Procedural lamps: on tables and floors, on bent arms, hanging, with several arms, and lanterns.

y = 0 is the foot, or the lowest end of what hangs; whoever adds a lamp scales it afterwards.
"""

import numpy as np

from tf_softras.datasets.procedural.solids import Assembly


def add_lamp(solids: Assembly, random: np.random.Generator, shade, metal) -> None:
    """Adds a lamp; see `procedural_mesh`.

    Args:
        solids: What it is added to.
        random: What its kind and proportions are drawn from.
        shade: Colour of what shines, three numbers in [0, 1].
        metal: Colour of the rest.
    """
    kinds = {
        _table_lamp: 0.27,
        _floor_lamp: 0.13,
        _arm_lamp: 0.16,
        _pendant: 0.24,
        _chandelier: 0.1,
        _lantern: 0.1,
    }
    kind = random.choice(len(kinds), p=list(kinds.values()))
    list(kinds)[kind](solids, random, shade, metal)


def _table_lamp(solids, random, shade, metal) -> None:
    tall, foot = random.uniform(0.3, 0.8), random.uniform(0.07, 0.17)
    square = random.random() < 0.25
    if square:
        solids.box((0, 0.02, 0), (2 * foot, 0.04, 2 * foot), metal)
    else:
        solids.revolve([(0, foot), (random.uniform(0.02, 0.05), 0.6 * foot)], metal)
    solids.rod((0, 0, 0), (0, tall, 0), random.uniform(0.012, 0.035), metal)
    if random.random() < 0.5:  # A body of pottery or glass.
        wide = random.uniform(0.05, 0.14)
        solids.revolve([(0.02, 0.5 * wide), (0.3 * tall, wide), (0.75 * tall, 0.3 * wide)], metal)
    low, high = random.uniform(0.1, 0.24), random.uniform(0.14, 0.36)
    top = low * random.uniform(0.4, 1.0)
    if square:
        middle = tall + high / 2 - 0.06
        solids.box((0, middle, 0), (1.6 * low, high, 1.6 * low), shade, top=(top / low, top / low))
    else:
        solids.revolve([(tall - 0.06, low), (tall - 0.06 + high, top)], shade)


def _floor_lamp(solids, random, shade, metal) -> None:
    tall, foot = random.uniform(0.9, 1.7), random.uniform(0.08, 0.18)
    solids.revolve([(0, foot), (random.uniform(0.02, 0.05), 0.6 * foot)], metal)
    solids.rod((0, 0, 0), (0, tall, 0), random.uniform(0.01, 0.03), metal)
    low, high = random.uniform(0.08, 0.26), random.uniform(0.1, 0.32)
    if random.random() < 0.3:  # It shines upwards.
        solids.revolve([(tall - 0.05, 0.4 * low), (tall - 0.05 + 0.5 * high, low)], shade)
    else:
        solids.revolve([(tall - 0.05, low), (tall - 0.05 + high, random.uniform(0.4, 1) * low)],
                       shade)  # fmt: skip


def _arm_lamp(solids, random, shade, metal) -> None:
    """A foot, an arm with an elbow in the plane x = 0, and a head that looks down from its end."""
    foot, thick = random.uniform(0.1, 0.2), random.uniform(0.012, 0.03)
    solids.revolve([(0, foot), (random.uniform(0.03, 0.08), 0.7 * foot)], metal)
    tall, lean = random.uniform(0.3, 0.6), random.uniform(-0.05, 0.25)
    elbow = np.array([0.0, tall, lean])
    hand = elbow + [0.0, random.uniform(0.0, 0.35), -random.uniform(0.2, 0.5)]
    solids.rod((0, 0, 0), elbow, thick, metal)
    solids.rod(elbow, hand, thick, metal)
    wide, deep = random.uniform(0.07, 0.15), random.uniform(0.1, 0.2)
    solids.revolve([(-deep, wide), (0.03, 0.35 * wide)], shade, center=hand)


def _pendant(solids, random, shade, metal) -> None:
    cord, plate = random.uniform(0.25, 1.3), random.uniform(0.04, 0.18)
    wide = random.uniform(0.08, 0.26)
    high = wide * random.uniform(0.5, 2.2)
    solids.rod((0, 0, 0), (0, cord, 0), random.uniform(0.008, 0.025), metal)
    solids.revolve([(cord, plate), (cord + random.uniform(0.02, 0.06), 0.8 * plate)], metal)
    shape = random.choice(["cone", "bowl", "ball", "drum"])
    profiles = {
        "cone": [(-high, wide), (0.0, 0.25 * wide)],
        "bowl": [(-0.7 * wide, wide), (-0.3 * wide, 0.8 * wide), (0.0, 0.3 * wide)],
        "ball": [(wide * (np.sin(a) - 0.9), wide * np.cos(a)) for a in np.linspace(-1.3, 1.3, 7)],
        "drum": [(-high, 0.8 * wide), (0.0, 0.8 * wide)],
    }
    solids.revolve(profiles[shape], shade)


def _chandelier(solids, random, shade, metal) -> None:
    cord, arms = random.uniform(0.2, 0.9), int(random.integers(3, 7))
    pole, reach = random.uniform(0.012, 0.03), random.uniform(0.15, 0.35)
    low, top = random.uniform(0.05, 0.12), random.uniform(0.03, 0.12)
    high, rise = random.uniform(0.08, 0.2), random.uniform(-0.05, 0.12)
    solids.revolve([(cord, 0.06), (cord + 0.03, 0.06)], metal)
    solids.rod((0, 0, 0), (0, cord, 0), pole, metal)
    row = random.random() < 0.25  # Side by side on a bar, not around a pole.
    for index in range(arms):
        if row:
            end = np.array([(2.0 * index / (arms - 1) - 1.0) * 1.2 * reach, 0.0, 0.0])
        else:
            angle = 2 * np.pi * index / arms
            end = np.array([reach * np.cos(angle), rise, reach * np.sin(angle)])
        if np.abs(end).max() > 0.01:
            solids.rod((0, 0, 0), end, pole, metal)
        solids.revolve([(-0.02, low), (high, top)], shade, center=end)


def _lantern(solids, random, shade, metal) -> None:
    """A box of glass with a roof, on a pole or alone."""
    wide, high = random.uniform(0.08, 0.18), random.uniform(0.2, 0.42)
    pole = random.uniform(0.4, 1.4) if random.random() < 0.5 else 0.0
    if pole:
        solids.rod((0, 0, 0), (0, pole, 0), random.uniform(0.02, 0.04), metal)
        solids.box((0, 0.02, 0), (1.2 * wide, 0.04, 1.2 * wide), metal)
    flare = random.uniform(0.8, 1.4)
    solids.box((0, pole + high / 2, 0), (wide, high, wide), shade, top=(flare, flare))
    roof = 1.5 * max(1.0, flare) * wide
    solids.box((0, pole + high + 0.05, 0), (roof, 0.1, roof), metal, top=(0.2, 0.2))
