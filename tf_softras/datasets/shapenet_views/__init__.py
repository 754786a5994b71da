"""The tfds data set `shapenet_views`.

Its builder is in `shapenet_views_dataset_builder`; importing that registers the data set with
tfds. This package imports nothing, because `tfds build` finds the builder under a name of its own,
and a data set can be registered only once.
"""
