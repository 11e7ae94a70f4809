package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Author;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntryType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Organization;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.PatientInfo;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Person;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Recipient;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.ReferenceId;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Telecom;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Timestamp;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XpnName;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Invented metadata of an invented patient: every attribute a client may send is set, and differs from its default. */
final class Metadata {
    static final String ON_DEMAND_SOURCE = "2.25.58021347";
    static final String OTHER_REPOSITORY = "2.25.58021348";

    private final Identifiable patient;
    private final Codes codes;

    Metadata(Identifiable patient, Codes codes) {
        this.patient = patient;
        this.codes = codes;
    }

    Identifiable patient() {
        return patient;
    }

    Code code(String attribute) {
        return codes.of(attribute);
    }

    static String anOid() {
        return "2.25." + new BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
    }

    static String aUuid() {
        return "urn:uuid:" + UUID.randomUUID();
    }

    /** Text with accents, CR LF and a trailing line end: octets that a careless server changes. */
    static byte[] aText(String about) {
        return ("Compte rendu invent\u00e9 \u2014 " + about + "\r\n\r\nRien de r\u00e9el n'est d\u00e9crit ici.\r\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** Octets of every value, line ends and dashes among them. */
    static byte[] binary(int length) {
        var octets = new byte[length];
        for (var place = 0; place < length; place++) {
            octets[place] = (byte) (place * 31 + place / 251);
        }
        return octets;
    }

    DocumentEntry anEntry(String title, String mimeType) {
        var entry = new DocumentEntry();
        entry.setEntryUuid(aUuid());
        entry.setUniqueId(anOid());
        describe(entry, title, mimeType);
        entry.setCreationTime("20260310093015");
        entry.setLegalAuthenticator(aDoctor());
        return entry;
    }

    /** An on-demand entry has no creationTime, hash, size and legalAuthenticator. ITI TF-2: 3.61.4.1.2.2 */
    DocumentEntry anOnDemandEntry(String title) {
        var entry = new DocumentEntry();
        entry.setType(DocumentEntryType.ON_DEMAND);
        entry.setEntryUuid(aUuid());
        entry.setUniqueId(anOid());
        describe(entry, title, "text/xml");
        entry.setRepositoryUniqueId(ON_DEMAND_SOURCE);
        return entry;
    }

    private void describe(DocumentEntry entry, String title, String mimeType) {
        entry.setTitle(text(title));
        entry.setComments(text("Commentaire avec accents : \u00e0 c\u00f4t\u00e9"));
        entry.setMimeType(mimeType);
        entry.setLanguageCode("fr-FR");
        entry.setServiceStartTime("20260310080000");
        entry.setServiceStopTime("20260310090000");
        entry.setPatientId(patient);
        entry.setSourcePatientId(Identifiable.parse("IPP-58021^^^&2.25.58021349&ISO"));
        entry.setSourcePatientInfo(aPatient());
        entry.setClassCode(codes.of("classCode"));
        entry.setTypeCode(codes.of("typeCode"));
        entry.setFormatCode(codes.of("formatCode"));
        entry.setHealthcareFacilityTypeCode(codes.of("healthcareFacilityTypeCode"));
        entry.setPracticeSettingCode(codes.of("practiceSettingCode"));
        entry.getConfidentialityCodes().add(codes.of("confidentialityCode"));
        entry.getEventCodeList().add(codes.of("eventCodeList"));
        entry.getReferenceIdList().add(aReference());
        entry.getAuthors().add(anAuthor());
        entry.getAuthors().add(aNurse());
        entry.setExtraMetadata(Map.of("urn:oid:2.25.58021350", List.of("premi\u00e8re", "seconde")));
    }

    /** What a repository adds before it registers. ITI TF-2: 3.41.4.1.3 */
    DocumentEntry stored(DocumentEntry entry, byte[] content, String repositoryUniqueId) {
        entry.setHash(sha1(content));
        entry.setSize((long) content.length);
        entry.setRepositoryUniqueId(repositoryUniqueId);
        return entry;
    }

    static String sha1(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(content));
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException(missing);
        }
    }

    ReferenceId aReference() {
        return ReferenceId.parse("DEMANDE-" + UUID.randomUUID() + "^^^&2.25.58021351&ISO^" + ReferenceId.ID_TYPE_CODE_ORDER);
    }

    SubmissionSet aSubmissionSet(String title) {
        var set = new SubmissionSet();
        set.setEntryUuid(aUuid());
        set.setUniqueId(anOid());
        set.setSourceId("2.25.58021352");
        set.setSubmissionTime(Timestamp.now());
        set.setPatientId(patient);
        set.setTitle(text(title));
        set.setComments(text("Lot invent\u00e9"));
        set.setContentTypeCode(codes.of("contentTypeCode"));
        set.setAuthor(anAuthor());
        set.getIntendedRecipients().add(
                new Recipient(Organization.parse("Cabinet des Glycines"), aDoctor(), new Telecom("glycines@exemple.invalid")));
        return set;
    }

    Folder aFolder(String title) {
        var folder = new Folder();
        folder.setEntryUuid(aUuid());
        folder.setUniqueId(anOid());
        folder.setPatientId(patient);
        folder.setTitle(text(title));
        folder.setComments(text("Classeur invent\u00e9"));
        folder.getCodeList().add(codes.of("codeList"));
        return folder;
    }

    /** The membership of an object in its SubmissionSet; `Original` for a document entry. ITI TF-3: 4.2.1.4 */
    static Association member(SubmissionSet set, String target, AssociationLabel label) {
        var association = relation(AssociationType.HAS_MEMBER, set.getEntryUuid(), target);
        association.setLabel(label);
        return association;
    }

    static Association relation(AssociationType type, String source, String target) {
        return new Association(type, aUuid(), source, target);
    }

    static LocalizedString text(String value) {
        return new LocalizedString(value, "fr-FR", "UTF-8");
    }

    private static PatientInfo aPatient() {
        var person = new PatientInfo();
        person.getIds().add(Identifiable.parse("IPP-58021^^^&2.25.58021349&ISO"));
        person.getNames().add(XpnName.parse("ESTIENNE^Maud\u00e9lie"));
        person.setDateOfBirth("19610412");
        person.setGender("F");
        return person;
    }

    static Person aDoctor() {
        return Person.parse("899700012345^MARCEAU^H\u00e9l\u00e8ne^^^DR^^^&1.2.250.1.71.4.2.1&ISO");
    }

    private Author anAuthor() {
        var author = new Author();
        author.setAuthorPerson(aDoctor());
        author.getAuthorInstitution().add(Organization.parse("Clinique des Coquelicots^^^^^&1.2.250.1.71.4.2.2&ISO^^^^1750001234"));
        author.getAuthorInstitution().add(Organization.parse("P\u00f4le de m\u00e9decine^^^^^^^^^2.25.58021353"));
        author.getAuthorRole().add(new Identifiable("M\u00e9decin"));
        author.getAuthorSpecialty().add(Identifiable.parse("SM26^^^&1.2.250.1.213.1.1.4.5&ISO"));
        author.getAuthorTelecom().add(new Telecom("helene.marceau@exemple.invalid"));
        return author;
    }

    private Author aNurse() {
        var author = new Author();
        author.setAuthorPerson(Person.parse("899700067890^D'ORVAL^Yann^^^^^^&1.2.250.1.71.4.2.1&ISO"));
        author.getAuthorRole().add(new Identifiable("Infirmier"));
        return author;
    }
}
