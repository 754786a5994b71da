"""The numbers of the conventions in `tf_softras.geometry.cameras`."""

CAMERA_AXES = {"softras": (1.0, 1.0, 1.0), "opencv": (1.0, -1.0, 1.0), "opengl": (1.0, 1.0, -1.0)}
"""The signs of (right, up, forward) along the axes of each frame of cameras."""

N3MR_DISTANCE = 2.732
"""The distance of N3MR's cameras from the object's centre; its longest side is 1."""

N3MR_ELEVATION = 30.0
"""The elevation of N3MR's cameras, degrees."""

N3MR_NUM_VIEWS = 24
"""The number of N3MR's cameras, at equal steps of azimuth."""

N3MR_VIEWING_ANGLE = 15.0
"""HALF the angle of view of N3MR's cameras, degrees."""
