package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.ObjectReference;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.ReferenceId;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XDSMetaClass;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.DocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsByReferenceIdQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsForMultiplePatientsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindFoldersForMultiplePatientsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindFoldersQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindSubmissionSetsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetAllQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetAssociationsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsAndAssociationsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetFolderAndContentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetFoldersForDocumentQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetFoldersQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetRelatedDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetSubmissionSetAndContentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetSubmissionSetsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.Query;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryList;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Registry Stored Query [ITI-18] and Multi-Patient Stored Query [ITI-51], each as LeafClass and ObjectRef. ITI TF-2: 3.18, 3.51 */
final class QuerySteps {
    private static final List<AvailabilityStatus> APPROVED = List.of(AvailabilityStatus.APPROVED);
    private static final List<AvailabilityStatus> ANY =
            List.of(AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED);

    private final Fixtures fixtures;
    private final Metadata metadata;

    private QuerySteps(Fixtures fixtures) {
        this.fixtures = fixtures;
        this.metadata = fixtures.metadata;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new QuerySteps(fixtures);
        return List.of(
                step("find-documents", "documents of the patient", steps::findDocuments),
                step("find-documents-by-codes-and-times", "every filter at once finds the report", steps::findFiltered),
                step("find-documents-of-another-code", "a filter that fits nothing answers an empty list", steps::findNothing),
                step("find-documents-of-an-unknown-patient", "an unknown patient answers an empty list", steps::findNobody),
                step("find-documents-by-reference-id", "documents of an order number", steps::findByReference),
                step("find-submission-sets", "SubmissionSets of source, content type and author", steps::findSets),
                step("find-folders", "Folders of a code", steps::findFolders),
                step("get-all", "everything of the patient", steps::getAll),
                step("get-documents", "entries by entryUUID and by uniqueId", steps::getDocuments),
                step("get-folders", "Folders by entryUUID and by uniqueId", steps::getFolders),
                step("get-associations", "associations of an entry", steps::getAssociations),
                step("get-documents-and-associations", "an entry with its associations", steps::getDocumentsAndAssociations),
                step("get-submission-sets", "the SubmissionSets of an entry and a folder", steps::getSubmissionSets),
                step("get-submission-set-and-contents", "a SubmissionSet with what it brought", steps::getSetAndContents),
                step("get-folder-and-contents", "a Folder with its entries", steps::getFolderAndContents),
                step("get-folders-for-document", "the Folders of an entry", steps::getFoldersForDocument),
                step("get-related-documents", "both ends of a relationship", steps::getRelated));
    }

    static List<Step> multiplePatients(Fixtures fixtures) {
        var steps = new QuerySteps(fixtures);
        return List.of(
                new Step(Transaction.ITI_51, "find-documents", "documents of several patients", steps::findForPatients),
                new Step(Transaction.ITI_51, "find-folders", "Folders of several patients", steps::findFoldersForPatients));
    }

    private static Step step(String name, String title, Step.Body body) {
        return new Step(Transaction.ITI_18, name, title, body);
    }

    private static QueryResponse ask(Trial trial, Query query) throws Failed {
        return ask(trial, Transaction.ITI_18, query);
    }

    /** The LeafClass answer, after the ObjectRef answer has named the same objects and nothing else. */
    private static QueryResponse ask(Trial trial, Transaction transaction, Query query) throws Failed {
        var leaf = Trial.success(trial.query(transaction, query, QueryReturnType.LEAF_CLASS));
        var references = Trial.success(trial.query(transaction, query, QueryReturnType.OBJECT_REF));
        Trial.equal("objects in the ObjectRef answer", objects(references), Set.of());
        Trial.equal("ids in the ObjectRef answer",
                references.getReferences().stream().map(ObjectReference::getId).collect(Collectors.toCollection(TreeSet::new)),
                objects(leaf));
        return leaf;
    }

    private static Set<String> objects(QueryResponse answer) {
        var described = Stream.of(answer.getDocumentEntries(), answer.getSubmissionSets(), answer.getFolders())
                .flatMap(List::stream).map(XDSMetaClass::getEntryUuid);
        return Stream.concat(described, answer.getAssociations().stream().map(Association::getEntryUuid))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<String> ids(List<? extends XDSMetaClass> found) {
        return found.stream().map(XDSMetaClass::getEntryUuid).collect(Collectors.toSet());
    }

    private static void contains(String what, Set<String> found, String... wanted) throws Failed {
        for (var id : wanted) {
            if (!found.contains(id)) {
                throw new Failed(what + " lack " + id + "; found " + found);
            }
        }
    }

    private FindDocumentsQuery documentsOf(Identifiable patient) {
        var query = new FindDocumentsQuery();
        query.setPatientId(patient);
        query.setStatus(APPROVED);
        return query;
    }

    private void findDocuments(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var found = ask(trial, documentsOf(metadata.patient()));
        contains("entries found", ids(found.getDocumentEntries()), shared.report().getEntryUuid(), shared.annex().getEntryUuid());
    }

    private void findFiltered(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = documentsOf(metadata.patient());
        filter(query);
        contains("entries found", ids(ask(trial, query).getDocumentEntries()), shared.report().getEntryUuid());
    }

    private void filter(DocumentsQuery query) {
        query.setClassCodes(List.of(metadata.code("classCode")));
        query.setTypeCodes(List.of(metadata.code("typeCode")));
        query.setFormatCodes(List.of(metadata.code("formatCode")));
        query.setPracticeSettingCodes(List.of(metadata.code("practiceSettingCode")));
        query.setHealthcareFacilityTypeCodes(List.of(metadata.code("healthcareFacilityTypeCode")));
        query.setEventCodes(new QueryList<>(metadata.code("eventCodeList")));
        query.setConfidentialityCodes(new QueryList<>(metadata.code("confidentialityCode")));
        query.setAuthorPersons(List.of("%MARCEAU%"));
        query.getCreationTime().setFrom("20260310");
        query.getCreationTime().setTo("20260311");
        query.getServiceStartTime().setFrom("2026");
        query.getServiceStopTime().setTo("2027");
    }

    private void findNothing(Trial trial) throws Failed {
        fixtures.shared(trial);
        var query = documentsOf(metadata.patient());
        query.setAuthorPersons(List.of("%D''ORVAL%", "Personne de ce nom, (dit \"l'absent\")"));
        query.setClassCodes(List.of(metadata.code("codeList")));
        Trial.equal("entries found", ids(ask(trial, query).getDocumentEntries()), Set.of());
    }

    private void findNobody(Trial trial) throws Failed {
        var nobody = new Identifiable("INCONNU-" + Metadata.anOid(), metadata.patient().getAssigningAuthority());
        Trial.equal("objects found", objects(ask(trial, documentsOf(nobody))), Set.of());
    }

    private void findByReference(Trial trial) throws Failed {
        var report = fixtures.shared(trial).report();
        var query = new FindDocumentsByReferenceIdQuery();
        query.setPatientId(metadata.patient());
        query.setStatus(APPROVED);
        query.setTypedReferenceIds(new QueryList<ReferenceId>(report.getReferenceIdList().get(0)));
        Trial.equal("entries found", ids(ask(trial, query).getDocumentEntries()), Set.of(report.getEntryUuid()));
    }

    private void findSets(Trial trial) throws Failed {
        var set = fixtures.shared(trial).set();
        var query = new FindSubmissionSetsQuery();
        query.setPatientId(metadata.patient());
        query.setStatus(APPROVED);
        query.setSourceIds(List.of(set.getSourceId()));
        query.setContentTypeCodes(List.of(metadata.code("contentTypeCode")));
        query.setAuthorPerson("%MARCEAU%");
        query.getSubmissionTime().setFrom("2020");
        var found = ask(trial, query);
        contains("SubmissionSets found", ids(found.getSubmissionSets()), set.getEntryUuid());
        for (var one : found.getSubmissionSets()) {
            if (one.getEntryUuid().equals(set.getEntryUuid())) {
                Differences.none(set, one);
            }
        }
    }

    private void findFolders(Trial trial) throws Failed {
        var folder = fixtures.shared(trial).folder();
        var query = new FindFoldersQuery();
        query.setPatientId(metadata.patient());
        query.setStatus(APPROVED);
        query.setCodes(new QueryList<>(metadata.code("codeList")));
        query.getLastUpdateTime().setFrom("2020");
        contains("Folders found", ids(ask(trial, query).getFolders()), folder.getEntryUuid());
    }

    private void getAll(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetAllQuery();
        query.setPatientId(metadata.patient());
        query.setStatusDocuments(ANY);
        query.setStatusFolders(ANY);
        query.setStatusSubmissionSets(APPROVED);
        contains("objects found", objects(ask(trial, query)), shared.set().getEntryUuid(), shared.report().getEntryUuid(),
                shared.annex().getEntryUuid(), shared.folder().getEntryUuid(), shared.reportInFolder().getEntryUuid());
    }

    private void getDocuments(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var wanted = Set.of(shared.report().getEntryUuid(), shared.annex().getEntryUuid());
        var byUuid = new GetDocumentsQuery();
        byUuid.setUuids(List.copyOf(wanted));
        Trial.equal("entries by entryUUID", objects(ask(trial, byUuid)), wanted);
        var byUniqueId = new GetDocumentsQuery();
        byUniqueId.setUniqueIds(List.of(shared.report().getUniqueId(), shared.annex().getUniqueId()));
        Trial.equal("entries by uniqueId", objects(ask(trial, byUniqueId)), wanted);
    }

    private void getFolders(Trial trial) throws Failed {
        var folder = fixtures.shared(trial).folder();
        var byUuid = new GetFoldersQuery();
        byUuid.setUuids(List.of(folder.getEntryUuid()));
        var found = ask(trial, byUuid);
        Trial.equal("Folders by entryUUID", objects(found), Set.of(folder.getEntryUuid()));
        Differences.none(folder, found.getFolders().get(0));
        var byUniqueId = new GetFoldersQuery();
        byUniqueId.setUniqueIds(List.of(folder.getUniqueId()));
        Trial.equal("Folders by uniqueId", objects(ask(trial, byUniqueId)), Set.of(folder.getEntryUuid()));
    }

    private void getAssociations(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetAssociationsQuery();
        query.setUuids(List.of(shared.report().getEntryUuid()));
        var found = ask(trial, query);
        contains("associations found", objects(found), shared.reportInFolder().getEntryUuid());
        for (var one : found.getAssociations()) {
            if (one.getEntryUuid().equals(shared.reportInFolder().getEntryUuid())) {
                Differences.none(shared.reportInFolder(), one);
            }
        }
    }

    private void getDocumentsAndAssociations(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetDocumentsAndAssociationsQuery();
        query.setUuids(List.of(shared.report().getEntryUuid()));
        contains("objects found", objects(ask(trial, query)), shared.report().getEntryUuid(),
                shared.reportInFolder().getEntryUuid());
    }

    private void getSubmissionSets(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetSubmissionSetsQuery();
        query.setUuids(List.of(shared.report().getEntryUuid(), shared.folder().getEntryUuid()));
        var found = ask(trial, query);
        Trial.equal("SubmissionSets found", ids(found.getSubmissionSets()), Set.of(shared.set().getEntryUuid()));
        Trial.equal("targets of the HasMembers found",
                found.getAssociations().stream().map(Association::getTargetUuid).collect(Collectors.toSet()),
                Set.of(shared.report().getEntryUuid(), shared.folder().getEntryUuid()));
    }

    private void getSetAndContents(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetSubmissionSetAndContentsQuery();
        query.setUuid(shared.set().getEntryUuid());
        var found = ask(trial, query);
        Trial.equal("entries found", ids(found.getDocumentEntries()),
                Set.of(shared.report().getEntryUuid(), shared.annex().getEntryUuid()));
        Trial.equal("Folders found", ids(found.getFolders()), Set.of(shared.folder().getEntryUuid()));
        contains("objects found", objects(found), shared.set().getEntryUuid(), shared.reportInFolder().getEntryUuid());
        query.setUuid(null);
        query.setUniqueId(shared.set().getUniqueId());
        Trial.equal("objects by uniqueId", objects(ask(trial, query)), objects(found));
    }

    private void getFolderAndContents(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetFolderAndContentsQuery();
        query.setUniqueId(shared.folder().getUniqueId());
        var found = ask(trial, query);
        Trial.equal("entries found", ids(found.getDocumentEntries()),
                Set.of(shared.report().getEntryUuid(), shared.annex().getEntryUuid()));
        contains("objects found", objects(found), shared.folder().getEntryUuid(), shared.reportInFolder().getEntryUuid());
    }

    private void getFoldersForDocument(Trial trial) throws Failed {
        var shared = fixtures.shared(trial);
        var query = new GetFoldersForDocumentQuery();
        query.setUniqueId(shared.report().getUniqueId());
        Trial.equal("objects found", objects(ask(trial, query)), Set.of(shared.folder().getEntryUuid()));
    }

    private void getRelated(Trial trial) throws Failed {
        var original = fixtures.fresh(trial, "Document avec un additif");
        var addendum = metadata.anEntry("Additif", "text/plain");
        var set = metadata.aSubmissionSet("Additif");
        var relation = Metadata.relation(
                AssociationType.APPEND, addendum.getEntryUuid(), original.entry().getEntryUuid());
        Trial.success(trial.provide(Fixtures.request(set, Fixtures.document(addendum, Metadata.aText("additif")),
                List.of(Metadata.member(set, addendum.getEntryUuid(), AssociationLabel.ORIGINAL), relation))));
        var query = new GetRelatedDocumentsQuery();
        query.setUuid(original.entry().getEntryUuid());
        query.setAssociationTypes(List.of(AssociationType.APPEND, AssociationType.REPLACE));
        Trial.equal("objects found", objects(ask(trial, query)),
                Set.of(original.entry().getEntryUuid(), addendum.getEntryUuid(), relation.getEntryUuid()));
        query.setAssociationTypes(List.of(AssociationType.TRANSFORM));
        Trial.equal("objects found by another type", objects(ask(trial, query)), Set.of());
    }

    private void findForPatients(Trial trial) throws Failed {
        var report = fixtures.shared(trial).report();
        var query = new FindDocumentsForMultiplePatientsQuery();
        query.setPatientIds(List.of(metadata.patient(), new Identifiable("AUTRE", metadata.patient().getAssigningAuthority())));
        query.setStatus(APPROVED);
        query.setClassCodes(List.of(metadata.code("classCode")));
        contains("entries found", ids(ask(trial, Transaction.ITI_51, query).getDocumentEntries()), report.getEntryUuid());
    }

    private void findFoldersForPatients(Trial trial) throws Failed {
        var folder = fixtures.shared(trial).folder();
        var query = new FindFoldersForMultiplePatientsQuery();
        query.setPatientIds(List.of(metadata.patient()));
        query.setStatus(APPROVED);
        query.setCodes(new QueryList<>(metadata.code("codeList")));
        contains("Folders found", ids(ask(trial, Transaction.ITI_51, query).getFolders()), folder.getEntryUuid());
    }
}
