"""`python -m aiga`."""

from aiga.cli import main

main()
