"""Messages about records as software sends them, written out so that tests can break them."""

V3 = "urn:hl7-org:v3"
TEST_NIR = "1.2.250.1.213.1.4.10"
REASONS = "1.2.250.1.213.1.1.4.11"
INS = "258063523804186"


def wrapped(name: str, control: str, *, message_id: str = '<id root="2.25.7" extension="m-1"/>') -> bytes:
    return (
        f'<{name} xmlns="{V3}" ITSVersion="XML_1.0">{message_id}<creationTime value="20260310090000"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/><processingCode code="P"/>'
        '<processingModeCode code="T"/><acceptAckCode code="AL"/><receiver typeCode="RCV"><device classCode="DEV" '
        'determinerCode="INSTANCE"><id root="1.2.250.1.213.4.1.1.1"/><softwareName>DMP</softwareName></device>'
        '</receiver><sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="2.25.99"/>'
        "<softwareName>LPS</softwareName></device></sender>"
        f'<controlActProcess classCode="CACT" moodCode="EVN">{control}</controlActProcess></{name}>'
    ).encode()


def reason_code(code: str) -> str:
    return f'<reasonCode code="{code}" codeSystem="{REASONS}"/>'


def record_query(reason: str = "TEST_EXST", ins: str = INS, *, root: str = TEST_NIR) -> bytes:
    return wrapped(
        "PRPA_IN201307UV02",
        f'{reason_code(reason)}<queryByParameter><queryId root="2.25.8" extension="q-1"/><statusCode code="new"/>'
        f'<parameterList><patientIdentifier><value root="{root}" extension="{ins}"/>'
        "<semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList></queryByParameter>",
    )


def observation(code: str, value: str) -> str:
    return (
        '<subjectOf typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN">'
        f'<code code="{code}" codeSystem="1.2.250.1.213.4.1.2.3"/><value value="{value}"/>'
        "</administrativeObservation></subjectOf>"
    )


PERSON = (
    '<patientPerson classCode="PSN" determinerCode="INSTANCE"><name><given>Anne</given><prefix>MME</prefix>'
    '<family qualifier="SP">EXEMPLE</family><family qualifier="BR">DURAND</family><given>Lise</given></name>'
    '<telecom value="tel:0102030405" use="HP"/><telecom value="mailto:anne@example.org"/>'
    '<administrativeGenderCode code="F"/><birthTime value="19580617"/>'
    "<addr><streetAddressLine>1 rue de l'Essai</streetAddressLine><postalCode>75005</postalCode><city>Paris</city>"
    "<country>France</country></addr>"
    '<contactParty classCode="CON"><code code="CARTE_SESAM_VITALE" codeSystem="1.2.250.1.213.4.1.2.5"/>'
    '<contactPerson><name><family qualifier="BR">DURAND</family><given>ANNE</given></name></contactPerson>'
    "</contactParty><birthPlace><addr><county>63113</county></addr></birthPlace></patientPerson>"
)
AUTHOR = (
    '<author typeCode="AUT"><assignedEntity classCode="ASSIGNED"><id root="1.2.250.1.71.4.2.1" '
    'extension="899700000123"/><code code="G15_10/SM26"/><assignedPerson classCode="PSN" determinerCode="INSTANCE">'
    "<name><family>SOIGNANT</family><given>PAUL</given></name></assignedPerson><representedOrganization "
    'classCode="ORG" determinerCode="INSTANCE"><id root="1.2.250.1.71.4.2.2" extension="1750000001"/>'
    "<name>Cabinet de l'essai</name></representedOrganization></assignedEntity></author>"
)


def record_request(
    name: str,
    reason: str,
    *,
    ins: str = INS,
    status: str = "active",
    person: str = PERSON,
    observations: str = "",
    closing: str = "",
) -> bytes:
    because = (
        '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN"><code '
        f'code="FERMETURE_DEMANDE_PATIENT" codeSystem="1.2.250.1.213.4.1.2.4"/><text>{closing}</text>'
        "</detectedIssueEvent></reasonOf>"
        if closing
        else ""
    )
    return wrapped(
        name,
        f'{reason_code(reason)}<subject typeCode="SUBJ" contextConductionInd="false"><registrationRequest '
        'classCode="REG" moodCode="RQO"><statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f'<id root="{TEST_NIR}" extension="{ins}"/><statusCode code="{status}"/>{person}{observations}</patient>'
        f"</subject1>{AUTHOR}</registrationRequest></subject>{because}",
    )


def patient_search(family: str = "EXEMPLE", given: str = "Anne", gender: str = "F", born: str = "19580617") -> bytes:
    parameters = "".join(
        text
        for text, given_at_all in (
            (
                f'<livingSubjectAdministrativeGender><value code="{gender}"/><semanticsText>'
                "LivingSubject.administrativeGender</semanticsText></livingSubjectAdministrativeGender>",
                gender,
            ),
            (
                f'<livingSubjectBirthTime><value value="{born}"/><semanticsText>LivingSubject.birthTime</semanticsText>'
                "</livingSubjectBirthTime>",
                born,
            ),
            (
                f"<livingSubjectName><value><family>{family}</family><given>{given}</given></value><semanticsText>"
                "LivingSubject.name</semanticsText></livingSubjectName>",
                family or given,
            ),
        )
        if given_at_all
    )
    return wrapped(
        "PRPA_IN201305UV02",
        '<code code="PRPA_TE201305UV02" codeSystem="2.16.840.1.113883.1.6"/><queryByParameter>'
        '<queryId root="2.25.8" extension="q-1"/><statusCode code="new"/>'
        f"<parameterList>{parameters}</parameterList></queryByParameter>",
    )
