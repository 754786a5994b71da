"""The data set built from a folder, small."""

import tensorflow_datasets as tfds

from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views

CODE = shapenet_views.Builder.code_path.parent
SMALL = shapenet_views.ShapenetViewsConfig(
    name="small", image_size=16, num_views=3, supersampling=2, voxel_resolution=8
)


def build(data_dir, manual_dir, config=SMALL, *, beam_options=None, **options):
    builder = shapenet_views.Builder(config=config, data_dir=data_dir, **options)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=str(manual_dir), beam_options=beam_options
        )
    )
    return builder
