"""The numbers of the conventions in `tf_softras.geometry.cameras`."""

# The signs of (right, up, forward) along the axes of each frame of cameras.
CAMERA_AXES = {"softras": (1.0, 1.0, 1.0), "opencv": (1.0, -1.0, 1.0), "opengl": (1.0, 1.0, -1.0)}

N3MR_DISTANCE = 2.732
N3MR_ELEVATION = 30.0
N3MR_NUM_VIEWS = 24
N3MR_VIEWING_ANGLE = 15.0
