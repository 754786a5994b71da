"""A web page that makes meshes out of pictures: `create_app` is in `page.app`.

This package imports nothing: the page's server is an extra, `pip install 'tf-softras[page]'`.
"""
