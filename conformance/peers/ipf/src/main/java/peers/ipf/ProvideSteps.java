package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.List;

/** Provide and Register Document Set-b [ITI-41]. ITI TF-2: 3.41 */
final class ProvideSteps {
    private final Fixtures fixtures;
    private final Metadata metadata;

    private ProvideSteps(Fixtures fixtures) {
        this.fixtures = fixtures;
        this.metadata = fixtures.metadata;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new ProvideSteps(fixtures);
        return List.of(
                step("two-documents-in-a-folder", "two documents as MTOM, both put into a new folder", steps::shared),
                step("what-comes-in-goes-out", "the entry comes back as it was sent, hash and size added", steps::fidelity),
                step("texts-keep-their-language", "title, comments and display names keep xml:lang", steps::languages),
                step("append", "an addendum leaves the report Approved", trial -> steps.related(trial, AssociationType.APPEND)),
                step("replace", "a replacement deprecates the report", trial -> steps.related(trial, AssociationType.REPLACE)),
                step("replace-a-deprecated-document", "a deprecated document cannot be replaced", steps::replaceTwice),
                step("same-document-again", "the same uniqueId with the same octets is accepted", steps::again),
                step("other-octets-again", "the same uniqueId with other octets is refused", steps::otherOctets),
                step("unknown-patient", "a patient nobody made known is refused", steps::unknownPatient),
                step("wrong-hash", "a hash that does not fit the octets is refused", steps::wrongHash),
                step("empty-document", "a document of no octets is stored", steps::empty));
    }

    private static Step step(String name, String title, Step.Body body) {
        return new Step(Transaction.ITI_41, name, title, body);
    }

    private void shared(Trial trial) throws Failed {
        fixtures.shared(trial);
    }

    private void fidelity(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var found = trial.stored(shared.report().getUniqueId());
        Differences.none(shared.report(), found);
        Trial.equal("hash", found.getHash(), Metadata.sha1(shared.reportContent()));
        Trial.equal("size", found.getSize(), (long) shared.reportContent().length);
        Trial.equal("availabilityStatus", found.getAvailabilityStatus(), AvailabilityStatus.APPROVED);
        Trial.equal("logicalID", found.getLogicalUuid(), found.getEntryUuid());
        Trial.equal("version", found.getVersion() == null ? null : found.getVersion().getVersionName(), "1");
    }

    private void languages(Trial trial) throws Failed {
        var report = fixtures.shared(trial).report();
        Differences.noneInLanguages(report, trial.stored(report.getUniqueId()));
    }

    private void related(Trial trial, AssociationType type) throws Failed {
        var original = fixtures.fresh(trial, "Document vis\u00e9 par " + type);
        var successor = metadata.anEntry("Document li\u00e9 par " + type, "text/plain");
        relate(trial, successor, type, original.entry().getEntryUuid());
        var expected = type.isReplace() ? AvailabilityStatus.DEPRECATED : AvailabilityStatus.APPROVED;
        Trial.equal("status of the target", trial.stored(original.entry().getUniqueId()).getAvailabilityStatus(), expected);
        Trial.equal("status of the source", trial.stored(successor.getUniqueId()).getAvailabilityStatus(),
                AvailabilityStatus.APPROVED);
    }

    private void relate(Trial trial, DocumentEntry source,
                        AssociationType type, String target) throws Failed {
        Trial.success(trial.provide(relating(source, type, target)));
    }

    private ProvideAndRegisterDocumentSet relating(
            DocumentEntry source, AssociationType type, String target) {
        var set = metadata.aSubmissionSet("Lot avec une relation");
        return Fixtures.request(set, Fixtures.document(source, Metadata.aText("relation " + type)), List.of(
                Metadata.member(set, source.getEntryUuid(), AssociationLabel.ORIGINAL),
                Metadata.relation(type, source.getEntryUuid(), target)));
    }

    private void replaceTwice(Trial trial) throws Failed {
        var original = fixtures.fresh(trial, "Document remplac\u00e9 deux fois");
        var first = metadata.anEntry("Premier rempla\u00e7ant", "text/plain");
        var second = metadata.anEntry("Second rempla\u00e7ant", "text/plain");
        relate(trial, first, AssociationType.REPLACE, original.entry().getEntryUuid());
        var answer = trial.provide(relating(second, AssociationType.REPLACE, original.entry().getEntryUuid()));
        Trial.refused(answer, Status.FAILURE, "XDSRegistryDeprecatedDocumentError");
    }

    private void again(Trial trial) throws Failed {
        Trial.success(resubmit(trial, fixtures.fresh(trial, "Document envoy\u00e9 deux fois"), true));
    }

    private void otherOctets(Trial trial) throws Failed {
        var original = fixtures.fresh(trial, "Document envoy\u00e9 puis chang\u00e9");
        Trial.refused(resubmit(trial, original, false), Status.FAILURE, "XDSNonIdenticalHash");
    }

    private Response resubmit(
            Trial trial, Fixtures.Fresh original, boolean same) throws Failed {
        var entry = metadata.anEntry("Document envoy\u00e9 encore", "text/plain");
        entry.setUniqueId(original.entry().getUniqueId());
        return provideOne(trial, entry, same ? original.content() : Metadata.aText("tout autre contenu"));
    }

    private Response provideOne(
            Trial trial, DocumentEntry entry, byte[] content) throws Failed {
        var set = metadata.aSubmissionSet("Lot d'un document");
        set.setPatientId(entry.getPatientId());
        return trial.provide(Fixtures.request(set, Fixtures.document(entry, content),
                List.of(Metadata.member(set, entry.getEntryUuid(), AssociationLabel.ORIGINAL))));
    }

    private void unknownPatient(Trial trial) throws Failed {
        var entry = metadata.anEntry("Document d'un inconnu", "text/plain");
        var authority = metadata.patient().getAssigningAuthority();
        entry.setPatientId(new Identifiable("INCONNU-" + Metadata.anOid(), authority));
        Trial.refused(provideOne(trial, entry, Metadata.aText("inconnu")), Status.FAILURE, "XDSUnknownPatientId");
    }

    private void wrongHash(Trial trial) throws Failed {
        var entry = metadata.anEntry("Document \u00e0 l'empreinte fausse", "text/plain");
        entry.setHash(Metadata.sha1(Metadata.aText("un autre")));
        Trial.refused(provideOne(trial, entry, Metadata.aText("celui-ci")), Status.FAILURE, "XDSRepositoryMetadataError");
    }

    private void empty(Trial trial) throws Failed {
        var entry = metadata.anEntry("Document vide", "text/plain");
        Trial.success(provideOne(trial, entry, new byte[0]));
        Trial.equal("size", trial.stored(entry.getUniqueId()).getSize(), 0L);
    }
}
