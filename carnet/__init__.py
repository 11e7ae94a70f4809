"""The program: settings, wiring, HTTP front doors, command line. Only this package opens sockets, files, databases."""
