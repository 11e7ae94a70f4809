package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XDSMetaClass;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetFoldersForDocumentQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetFoldersQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.List;

/** Update Document Set [ITI-57] and Restricted Update Document Set [ITI-92]. XDS Metadata Update 3.57, RMU 3.92 */
final class UpdateSteps {
    private static final int ALL_VERSIONS = 2;

    private final Fixtures fixtures;
    private final Metadata metadata;
    private final Transaction transaction;
    private final String home;

    private UpdateSteps(Fixtures fixtures, Transaction transaction, String home) {
        this.home = home;
        this.fixtures = fixtures;
        this.metadata = fixtures.metadata;
        this.transaction = transaction;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new UpdateSteps(fixtures, Transaction.ITI_57, null);
        return List.of(
                steps.step("new-version", "a new version deprecates the old one", steps::newVersion),
                steps.step("new-folder-version", "a new version of a folder keeps its members", steps::newFolderVersion),
                steps.step("status", "Approved becomes Deprecated without a new version", steps::status),
                steps.step("submit-association", "a stored document is put into a stored folder", steps::submitAssociation),
                steps.step("stale-version", "an update of a version that is not the newest is refused", steps::stale),
                steps.step("unknown-object", "an update of an object nobody knows is refused", steps::unknown));
    }

    /** IPF refuses to send ITI-92 without the home community of the registry. RMU: 3.92.4.1.2 */
    static List<Step> restricted(Fixtures fixtures, String home) {
        if (home == null) {
            return List.of();
        }
        var steps = new UpdateSteps(fixtures, Transaction.ITI_92, home);
        return List.of(
                steps.step("new-version", "a new version deprecates the old one", steps::newVersion),
                steps.step("stale-version", "an update of a version that is not the newest is refused", steps::stale));
    }

    private Step step(String name, String title, Step.Body body) {
        return new Step(transaction, name, title, body);
    }

    private Response update(Trial trial, SubmissionSet set, DocumentEntry next, String previousVersion) throws Failed {
        set.setHomeCommunityId(home);
        next.setHomeCommunityId(home == null ? next.getHomeCommunityId() : home);
        var request = RegisterDocumentSet.builderWith(set).withDocument(next)
                .withAssociation(update(set, next, AssociationLabel.ORIGINAL, previousVersion)).build();
        return trial.register(transaction, request);
    }

    private static Association update(SubmissionSet set, XDSMetaClass next, AssociationLabel label, String previousVersion) {
        var member = Metadata.member(set, next.getEntryUuid(), label);
        member.setPreviousVersion(previousVersion);
        return member;
    }

    /** The stored entry as the next version: own id, same logicalID, the registry's own attributes left out. */
    private static <T extends XDSMetaClass> T next(T stored) {
        stored.setEntryUuid(Metadata.aUuid());
        stored.setVersion(null);
        stored.setAvailabilityStatus(null);
        return stored;
    }

    private void newVersion(Trial trial) throws Failed {
        var next = next(trial.stored(fixtures.fresh(trial, "Document \u00e0 corriger").entry().getUniqueId()));
        next.setTitle(Metadata.text("Titre corrig\u00e9"));
        next.getConfidentialityCodes().set(0, metadata.code("otherConfidentialityCode"));
        Trial.success(update(trial, metadata.aSubmissionSet("Correction"), next, "1"));
        var found = trial.stored(next.getUniqueId());
        Differences.none(next, found);
        Trial.equal("entryUUID", found.getEntryUuid(), next.getEntryUuid());
        Trial.equal("logicalID", found.getLogicalUuid(), next.getLogicalUuid());
        Trial.equal("version", found.getVersion().getVersionName(), "2");
        Trial.equal("statuses of the versions", statuses(trial, next.getLogicalUuid()),
                List.of(AvailabilityStatus.DEPRECATED, AvailabilityStatus.APPROVED));
    }

    private static List<AvailabilityStatus> statuses(Trial trial, String logicalId) throws Failed {
        var query = new GetDocumentsQuery();
        query.setLogicalUuid(List.of(logicalId));
        query.setMetadataLevel(ALL_VERSIONS);
        var answer = Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS));
        return answer.getDocumentEntries().stream()
                .sorted((one, other) -> one.getVersion().getVersionName().compareTo(other.getVersion().getVersionName()))
                .map(XDSMetaClass::getAvailabilityStatus).toList();
    }

    private void newFolderVersion(Trial trial) throws Failed {
        var document = fixtures.fresh(trial, "Document d'un classeur renomm\u00e9");
        var next = next(storedFolder(trial, aFolderWith(trial, document).getUniqueId()));
        next.setTitle(Metadata.text("Classeur renomm\u00e9"));
        var set = metadata.aSubmissionSet("Renommage");
        Trial.success(trial.register(transaction, RegisterDocumentSet.builderWith(set).withFolder(next)
                .withAssociation(update(set, next, null, "1")).build()));
        var found = storedFolder(trial, next.getUniqueId());
        Differences.none(next, found);
        Trial.equal("version", found.getVersion().getVersionName(), "2");
        var query = new GetFoldersForDocumentQuery();
        query.setUuid(document.entry().getEntryUuid());
        var folders = Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS)).getFolders();
        Trial.equal("folders of the document", folders.stream().map(XDSMetaClass::getEntryUuid).toList(),
                List.of(next.getEntryUuid()));
    }

    private Folder aFolderWith(Trial trial, Fixtures.Fresh document) throws Failed {
        var set = metadata.aSubmissionSet("Classement");
        var folder = metadata.aFolder("Classeur \u00e0 renommer");
        var membership = Metadata.relation(
                AssociationType.HAS_MEMBER, folder.getEntryUuid(), document.entry().getEntryUuid());
        Trial.success(trial.register(Transaction.ITI_42, RegisterDocumentSet.supportiveBuilderWith(set)
                .withFolder(folder).withAssociation(membership).build()));
        return folder;
    }

    private static Folder storedFolder(Trial trial, String uniqueId) throws Failed {
        var query = new GetFoldersQuery();
        query.setUniqueIds(List.of(uniqueId));
        var answer = Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS));
        Trial.equal("number of folders with uniqueId " + uniqueId, answer.getFolders().size(), 1);
        return answer.getFolders().get(0);
    }

    private void status(Trial trial) throws Failed {
        var fresh = fixtures.fresh(trial, "Document \u00e0 retirer de la vue");
        var set = metadata.aSubmissionSet("Changement d'\u00e9tat");
        var change = Metadata.relation(AssociationType.UPDATE_AVAILABILITY_STATUS, set.getEntryUuid(),
                fresh.entry().getEntryUuid());
        change.setOriginalStatus(AvailabilityStatus.APPROVED);
        change.setNewStatus(AvailabilityStatus.DEPRECATED);
        Trial.success(trial.register(transaction, RegisterDocumentSet.builderWith(set).withAssociation(change).build()));
        var found = trial.stored(fresh.entry().getUniqueId());
        Trial.equal("availabilityStatus", found.getAvailabilityStatus(), AvailabilityStatus.DEPRECATED);
        Trial.equal("version", found.getVersion().getVersionName(), "1");
    }

    private void submitAssociation(Trial trial) throws Failed {
        var folder = aFolderWith(trial, fixtures.fresh(trial, "Premier document du classeur"));
        var second = fixtures.fresh(trial, "Second document du classeur");
        var set = metadata.aSubmissionSet("Ajout au classeur");
        var membership = Metadata.relation(
                AssociationType.HAS_MEMBER, folder.getEntryUuid(), second.entry().getEntryUuid());
        var submit = Metadata.relation(
                AssociationType.SUBMIT_ASSOCIATION, set.getEntryUuid(), membership.getEntryUuid());
        Trial.success(trial.register(transaction, RegisterDocumentSet.builderWith(set)
                .withAssociations(List.of(membership, submit)).build()));
        var query = new GetFoldersForDocumentQuery();
        query.setUuid(second.entry().getEntryUuid());
        var answer = Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS));
        Trial.equal("folders of the document", answer.getFolders().stream().map(XDSMetaClass::getEntryUuid).toList(),
                List.of(folder.getEntryUuid()));
    }

    private void stale(Trial trial) throws Failed {
        var next = next(trial.stored(fixtures.fresh(trial, "Document corrig\u00e9 deux fois").entry().getUniqueId()));
        Trial.refused(update(trial, metadata.aSubmissionSet("Correction tardive"), next, "7"),
                Status.FAILURE, "XDSMetadataVersionError");
        Trial.equal("version", trial.stored(next.getUniqueId()).getVersion().getVersionName(), "1");
    }

    private void unknown(Trial trial) throws Failed {
        var next = metadata.stored(metadata.anEntry("Document jamais enregistr\u00e9", "text/plain"),
                Metadata.aText("rien"), Metadata.OTHER_REPOSITORY);
        next.setLogicalUuid(Metadata.aUuid());
        Trial.refused(update(trial, metadata.aSubmissionSet("Correction de rien"), next, "1"),
                Status.FAILURE, "UnresolvedReferenceException");
    }
}
