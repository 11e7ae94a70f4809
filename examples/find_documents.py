"""Find the documents of a patient by FHIR and save them: MHD [ITI-67] and [ITI-68].

    python examples/find_documents.py 258063523804186 --url http://127.0.0.1:8080/fhir --save /tmp

Needs Python only.
"""

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

TEST_INS = "urn:oid:1.2.250.1.213.1.4.10"


def find(base, system, identifier):
    """DocumentReference resources of all pages, newest registration first."""
    query = urlencode({"patient.identifier": f"{system}|{identifier}", "status": "current"})
    url = f"{base}/DocumentReference?{query}"
    while url:
        with urlopen(Request(url, headers={"Accept": "application/fhir+json"}), timeout=60) as answer:
            bundle = json.load(answer)
        for entry in bundle.get("entry", []):
            yield entry["resource"]
        url = next((link["url"] for link in bundle.get("link", []) if link["relation"] == "next"), None)


def save(reference, folder):
    """Write the document under the id of its DocumentReference."""
    attachment = reference["content"][0]["attachment"]
    with urlopen(Request(attachment["url"], headers={"Accept": "*/*"}), timeout=60) as answer:
        path = folder / f"{reference['id']}.xml"
        path.write_bytes(answer.read())
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("identifier", help="INS of the patient")
    parser.add_argument("--system", default=TEST_INS, help="identifier system, default the test INS")
    parser.add_argument("--url", default="http://127.0.0.1:8080/fhir", help="FHIR base of the server")
    parser.add_argument("--save", type=Path, help="folder for the documents")
    arguments = parser.parse_args()
    found = 0
    for reference in find(arguments.url, arguments.system, arguments.identifier):
        found += 1
        attachment = reference["content"][0]["attachment"]
        print(attachment.get("creation", ""), attachment.get("title", ""), attachment["url"])
        if arguments.save:
            print("   saved as", save(reference, arguments.save))
    print(f"{found} document(s)")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
