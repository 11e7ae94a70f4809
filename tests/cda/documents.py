"""CDA documents for the tests: complete by default, one replacement per test."""

from pathlib import Path

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"

_SECTION = "<section><text>Rien</text></section>"
_BODY = f"<component><structuredBody><component>{_SECTION}</component></structuredBody></component>"

COMPLETE = (
    """<ClinicalDocument xmlns="urn:hl7-org:v3">
<realmCode code="FR"/>
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/>
<templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.3.6.1.4.1.19376.1.3.3"/>
<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>
<id root="2.25.1001"/>
<code code="11490-0" displayName="Lettre de liaison" codeSystem="2.16.840.1.113883.6.1"/>
<title>Lettre de <!-- un commentaire -->liaison</title>
<effectiveTime value="20250317153000+0100"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>
<languageCode code="fr-FR"/>
<setId root="2.25.1000"/>
<versionNumber value="2"/>
<recordTarget><patientRole>
<id root="1.2.250.1.999.1" extension="IPP^7"/>
<id root="1.2.250.1.213.1.4.10" extension="258063523804186"/>
<addr use="H"><houseNumber>8</houseNumber><streetName>Rue du Lavoir</streetName>
<postalCode>35000</postalCode><city>RENNES</city></addr>
<telecom value="tel:0261910001" use="H"/><telecom value="tel:0639980001" use="MC"/><telecom nullFlavor="UNK"/>
<telecom value="mailto:soizic@example.org"/>
<patient><name>
<family qualifier="BR">ESSAI-KERLANN</family><given>SOIZIC ANNE</given><given qualifier="BR">SOIZIC</given>
<family qualifier="CL">ESSAI-MORVAN</family><given qualifier="CL">ANNE</given>
</name><administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19580614"/></patient>
</patientRole></recordTarget>
<author><functionCode code="PART" displayName="Participant" codeSystem="1.2.250.1.213.1.1.4.2.280"/>
<time value="20250317153000+0100"/><assignedAuthor>
<id root="1.2.250.1.71.4.2.1" extension="899900010010"/>
<code code="G15_10/SM04" displayName="Cardiologie" codeSystem="1.2.250.1.213.1.1.4.5"/>
<assignedPerson><name><family>LE GALL &amp; FILS</family><given>Maëlle</given></name></assignedPerson>
<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1350999017"/><name>Hôpital</name>
</representedOrganization>
</assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.250.1.71.4.2.2" extension="1350999017"/>
</representedCustodianOrganization></assignedCustodian></custodian>
<legalAuthenticator><time value="20250317153000+0100"/><signatureCode code="S"/><assignedEntity>
<id root="1.2.250.1.71.4.2.1" extension="899900010010"/>
<assignedPerson><name><family>LE GALL</family><given>Maëlle</given></name></assignedPerson>
</assignedEntity></legalAuthenticator>
<inFulfillmentOf><order><id root="1.2.250.1.999.2" extension="42"/>
<accessionNumber xmlns="urn:dicom-org:ps3-20" root="1.2.250.1.999.3" extension="77"/></order></inFulfillmentOf>
<documentationOf><serviceEvent>
<code code="IMP" displayName="Hospitalisation" codeSystem="2.16.840.1.113883.5.4">
<translation code="DEQP003" displayName="Électrocardiographie" codeSystem="1.2.250.1.213.2.5"/></code>
<effectiveTime><low value="20250310091500+0100"/><high value="20250317143000+0100"/></effectiveTime>
<performer typeCode="PRF"><assignedEntity><id nullFlavor="UNK"/><representedOrganization>
<standardIndustryClassCode code="ETABLISSEMENT" displayName="Etablissement" codeSystem="1.2.250.1.213.1.1.4.9"/>
</representedOrganization></assignedEntity></performer></serviceEvent></documentationOf>
<documentationOf><serviceEvent><code code="IMP" codeSystem="2.16.840.1.113883.5.4"/></serviceEvent></documentationOf>
<relatedDocument typeCode="RPLC"><parentDocument><id root="2.25.1002"/></parentDocument></relatedDocument>
<componentOf><encompassingEncounter><effectiveTime nullFlavor="UNK"/><location><healthCareFacility>
<code code="SA01" displayName="Hôpital public" codeSystem="1.2.250.1.71.4.2.4"/>
</healthCareFacility></location></encompassingEncounter></componentOf>
"""
    + _BODY
    + "\n</ClinicalDocument>"
)

SELF_PRESENTABLE = """<xsl:stylesheet version="1.0" xmlns:a="urn:asip-sante:ci-sis"
 xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<a:Contenu>{document}</a:Contenu>
<xsl:template match="/"><xsl:message terminate="yes">executed</xsl:message></xsl:template>
</xsl:stylesheet>"""


def a_document(replace: str = "", by: str = "") -> bytes:
    """The complete document, with one text of it replaced. The text must be there."""
    assert replace in COMPLETE, f"the complete document has no {replace}"
    return COMPLETE.replace(replace, by).encode()


def an_unstructured_document(media_type: str) -> bytes:
    text = f'<text mediaType="{media_type}" representation="B64">AA==</text>'
    return a_document(_BODY, f"<component><nonXMLBody>{text}</nonXMLBody></component>")
