"""The type that vertices have inside the layers."""


def geometry_dtype(layer):
    """float64 where that is the layer's, else float32: half precision moves vertices by pixels."""
    return "float64" if layer.variable_dtype == "float64" else "float32"
