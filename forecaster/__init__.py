"""A service of its own: a series in, a forecast with its interval out. Needs nothing of the other rooms."""
