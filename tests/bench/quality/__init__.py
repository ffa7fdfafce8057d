"""How often the model's text is right: bare, and through the whole server, on the same holes in one run."""
