package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentAvailability;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntryType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.List;

/** Register Document Set-b [ITI-42] and Register On-Demand Document Entry [ITI-61]. ITI TF-2: 3.42, 3.61 */
final class RegisterSteps {
    private final Fixtures fixtures;
    private final Metadata metadata;

    private RegisterSteps(Fixtures fixtures) {
        this.fixtures = fixtures;
        this.metadata = fixtures.metadata;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new RegisterSteps(fixtures);
        return List.of(
                new Step(Transaction.ITI_42, "entry-of-another-repository", "an entry whose document lies elsewhere",
                        steps::elsewhere),
                new Step(Transaction.ITI_42, "symbolic-ids", "symbolic ids become lower-case UUIDs", steps::symbolic),
                new Step(Transaction.ITI_42, "transform", "a transformation of a stored document", steps::transform),
                new Step(Transaction.ITI_42, "folder-only", "a submission of a folder and a stored document in it",
                        steps::folderOnly),
                new Step(Transaction.ITI_42, "unknown-target", "a replacement of an unknown document is refused",
                        steps::unknownTarget));
    }

    static List<Step> onDemand(Fixtures fixtures) {
        var steps = new RegisterSteps(fixtures);
        return List.of(
                new Step(Transaction.ITI_61, "on-demand-entry", "an on-demand entry, found only when asked for",
                        steps::onDemand));
    }

    private RegisterDocumentSet request(SubmissionSet set, DocumentEntry entry) {
        return RegisterDocumentSet.builderWith(set).withDocument(entry)
                .withAssociation(Metadata.member(set, entry.getEntryUuid(), AssociationLabel.ORIGINAL)).build();
    }

    private DocumentEntry anEntryElsewhere(String title) {
        return metadata.stored(metadata.anEntry(title, "application/pdf"), Metadata.aText(title), Metadata.OTHER_REPOSITORY);
    }

    private void elsewhere(Trial trial) throws Failed {
        var entry = anEntryElsewhere("Document d'un autre d\u00e9p\u00f4t");
        entry.setDocumentAvailability(DocumentAvailability.ONLINE);
        Trial.success(trial.register(Transaction.ITI_42, request(metadata.aSubmissionSet("Lot"), entry)));
        var found = trial.stored(entry.getUniqueId());
        Differences.none(entry, found);
        Trial.equal("repositoryUniqueId", found.getRepositoryUniqueId(), Metadata.OTHER_REPOSITORY);
        Trial.equal("hash", found.getHash(), entry.getHash());
    }

    private void symbolic(Trial trial) throws Failed {
        var set = metadata.aSubmissionSet("Lot aux identifiants symboliques");
        set.setEntryUuid("SubmissionSet01");
        var entry = anEntryElsewhere("Document symbolique");
        entry.setEntryUuid("Document01");
        Trial.success(trial.register(Transaction.ITI_42, request(set, entry)));
        var uuid = trial.stored(entry.getUniqueId()).getEntryUuid();
        if (!uuid.matches("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")) {
            throw new Failed("entryUUID given for a symbolic id: found \"" + uuid + "\", expected a lower-case urn:uuid:");
        }
    }

    private void transform(Trial trial) throws Failed {
        var original = fixtures.fresh(trial, "Document transform\u00e9");
        var entry = anEntryElsewhere("Transformation");
        var request = request(metadata.aSubmissionSet("Lot"), entry);
        request.getAssociations().add(
                Metadata.relation(AssociationType.TRANSFORM, entry.getEntryUuid(), original.entry().getEntryUuid()));
        Trial.success(trial.register(Transaction.ITI_42, request));
        Trial.equal("status of the target", trial.stored(original.entry().getUniqueId()).getAvailabilityStatus(),
                AvailabilityStatus.APPROVED);
    }

    private void folderOnly(Trial trial) throws Failed {
        var stored = fixtures.fresh(trial, "Document class\u00e9 plus tard");
        var set = metadata.aSubmissionSet("Lot sans document");
        var folder = metadata.aFolder("Classeur ajout\u00e9");
        var membership = Metadata.relation(
                AssociationType.HAS_MEMBER, folder.getEntryUuid(), stored.entry().getEntryUuid());
        Trial.success(trial.register(Transaction.ITI_42, RegisterDocumentSet.builderWith(set).withFolder(folder)
                .withAssociations(List.of(
                        Metadata.member(set, folder.getEntryUuid(), null),
                        membership,
                        Metadata.member(set, membership.getEntryUuid(), null)))
                .build()));
    }

    private void unknownTarget(Trial trial) throws Failed {
        var entry = anEntryElsewhere("Rempla\u00e7ant de rien");
        var request = request(metadata.aSubmissionSet("Lot"), entry);
        request.getAssociations().add(
                Metadata.relation(AssociationType.REPLACE, entry.getEntryUuid(), Metadata.aUuid()));
        var answer = trial.register(Transaction.ITI_42, request);
        Trial.refused(answer, Status.FAILURE, "UnresolvedReferenceException");
    }

    private void onDemand(Trial trial) throws Failed {
        var entry = metadata.anOnDemandEntry("Synth\u00e8se \u00e0 la demande");
        Trial.success(trial.register(Transaction.ITI_61, request(metadata.aSubmissionSet("Lot"), entry)));
        Trial.equal("found among stable entries", finds(trial, null, entry), false);
        Trial.equal("found among on-demand entries", finds(trial, List.of(DocumentEntryType.ON_DEMAND), entry), true);
    }

    private boolean finds(Trial trial, List<DocumentEntryType> types, DocumentEntry wanted) throws Failed {
        var query = new FindDocumentsQuery();
        query.setPatientId(metadata.patient());
        query.setStatus(List.of(AvailabilityStatus.APPROVED));
        query.setDocumentEntryTypes(types);
        var answer = Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS));
        for (var found : answer.getDocumentEntries()) {
            if (found.getUniqueId().equals(wanted.getUniqueId())) {
                Differences.none(wanted, found);
                return true;
            }
        }
        return false;
    }
}
