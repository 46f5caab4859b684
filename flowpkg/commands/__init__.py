"""The commands of the command line, one module each; none imports TensorFlow before it needs it."""
