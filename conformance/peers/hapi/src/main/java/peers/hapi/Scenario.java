package peers.hapi;

import ca.uhn.fhir.model.api.Include;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.gclient.StringClientParam;
import ca.uhn.fhir.rest.gclient.TokenClientParam;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.exceptions.NotModifiedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import org.hl7.fhir.r4.model.Binary;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.DocumentReference;
import org.hl7.fhir.r4.model.ListResource;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Patient;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;

/** The steps, in the order in which they are played; later ones use what earlier ones made. */
final class Scenario {
    private static final int DOCUMENTS = 5;

    private Scenario() {
    }

    static List<Step> steps() {
        return List.of(
                new Step("metadata", "statement", Scenario::statement),
                new Step("ITI-104", "create-patient", Scenario::createPatient),
                new Step("ITI-65", "provide", Scenario::provide),
                new Step("ITI-67", "read", Scenario::read),
                new Step("ITI-67", "not-modified", Scenario::notModified),
                new Step("ITI-67", "search-by-get", trial -> search(trial, SearchStyleEnum.GET)),
                new Step("ITI-67", "search-by-post", trial -> search(trial, SearchStyleEnum.POST)),
                new Step("ITI-67", "author", Scenario::author),
                new Step("ITI-67", "include", Scenario::include),
                new Step("ITI-68", "resource", Scenario::binary),
                new Step("ITI-66", "submission-sets", Scenario::submissionSets),
                new Step("ITI-65", "replace", Scenario::replace),
                new Step("ITI-67", "pages", Scenario::pages),
                new Step("ITI-67", "history", Scenario::history),
                new Step("ITI-65", "refused", Scenario::refused),
                new Step("ITI-67", "unknown", Scenario::unknown));
    }

    private static void statement(Trial trial) {
        var statement = trial.client.capabilities().ofType(CapabilityStatement.class).execute();
        Failed.unlessEqual("fhirVersion", statement.getFhirVersion().toCode(), "4.0.1");
    }

    private static void createPatient(Trial trial) {
        MethodOutcome outcome = trial.client.create().resource(Fixtures.patient()).execute();
        Failed.unlessEqual("created", outcome.getCreated(), true);
        trial.patient = trial.client.read().resource(Patient.class).withId(outcome.getId().getIdPart()).execute();
        Failed.unlessEqual("family", trial.patient.getNameFirstRep().getFamily(), "Durand-Inventé");
    }

    private static void provide(Trial trial) {
        trial.provided = Fixtures.provide(trial.patient, Trial.CONTENT, null);
        trial.document = provided(trial, trial.provided);
    }

    /** The document of a Bundle that is taken, as it is read afterwards. */
    private static DocumentReference provided(Trial trial, Bundle bundle) {
        var answer = trial.client.transaction().withBundle(bundle).execute();
        Failed.unlessEqual("type of the answer", answer.getType(), Bundle.BundleType.TRANSACTIONRESPONSE);
        Failed.unlessEqual("entries", answer.getEntry().size(), bundle.getEntry().size());
        for (var entry : answer.getEntry()) {
            Failed.unlessEqual("status", entry.getResponse().getStatus().substring(0, 3), "201");
        }
        var url = answer.getEntry().get(1).getResponse().getLocation();
        return trial.client.read().resource(DocumentReference.class).withUrl(url).execute();
    }

    private static void read(Trial trial) {
        var sent = (DocumentReference) trial.provided.getEntry().get(1).getResource();
        var found = trial.document;
        Failed.unlessEqual("masterIdentifier", found.getMasterIdentifier().getValue(), sent.getMasterIdentifier().getValue());
        Failed.unlessEqual("description", found.getDescription(), sent.getDescription());
        Failed.unlessEqual("type", found.getType().equalsDeep(sent.getType()), true);
        Failed.unlessEqual("context", found.getContext().getPracticeSetting().equalsDeep(sent.getContext().getPracticeSetting()), true);
        Failed.unlessEqual("size", found.getContentFirstRep().getAttachment().getSize(), Trial.CONTENT.length);
    }

    private static void notModified(Trial trial) {
        var version = trial.document.getMeta().getVersionId();
        try {
            trial.client.read().resource(DocumentReference.class).withId(trial.document.getIdElement().getIdPart())
                    .ifVersionMatches(version).throwNotModifiedException().execute();
        } catch (NotModifiedException expected) {
            return;
        }
        throw new Failed("found the resource again, expected 304 for If-None-Match W/\"" + version + "\"");
    }

    private static void search(Trial trial, SearchStyleEnum style) {
        var identifier = trial.patient.getIdentifierFirstRep();
        var found = trial.client.search().forResource(DocumentReference.class)
                .where(new TokenClientParam("patient.identifier").exactly().systemAndIdentifier(identifier.getSystem(), identifier.getValue()))
                .and(DocumentReference.STATUS.exactly().code("current"))
                .and(DocumentReference.TYPE.exactly().systemAndCode("http://loinc.org", "11488-4"))
                .usingStyle(style).returnBundle(Bundle.class).execute();
        Failed.unlessEqual("total", found.getTotal(), 1);
        Failed.unlessEqual("id", found.getEntryFirstRep().getResource().getIdElement().getIdPart(), trial.document.getIdElement().getIdPart());
    }

    private static void author(Trial trial) {
        var found = trial.client.search().forResource(DocumentReference.class)
                .where(DocumentReference.PATIENT.hasId(trial.patient.getIdElement().getIdPart()))
                .and(new StringClientParam("author.family").matches().value("petit"))
                .returnBundle(Bundle.class).execute();
        Failed.unlessEqual("total", found.getTotal(), 1);
    }

    private static void include(Trial trial) {
        var found = trial.client.search().forResource(DocumentReference.class)
                .where(DocumentReference.PATIENT.hasId(trial.patient.getIdElement().getIdPart()))
                .include(new Include("DocumentReference:patient")).returnBundle(Bundle.class).execute();
        var included = found.getEntry().stream().filter(one -> one.getResource() instanceof Patient).count();
        Failed.unlessEqual("included patients", included, 1L);
        Failed.unlessEqual("total", found.getTotal(), 1);
    }

    private static void binary(Trial trial) {
        var url = trial.document.getContentFirstRep().getAttachment().getUrl();
        var binary = trial.client.read().resource(Binary.class).withUrl(url).execute();
        Failed.unlessEqual("contentType", binary.getContentType(), "text/plain");
        Failed.unlessEqual("the same octets", Arrays.equals(binary.getContent(), Trial.CONTENT), true);
    }

    private static void submissionSets(Trial trial) {
        var found = trial.client.search().forResource(ListResource.class)
                .where(ListResource.PATIENT.hasId(trial.patient.getIdElement().getIdPart()))
                .and(ListResource.CODE.exactly().code("submissionset"))
                .and(ListResource.STATUS.exactly().code("current")).returnBundle(Bundle.class).execute();
        Failed.unlessEqual("total", found.getTotal(), 1);
        var list = (ListResource) found.getEntryFirstRep().getResource();
        var member = list.getEntryFirstRep().getItem().getReferenceElement().getIdPart();
        Failed.unlessEqual("member", member, trial.document.getIdElement().getIdPart());
        var read = trial.client.read().resource(ListResource.class).withId(list.getIdElement().getIdPart()).execute();
        Failed.unlessEqual("title", read.getTitle(), "Envoi de HAPI");
    }

    private static void replace(Trial trial) {
        var original = trial.document;
        trial.document = provided(trial, Fixtures.provide(trial.patient, Trial.CONTENT, original));
        Failed.unlessEqual("status", status(trial, original), "superseded");
        Failed.unlessEqual("status of the new one", status(trial, trial.document), "current");
    }

    private static String status(Trial trial, DocumentReference document) {
        return trial.client.read().resource(DocumentReference.class).withId(document.getIdElement().getIdPart()).execute()
                .getStatus().toCode();
    }

    private static void pages(Trial trial) {
        for (var number = 1; number < DOCUMENTS; number++) {
            provided(trial, Fixtures.provide(trial.patient, Trial.CONTENT, null));
        }
        var seen = new HashSet<String>();
        var page = trial.client.search().forResource(DocumentReference.class)
                .where(DocumentReference.PATIENT.hasId(trial.patient.getIdElement().getIdPart()))
                .and(DocumentReference.STATUS.exactly().code("current")).count(2).returnBundle(Bundle.class).execute();
        while (true) {
            Failed.unlessEqual("total", page.getTotal(), DOCUMENTS);
            for (var entry : page.getEntry()) {
                Failed.unlessEqual("seen for the first time", seen.add(entry.getFullUrl()), true);
            }
            if (page.getLink(Bundle.LINK_NEXT) == null) {
                break;
            }
            page = trial.client.loadPage().next(page).execute();
        }
        Failed.unlessEqual("documents on all pages", seen.size(), DOCUMENTS);
    }

    private static void history(Trial trial) {
        var history = trial.client.history().onInstance(trial.document.getIdElement().toUnqualifiedVersionless())
                .returnBundle(Bundle.class).execute();
        Failed.unlessEqual("type", history.getType(), Bundle.BundleType.HISTORY);
        Failed.unlessEqual("versions", history.getEntry().size(), 1);
    }

    private static void refused(Trial trial) {
        var bundle = Fixtures.provide(trial.patient, Trial.CONTENT, null);
        ((DocumentReference) bundle.getEntry().get(1).getResource()).setType(null);
        try {
            trial.client.transaction().withBundle(bundle).execute();
        } catch (InvalidRequestException expected) {
            outcome(expected, "Bundle.entry[1].resource.type");
            return;
        }
        throw new Failed("a document without type was taken, expected 400");
    }

    private static void unknown(Trial trial) {
        try {
            trial.client.read().resource(DocumentReference.class).withId("nobody").execute();
        } catch (ResourceNotFoundException expected) {
            outcome(expected, null);
            return;
        }
        throw new Failed("found a document that nobody submitted, expected 404");
    }

    /** HAPI read an OperationOutcome with an issue, at this place where one is expected. */
    private static void outcome(BaseServerResponseException refused, String expression) {
        if (!(refused.getOperationOutcome() instanceof OperationOutcome outcome)) {
            throw new Failed("found no OperationOutcome with " + refused.getStatusCode());
        }
        if (expression != null) {
            var places = outcome.getIssue().stream().flatMap(one -> one.getExpression().stream()).map(Object::toString).toList();
            Failed.unlessEqual("expression " + expression + " in " + places, places.contains(expression), true);
        }
    }
}
