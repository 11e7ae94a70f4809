"""Messages of the identity feed, written out so that tests can break them."""

TILLEULS = "2.25.314159265358979323846"


def ii(identifier: str, root: str = TILLEULS) -> str:
    return f'<id root="{root}" extension="{identifier}"/>'


def v3_message(
    name: str,
    patient: str,
    prior: str = "",
    *,
    message_id: str = '<id root="2.25.7" extension="m-1"/>',
    interaction: str = "",
    mode: str = "T",
    ack: str = "AL",
    receivers: int = 1,
) -> bytes:
    """`patient` and `prior` are id elements; with `prior` there is a replacementOf."""
    receiver = (
        '<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.840.1"/>'
        "</device></receiver>"
    )
    replaced = (
        '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN"><statusCode code="obsolete"/>'
        f'<subject1 typeCode="SBJ"><priorRegisteredRole classCode="PAT">{prior}</priorRegisteredRole></subject1>'
        "</priorRegistration></replacementOf>"
        if prior
        else ""
    )
    return (
        f'<{name} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">{message_id}<creationTime value="20260310090000"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{interaction or name}"/><processingCode code="P"/>'
        f'<processingModeCode code="{mode}"/><acceptAckCode code="{ack}"/>{receiver * receivers}'
        '<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.840.2"/></device></sender>'
        '<controlActProcess classCode="CACT" moodCode="EVN"><code code="PRPA_TE201301UV02"/>'
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationEvent classCode="REG" moodCode="EVN">'
        f'<statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">{patient}'
        "<statusCode code='active'/><patientPerson classCode='PSN' determinerCode='INSTANCE'>"
        "<name><family>DOE</family></name></patientPerson></patient></subject1>"
        f"{replaced}</registrationEvent></subject></controlActProcess></{name}>"
    ).encode()
