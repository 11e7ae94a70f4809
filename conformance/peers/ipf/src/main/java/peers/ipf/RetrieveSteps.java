package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RemoveDocuments;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** Retrieve Document Set [ITI-43] and Remove Documents [ITI-86]. ITI TF-2: 3.43, 3.86 */
final class RetrieveSteps {
    private final Fixtures fixtures;

    private RetrieveSteps(Fixtures fixtures) {
        this.fixtures = fixtures;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new RetrieveSteps(fixtures);
        return List.of(
                new Step(Transaction.ITI_43, "two-documents", "both documents come back octet by octet", steps::both),
                new Step(Transaction.ITI_43, "one-known-one-unknown", "PartialSuccess names the unknown document",
                        steps::partial),
                new Step(Transaction.ITI_43, "unknown", "an unknown document is a Failure", steps::unknown),
                new Step(Transaction.ITI_43, "unknown-repository", "a foreign repositoryUniqueId is refused",
                        steps::unknownRepository));
    }

    static List<Step> removal(Fixtures fixtures) {
        var steps = new RetrieveSteps(fixtures);
        return List.of(
                new Step(Transaction.ITI_86, "remove-a-document", "the document is gone, its metadata stays", steps::remove),
                new Step(Transaction.ITI_86, "one-known-one-unknown", "PartialSuccess removes what is there",
                        steps::removePartly),
                new Step(Transaction.ITI_86, "unknown", "an unknown document cannot be removed", steps::removeUnknown));
    }

    private static RetrieveDocumentSet request(DocumentReference... references) {
        var request = new RetrieveDocumentSet();
        request.getDocuments().addAll(List.of(references));
        return request;
    }

    private static RemoveDocuments removal(DocumentReference... references) {
        var request = new RemoveDocuments();
        request.getDocuments().addAll(List.of(references));
        return request;
    }

    private static DocumentReference reference(Trial trial, DocumentEntry entry) throws Failed {
        return new DocumentReference(trial.stored(entry.getUniqueId()).getRepositoryUniqueId(), entry.getUniqueId(), null);
    }

    private static DocumentReference unknownBeside(DocumentReference known) {
        return new DocumentReference(known.getRepositoryUniqueId(), Metadata.anOid(), null);
    }

    private void both(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var answer = Trial.success(
                trial.retrieve(request(reference(trial, shared.report()), reference(trial, shared.annex()))));
        Trial.equal("number of documents", answer.getDocuments().size(), 2);
        same(answer.getDocuments().get(0), shared.report(), shared.reportContent());
        same(answer.getDocuments().get(1), shared.annex(), shared.annexContent());
    }

    private static void same(RetrievedDocument found, DocumentEntry entry, byte[] content) throws Failed {
        Trial.equal("DocumentUniqueId", found.getRequestData().getDocumentUniqueId(), entry.getUniqueId());
        Trial.equal("mimeType", found.getMimeType(), entry.getMimeType());
        Trial.equal("NewDocumentUniqueId", found.getNewDocumentUniqueId(), null);
        var octets = octets(found);
        if (!Arrays.equals(octets, content)) {
            throw new Failed("document " + entry.getUniqueId() + " came back changed: " + octets.length + " octets, sent "
                    + content.length + ", first difference at " + Arrays.mismatch(octets, content));
        }
    }

    private static byte[] octets(RetrievedDocument found) throws Failed {
        try (var stream = found.getDataHandler().getInputStream()) {
            return stream.readAllBytes();
        } catch (IOException broken) {
            throw new Failed("the document in the answer cannot be read: " + broken.getMessage(), broken);
        }
    }

    private void partial(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var known = reference(trial, shared.report());
        var unknown = unknownBeside(known);
        var answer = trial.retrieve(request(unknown, known));
        Trial.refused(answer, Status.PARTIAL_SUCCESS, "XDSDocumentUniqueIdError");
        Trial.equal("location of the error", answer.getErrors().get(0).getLocation(), unknown.getDocumentUniqueId());
        Trial.equal("number of documents", answer.getDocuments().size(), 1);
        same(answer.getDocuments().get(0), shared.report(), shared.reportContent());
    }

    private void unknown(Trial trial) throws Failed {
        var known = reference(trial, fixtures.shared(trial).report());
        nothing(trial.retrieve(request(unknownBeside(known))), "XDSDocumentUniqueIdError");
    }

    private void unknownRepository(Trial trial) throws Failed {
        var report = fixtures.shared(trial).report();
        nothing(trial.retrieve(request(new DocumentReference("2.25.404", report.getUniqueId(), null))),
                "XDSUnknownRepositoryId");
    }

    private static void nothing(RetrievedDocumentSet answer, String code) throws Failed {
        Trial.refused(answer, Status.FAILURE, code);
        Trial.equal("number of documents", answer.getDocuments().size(), 0);
    }

    private void remove(Trial trial) throws Failed {
        var fresh = fixtures.fresh(trial, "Document \u00e0 retirer");
        var known = reference(trial, fresh.entry());
        same(Trial.success(trial.retrieve(request(known))).getDocuments().get(0), fresh.entry(), fresh.content());
        Trial.success(trial.remove(removal(known)));
        nothing(trial.retrieve(request(known)), "XDSDocumentUniqueIdError");
        trial.stored(fresh.entry().getUniqueId());
    }

    private void removePartly(Trial trial) throws Failed {
        var known = reference(trial, fixtures.fresh(trial, "Document \u00e0 retirer en partie").entry());
        var unknown = unknownBeside(known);
        var answer = trial.remove(removal(unknown, known));
        Trial.refused(answer, Status.PARTIAL_SUCCESS, "XDSDocumentUniqueIdError");
        nothing(trial.retrieve(request(known)), "XDSDocumentUniqueIdError");
    }

    private void removeUnknown(Trial trial) throws Failed {
        var known = reference(trial, fixtures.fresh(trial, "Document qui reste").entry());
        Trial.refused(trial.remove(removal(unknownBeside(known))), Status.FAILURE, "XDSDocumentUniqueIdError");
        Trial.success(trial.retrieve(request(known)));
    }
}
