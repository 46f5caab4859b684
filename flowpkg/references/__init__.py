"""Reference posteriors by Markov chain Monte Carlo, for problems that have no closed form."""
