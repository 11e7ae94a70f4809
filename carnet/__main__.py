"""`python -m carnet` is the command `carnet`."""

from carnet.command_line import main

main()
