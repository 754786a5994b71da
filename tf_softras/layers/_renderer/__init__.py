"""The steps of `Renderer`: which way faces turn, the scene, the shader's passes, the picture."""
