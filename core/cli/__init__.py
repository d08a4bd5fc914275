"""The command line: the same commands as the pages, for terminals and schedulers.

Data goes to stdout, everything else to stderr. Command modules import what is heavy inside their functions, so that
`--help` and usage errors come at once.
"""
