"""Pure functions on arrays that tell whether a model can be believed, each with its uncertainty."""
