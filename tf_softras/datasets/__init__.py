"""Data sets of objects seen from many sides, and the batches that training takes from them."""
