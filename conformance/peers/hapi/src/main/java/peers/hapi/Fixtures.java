package peers.hapi;

import org.hl7.fhir.r4.model.Attachment;
import org.hl7.fhir.r4.model.Binary;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CodeableConcept;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.DateTimeType;
import org.hl7.fhir.r4.model.DocumentReference;
import org.hl7.fhir.r4.model.Enumerations;
import org.hl7.fhir.r4.model.Identifier;
import org.hl7.fhir.r4.model.ListResource;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Practitioner;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.Resource;

import java.math.BigInteger;
import java.util.UUID;

/** Invented resources: a patient, and the Bundle of one document in one submission. */
final class Fixtures {
    private static final String MHD = "https://profiles.ihe.net/ITI/MHD/";

    private Fixtures() {
    }

    static Patient patient() {
        var patient = new Patient();
        patient.addIdentifier().setSystem("urn:oid:2.25.99").setValue(UUID.randomUUID().toString());
        patient.addName().setFamily("Durand-Inventé").addGiven("Aline");
        patient.setGender(Enumerations.AdministrativeGender.FEMALE);
        return patient;
    }

    /** A Bundle of the comprehensive level; `replaced` is a document that the new one replaces, or null. */
    static Bundle provide(Patient patient, byte[] content, DocumentReference replaced) {
        var subject = new Reference("Patient/" + patient.getIdElement().getIdPart());
        var binary = new Binary().setContentType("text/plain").setData(content);
        var document = document(subject, patient, replaced);
        var bundle = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        bundle.getMeta().addProfile(MHD + "StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle");
        var place = entry(bundle, binary);
        document.getContentFirstRep().getAttachment().setUrl(place);
        var submission = submission(subject);
        submission.addEntry().setItem(new Reference(entry(bundle, document)));
        entry(bundle, submission);
        return bundle;
    }

    private static String entry(Bundle bundle, Resource resource) {
        var url = "urn:uuid:" + UUID.randomUUID();
        bundle.addEntry().setFullUrl(url).setResource(resource).getRequest()
                .setMethod(Bundle.HTTPVerb.POST).setUrl(resource.fhirType());
        return url;
    }

    private static DocumentReference document(Reference subject, Patient patient, DocumentReference replaced) {
        var document = new DocumentReference();
        var author = new Practitioner();
        author.setId("author");
        author.addName().setFamily("Petit").addGiven("Paul");
        var source = new Patient();
        source.setId("source");
        source.addIdentifier(patient.getIdentifierFirstRep().copy());
        document.addContained(author).addContained(source);
        document.setMasterIdentifier(unique());
        document.setStatus(Enumerations.DocumentReferenceStatus.CURRENT);
        document.setType(concept("http://loinc.org", "11488-4", "Consult note"));
        document.addCategory(concept("urn:oid:1.3.6.1.4.1.19376.1.2.6.1", "REPORTS", "Reports"));
        document.setSubject(subject);
        document.addAuthor(new Reference("#author"));
        document.setDescription("Consultation inventée");
        document.addSecurityLabel(concept("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N", "normal"));
        if (replaced != null) {
            document.addRelatesTo().setCode(DocumentReference.DocumentRelationshipType.REPLACES)
                    .setTarget(new Reference("DocumentReference/" + replaced.getIdElement().getIdPart()));
        }
        var content = document.addContent();
        content.setAttachment(attachment());
        content.setFormat(new Coding("http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode", "urn:ihe:iti:xds-sd:text:2008", null));
        var context = document.getContext();
        context.setFacilityType(concept("http://snomed.info/sct", "82242000", "Hospital-children's"));
        context.setPracticeSetting(concept("http://snomed.info/sct", "408467006", "Adult mental illness"));
        context.setSourcePatientInfo(new Reference("#source"));
        return document;
    }

    private static Attachment attachment() {
        var attachment = new Attachment().setContentType("text/plain").setLanguage("fr-FR").setTitle("Consultation");
        attachment.setCreationElement(new DateTimeType("2026-03-10T09:30:00+01:00"));
        return attachment;
    }

    private static ListResource submission(Reference subject) {
        var submission = new ListResource();
        submission.addExtension(MHD + "StructureDefinition/ihe-designationType", concept("http://loinc.org", "11488-4", "Consult note"));
        submission.addExtension(MHD + "StructureDefinition/ihe-sourceId", new Identifier().setValue("urn:oid:2.25.4711"));
        submission.addIdentifier(unique().setUse(Identifier.IdentifierUse.USUAL));
        submission.setStatus(ListResource.ListStatus.CURRENT).setMode(ListResource.ListMode.WORKING);
        submission.setTitle("Envoi de HAPI");
        submission.setCode(concept(MHD + "CodeSystem/MHDlistTypes", "submissionset", null));
        submission.setSubject(subject);
        submission.setDateElement(new DateTimeType("2026-03-10T09:46:00+01:00"));
        return submission;
    }

    private static Identifier unique() {
        var number = new BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
        return new Identifier().setSystem("urn:ietf:rfc:3986").setValue("urn:oid:2.25." + number);
    }

    private static CodeableConcept concept(String system, String code, String display) {
        return new CodeableConcept().addCoding(new Coding(system, code, display));
    }
}
