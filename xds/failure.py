"""Failures that end a command with one sentence. Whatever else is raised is a mistake of ours."""


class Failure(Exception):
    """Something that was not done. The text is the whole message for the person who asked; it names no patient."""


class WrongSettings(Failure):
    """Nothing was tried: what was set or given forbids it."""
