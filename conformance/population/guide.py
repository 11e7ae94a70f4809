"""What lies in the folder of a data set, for whoever opens it."""

GUIDE = """# Test data: seed {seed}, dated from {now}

Everything here is invented, INS numbers are test ones with valid keys, and the keys are no secret: for tests only.
Made by `python -m conformance data`; the same seed and instant give the same files, `manifest.json` has their SHA-256.

| What | Where |
|---|---|
| authorities and revocation lists a server must trust | `pki/trust/` |
| certificates of a server for localhost, cards, structures | `pki/issued/`, PEM, the key beside in `.key` |
| professionals: one of every profession, and their VIHF | `professionals.csv`, `vihf/` |
| patients, the state of each record and the rights to set before feeding | `patients.csv` |
| patients for an identity feed: HL7 v2 ADT^A01 [ITI-8], FHIR Patient | `feed/`, `fhir/…/patient.json` |
| documents (CDA R2) and what is said of them | `documents/`, `documents.csv` |
| the same as whole messages: Provide and Register [ITI-41] | `iti41/….mime`, its Content-Type in `….type` |
| the same for FHIR: Provide Document Bundle [ITI-65] | `fhir/…/NN.json` |

A VIHF of `vihf/` is good for five minutes from {now}: set the clock of the server, or give `--now` when making the set.

Feed one document:

    curl --data-binary @iti41/0000/INS/01.mime -H "Content-Type: $(cat iti41/0000/INS/01.type)" URL/xds/repository
"""
