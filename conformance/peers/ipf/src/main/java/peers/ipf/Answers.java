package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Author;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntryType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Hl7v2Based;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.ObjectReference;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.TimeRange;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Timestamp;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XDSMetaClass;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.*;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Registry Stored Query [ITI-18] over the store: one predicate or walk per query. ITI TF-2: 3.18.4.1.2.3.7 */
final class Answers {
    private final Store store;
    private final Map<QueryType, Function<Query, Found>> queries = Map.ofEntries(
            row(QueryType.FIND_DOCUMENTS, FindDocumentsQuery.class, this::findDocuments),
            row(QueryType.FIND_DOCUMENTS_BY_REFERENCE_ID, FindDocumentsByReferenceIdQuery.class, this::findByReference),
            row(QueryType.FIND_SUBMISSION_SETS, FindSubmissionSetsQuery.class, this::findSets),
            row(QueryType.FIND_FOLDERS, FindFoldersQuery.class, this::findFolders),
            row(QueryType.GET_ALL, GetAllQuery.class, this::getAll),
            row(QueryType.GET_DOCUMENTS, GetDocumentsQuery.class, query -> new Found().entries(documents(query))),
            row(QueryType.GET_FOLDERS, GetFoldersQuery.class, this::getFolders),
            row(QueryType.GET_ASSOCIATIONS, GetAssociationsQuery.class,
                    query -> new Found().associations(touching(query.getUuids()))),
            row(QueryType.GET_DOCUMENTS_AND_ASSOCIATIONS, GetDocumentsAndAssociationsQuery.class, this::getWithAssociations),
            row(QueryType.GET_SUBMISSION_SETS, GetSubmissionSetsQuery.class, this::getSets),
            row(QueryType.GET_SUBMISSION_SET_AND_CONTENTS, GetSubmissionSetAndContentsQuery.class, this::getSetAndContents),
            row(QueryType.GET_FOLDER_AND_CONTENTS, GetFolderAndContentsQuery.class, this::getFolderAndContents),
            row(QueryType.GET_FOLDERS_FOR_DOCUMENT, GetFoldersForDocumentQuery.class, this::getFoldersForDocument),
            row(QueryType.GET_RELATED_DOCUMENTS, GetRelatedDocumentsQuery.class, this::getRelated));

    Answers(Store store) {
        this.store = store;
    }

    private static <T extends Query> Map.Entry<QueryType, Function<Query, Found>> row(
            QueryType type, Class<T> kind, Function<T, Found> answer) {
        return Map.entry(type, query -> answer.apply(kind.cast(query)));
    }

    QueryResponse answer(QueryRegistry request) {
        var query = queries.get(request.getQuery().getType());
        Registration.demand(query != null, ErrorCode.UNKNOWN_STORED_QUERY, request.getQuery().getType() + " is not served");
        synchronized (store) {
            return query.apply(request.getQuery()).response(request.getReturnType());
        }
    }

    /** What a query found, each object once. */
    private final class Found {
        private final Set<String> sets = new LinkedHashSet<>();
        private final Set<String> entries = new LinkedHashSet<>();
        private final Set<String> folders = new LinkedHashSet<>();
        private final Set<String> associations = new LinkedHashSet<>();

        Found entries(Stream<DocumentEntry> found) {
            found.map(XDSMetaClass::getEntryUuid).forEach(entries::add);
            return this;
        }

        Found associations(Stream<Association> found) {
            found.map(Association::getEntryUuid).forEach(associations::add);
            return this;
        }

        private boolean has(String uuid) {
            return Stream.of(sets, entries, folders, associations).anyMatch(ids -> ids.contains(uuid));
        }

        QueryResponse response(QueryReturnType returnType) {
            var answer = new QueryResponse(Status.SUCCESS);
            if (returnType == QueryReturnType.OBJECT_REF) {
                answer.setReferences(Stream.of(sets, entries, folders, associations).flatMap(Set::stream)
                        .map(ObjectReference::new).toList());
                return answer;
            }
            answer.setSubmissionSets(of(sets, store.sets));
            answer.setDocumentEntries(of(entries, store.entries));
            answer.setFolders(of(folders, store.folders));
            answer.setAssociations(of(associations, store.associations));
            Registration.demand(Stream.of(answer.getSubmissionSets(), answer.getDocumentEntries(), answer.getFolders())
                            .flatMap(List::stream).map(XDSMetaClass::getPatientId).distinct().count() <= 1,
                    ErrorCode.RESULT_NOT_SINGLE_PATIENT, "the objects belong to several patients");
            return answer;
        }

        private <T> List<T> of(Set<String> ids, Map<String, T> held) {
            return ids.stream().map(held::get).toList();
        }
    }

    private Found findDocuments(FindDocumentsQuery query) {
        return new Found().entries(matching(query));
    }

    private Stream<DocumentEntry> matching(FindDocumentsQuery query) {
        return store.entries(entry -> entry.getPatientId().equals(query.getPatientId())
                && query.getStatus().contains(entry.getAvailabilityStatus())
                && fits(entry.getType(), query.getDocumentEntryTypes())
                && oneOf(List.of(entry.getClassCode()), query.getClassCodes())
                && oneOf(List.of(entry.getTypeCode()), query.getTypeCodes())
                && oneOf(List.of(entry.getFormatCode()), query.getFormatCodes())
                && oneOf(List.of(entry.getPracticeSettingCode()), query.getPracticeSettingCodes())
                && oneOf(List.of(entry.getHealthcareFacilityTypeCode()), query.getHealthcareFacilityTypeCodes())
                && eachOf(entry.getEventCodeList(), query.getEventCodes())
                && eachOf(entry.getConfidentialityCodes(), query.getConfidentialityCodes())
                && like(entry.getAuthors(), query.getAuthorPersons())
                && within(entry.getCreationTime(), query.getCreationTime())
                && within(entry.getServiceStartTime(), query.getServiceStartTime())
                && within(entry.getServiceStopTime(), query.getServiceStopTime()));
    }

    private Found findByReference(FindDocumentsByReferenceIdQuery query) {
        return new Found().entries(matching(query).filter(entry -> {
            var held = entry.getReferenceIdList().stream().map(Hl7v2Based::render).collect(Collectors.toSet());
            return query.getReferenceIds().getOuterList().stream().allMatch(one -> one.stream().anyMatch(held::contains));
        }));
    }

    private Found findSets(FindSubmissionSetsQuery query) {
        var found = new Found();
        store.sets.values().stream().filter(set -> set.getPatientId().equals(query.getPatientId())
                && query.getStatus().contains(set.getAvailabilityStatus())
                && (query.getSourceIds() == null || query.getSourceIds().contains(set.getSourceId()))
                && oneOf(List.of(set.getContentTypeCode()), query.getContentTypeCodes())
                && like(set.getAuthors(), query.getAuthorPerson() == null ? null : List.of(query.getAuthorPerson()))
                && within(set.getSubmissionTime(), query.getSubmissionTime()))
                .forEach(set -> found.sets.add(set.getEntryUuid()));
        return found;
    }

    private Found findFolders(FindFoldersQuery query) {
        var found = new Found();
        store.folders.values().stream().filter(folder -> folder.getPatientId().equals(query.getPatientId())
                && query.getStatus().contains(folder.getAvailabilityStatus())
                && eachOf(folder.getCodeList(), query.getCodes())
                && within(folder.getLastUpdateTime(), query.getLastUpdateTime()))
                .forEach(folder -> found.folders.add(folder.getEntryUuid()));
        return found;
    }

    private Found getAll(GetAllQuery query) {
        Predicate<XDSMetaClass> ofPatient = one -> one.getPatientId().equals(query.getPatientId());
        var found = new Found().entries(store.entries(one -> ofPatient.test(one)
                && query.getStatusDocuments().contains(one.getAvailabilityStatus())
                && fits(one.getType(), query.getDocumentEntryTypes())
                && oneOf(List.of(one.getFormatCode()), query.getFormatCodes())
                && eachOf(one.getConfidentialityCodes(), query.getConfidentialityCodes())));
        store.sets.values().stream().filter(ofPatient).forEach(one -> found.sets.add(one.getEntryUuid()));
        store.folders.values().stream().filter(ofPatient)
                .filter(one -> query.getStatusFolders().contains(one.getAvailabilityStatus()))
                .forEach(one -> found.folders.add(one.getEntryUuid()));
        var ends = Stream.of(found.sets, found.entries, found.folders).flatMap(Set::stream).toList();
        return found.associations(touching(ends));
    }

    private Stream<DocumentEntry> documents(GetByIdQuery query) {
        return store.entries(entry -> named(entry, query.getUuids(), query.getUniqueIds()));
    }

    private static boolean named(XDSMetaClass one, List<String> uuids, List<String> uniqueIds) {
        return uuids != null && uuids.contains(one.getEntryUuid()) || uniqueIds != null && uniqueIds.contains(one.getUniqueId());
    }

    private static List<String> list(String value) {
        return value == null ? null : List.of(value);
    }

    private Stream<Association> touching(Collection<String> ends) {
        return store.associations(one -> ends.contains(one.getSourceUuid()) || ends.contains(one.getTargetUuid()));
    }

    private Found getFolders(GetFoldersQuery query) {
        var found = new Found();
        store.folders.values().stream().filter(one -> named(one, query.getUuids(), query.getUniqueIds()))
                .forEach(one -> found.folders.add(one.getEntryUuid()));
        return found;
    }

    private Found getWithAssociations(GetDocumentsAndAssociationsQuery query) {
        var found = new Found().entries(documents(query));
        return found.associations(touching(found.entries));
    }

    private Found getSets(GetSubmissionSetsQuery query) {
        var found = new Found();
        store.associations(one -> store.sets.containsKey(one.getSourceUuid()) && query.getUuids().contains(one.getTargetUuid()))
                .forEach(one -> {
                    found.sets.add(one.getSourceUuid());
                    found.associations.add(one.getEntryUuid());
                });
        return found;
    }

    private Found getSetAndContents(GetSubmissionSetAndContentsQuery query) {
        var found = new Found();
        store.sets.values().stream().filter(one -> named(one, list(query.getUuid()), list(query.getUniqueId())))
                .forEach(one -> found.sets.add(one.getEntryUuid()));
        for (var set : found.sets) {
            store.members(set).forEach(member -> {
                addEntry(found, member.getTargetUuid(), query);
                if (store.folders.containsKey(member.getTargetUuid())) {
                    found.folders.add(member.getTargetUuid());
                }
            });
            store.members(set).filter(one -> store.associations.containsKey(one.getTargetUuid())).forEach(member -> {
                var linked = store.associations.get(member.getTargetUuid());
                if (found.has(linked.getSourceUuid()) && found.has(linked.getTargetUuid())) {
                    found.associations.add(linked.getEntryUuid());
                }
            });
            found.associations(store.members(set).filter(one -> found.has(one.getTargetUuid())));
        }
        return found;
    }

    private void addEntry(Found found, String uuid, GetByIdAndCodesQuery query) {
        var entry = store.entries.get(uuid);
        if (entry != null && fits(entry.getType(), query.getDocumentEntryTypes())
                && oneOf(List.of(entry.getFormatCode()), query.getFormatCodes())
                && eachOf(entry.getConfidentialityCodes(), query.getConfidentialityCodes())) {
            found.entries.add(uuid);
        }
    }

    private Found getFolderAndContents(GetFolderAndContentsQuery query) {
        var found = new Found();
        store.folders.values().stream().filter(one -> named(one, list(query.getUuid()), list(query.getUniqueId())))
                .forEach(one -> found.folders.add(one.getEntryUuid()));
        for (var folder : found.folders) {
            store.members(folder).forEach(member -> addEntry(found, member.getTargetUuid(), query));
            found.associations(store.members(folder).filter(one -> found.entries.contains(one.getTargetUuid())));
        }
        return found;
    }

    private Set<String> ids(GetFromDocumentQuery query) {
        return store.entries(one -> named(one, list(query.getUuid()), list(query.getUniqueId())))
                .map(XDSMetaClass::getEntryUuid).collect(Collectors.toSet());
    }

    private Found getFoldersForDocument(GetFoldersForDocumentQuery query) {
        var found = new Found();
        var documents = ids(query);
        store.associations(one -> store.folders.containsKey(one.getSourceUuid()) && documents.contains(one.getTargetUuid()))
                .forEach(one -> found.folders.add(one.getSourceUuid()));
        return found;
    }

    private Found getRelated(GetRelatedDocumentsQuery query) {
        var found = new Found();
        touching(ids(query)).filter(one -> one.getAssociationType() != AssociationType.HAS_MEMBER
                && query.getAssociationTypes().contains(one.getAssociationType())).forEach(one -> {
                    found.associations.add(one.getEntryUuid());
                    found.entries.add(one.getSourceUuid());
                    found.entries.add(one.getTargetUuid());
                });
        return found;
    }

    private static boolean fits(DocumentEntryType type, List<DocumentEntryType> wanted) {
        return wanted == null || wanted.isEmpty() ? type == DocumentEntryType.STABLE : wanted.contains(type);
    }

    private static boolean oneOf(List<Code> held, List<Code> wanted) {
        return wanted == null || wanted.isEmpty() || held.stream().anyMatch(one -> wanted.stream().anyMatch(other -> same(one, other)));
    }

    private static boolean same(Code one, Code other) {
        return one.getCode().equals(other.getCode()) && one.getSchemeName().equals(other.getSchemeName());
    }

    /** OR inside one list, AND between lists. */
    private static boolean eachOf(List<Code> held, QueryList<Code> wanted) {
        return wanted == null || wanted.getOuterList().stream().allMatch(list -> oneOf(held, list));
    }

    private static boolean like(List<Author> authors, List<String> patterns) {
        if (patterns == null || patterns.isEmpty()) {
            return true;
        }
        return authors.stream().map(Author::getAuthorPerson).filter(one -> one != null).map(Hl7v2Based::render)
                .anyMatch(person -> patterns.stream().anyMatch(pattern -> regex(pattern).matcher(person).matches()));
    }

    /** `%` any text, `_` one character. */
    private static Pattern regex(String pattern) {
        var text = pattern.chars().mapToObj(character -> switch (character) {
            case '%' -> ".*";
            case '_' -> ".";
            default -> Pattern.quote(String.valueOf((char) character));
        }).collect(Collectors.joining());
        return Pattern.compile(text, Pattern.DOTALL);
    }

    /** From ≤ moment < To; an absent moment is never excluded. */
    private static boolean within(Timestamp moment, TimeRange range) {
        if (moment == null) {
            return true;
        }
        var time = moment.getDateTime();
        return (range.getFrom() == null || !time.isBefore(range.getFrom().getDateTime()))
                && (range.getTo() == null || time.isBefore(range.getTo().getDateTime()));
    }
}
