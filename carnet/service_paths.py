"""Further paths under which the SOAP doors answer: those of the DMP, and those of the settings. DMP 2."""

from collections.abc import Iterator, Mapping

from carnet.record_wiring import has_records
from carnet.settings import Settings, SettingsError

_DMP = "/si-dmp-server/v2/services/"
# Service of the DMP -> our door.
_DMP_SERVICES = {
    "patients": "patients",
    "patientsPDQ": "patients",
    "patientsSpecific": "patients",
    "habilitations": "habilitations",
    "registry": "registry",
    "repository": "repository",
}
DOORS = ("registry", "repository", "patients", "habilitations", "recipient")


def service_paths(settings: Settings) -> Mapping[str, str]:
    """Path -> name of the door it leads to. Raises SettingsError."""
    shipped = {f"{_DMP}{name}": door for name, door in _DMP_SERVICES.items()} if has_records(settings) else {}
    return shipped | dict(_configured(settings.paths))


def _configured(text: str) -> Iterator[tuple[str, str]]:
    for one in text.split():
        path, equals, door = one.rpartition("=")
        if not (equals and path.startswith("/") and not path.startswith("/xds/")):
            raise SettingsError(f"setting paths: found {one!r}, expected PATH=DOOR with a path beside /xds/")
        if door not in DOORS:
            raise SettingsError(f"setting paths: found the door {door!r}, expected {', '.join(DOORS)}")
        yield path, door
