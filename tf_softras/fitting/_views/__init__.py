"""The parts of `fit_views`, in the order in which it uses them.

`crops`, `hull`, `surface`, `view_measures`, then `texture_pixels` and `atlas`.
"""
