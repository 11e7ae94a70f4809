#!/bin/sh
# From nothing to a document pushed and read back over mutual TLS with a VIHF, in six steps to read and to copy.
#
#     PATH=.venv/bin:$PATH sh examples/mutual_tls.sh           # on port 8443, in a folder that is removed
#     PATH=.venv/bin:$PATH sh examples/mutual_tls.sh 9443 here # on another port, in a folder that stays
#
# Needs `carnet` on the PATH, and curl.
set -eu
PORT=${1:-8443} HERE=${2:-}
REPORT=$(dirname "$0")/reports/cr-consultation.xml
INS=258063523804186 DOCTOR=899900010036 CLINIC=1350999033       # patient, author and structure of the report

KEEP=$HERE
if [ -z "$HERE" ]; then HERE=$(mktemp -d); else mkdir -p "$HERE"; fi
SERVER=
finish() {
    if [ -n "$SERVER" ]; then kill "$SERVER" && wait "$SERVER" || true; fi
    if [ -z "$KEEP" ]; then rm -rf "$HERE"; fi
}
trap finish EXIT
URL=https://localhost:$PORT PKI=$HERE/pki DATA=$HERE/data

# 1. A test IGC: authorities, the server's certificate, and the two pairs of a doctor's card: one opens connections, the
#    other signs. The private keys of a real card never leave it; these are for tests.
carnet pki init --pki "$PKI"
carnet pki issue server localhost 127.0.0.1 --pki "$PKI"
carnet pki issue card $DOCTOR --family EXEMPLE-ROUSSEAU --given Tristan --pki "$PKI"

# 2. The server. Nobody gets an octet of HTTP without a certificate of the authorities in trust/; /health has a port of its own.
carnet serve --host 127.0.0.1 --port "$PORT" --base-url "$URL" --health 127.0.0.1:$((PORT + 1)) --data "$DATA" \
    --certificate "$PKI/issued/localhost-server.pem" --trust "$PKI/trust" > "$HERE/server.log" 2>&1 &
SERVER=$!
until curl --silent --fail --output "$HERE/health" "http://127.0.0.1:$((PORT + 1))/health/ready"; do
    kill -0 $SERVER || { cat "$HERE/server.log"; exit 1; }
    sleep 0.2
done

# 3. The patient's record is opened, and lets the doctor read.
carnet record open $INS --data "$DATA"
carnet record authorise $INS $DOCTOR --data "$DATA"

# 4. A VIHF: who asks, as whom, about which patient, for five minutes, signed by the card; then what a server thinks of it.
carnet vihf make "$PKI/issued/$DOCTOR-signature.pem" --structure $CLINIC --patient $INS \
    --role '10^^1.2.250.1.71.1.2.7' --role 'SM04^^1.2.250.1.71.4.2.5' --output "$HERE/vihf.xml"
carnet vihf check "$HERE/vihf.xml" --trust "$PKI/trust" --client "$PKI/issued/$DOCTOR-authentication.pem" --lang en \
    > "$HERE/explained"

# 5. SOAP: Provide and Register [ITI-41] with the signature of the submission, then FindDocuments [ITI-18]. The
#    same VIHF does for both: it may be used again, by the same certificate, while it is valid.
shown() {
    command=$1; shift
    carnet "$command" --url "$URL" --authorities "$PKI/trust" --assertion "$HERE/vihf.xml" \
        --client-certificate "$PKI/issued/$DOCTOR-authentication.pem" "$@"
}
shown push --sign "$PKI/issued/$DOCTOR-signature.pem" "$REPORT"
shown find $INS

# 6. FHIR with curl: the assertion in base64url is the token. DocumentReference [ITI-67].
TOKEN=$(base64 < "$HERE/vihf.xml" | tr -d '\n=' | tr '+/' '-_')
curl --silent --show-error --fail --cacert "$PKI/trust/root.pem" \
    --cert "$PKI/issued/$DOCTOR-authentication.pem" --key "$PKI/issued/$DOCTOR-authentication.key" \
    --header "Authorization: Bearer $TOKEN" --get "$URL/fhir/DocumentReference" \
    --data-urlencode "patient.identifier=urn:oid:1.2.250.1.213.1.4.10|$INS" --data status=current > "$HERE/found.json"
grep -o '"total":[0-9]*' "$HERE/found.json"

# Every request above left a record; the chain of records is whole.
carnet audit verify --data "$DATA" --certificate "$PKI/issued/localhost-server.pem"
