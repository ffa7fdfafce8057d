"""The engine of the provider `local`: weights, a shared engine process, and the backend on top of both.

Nothing here is imported before it is needed, and only the engine's own process loads the model.
"""
