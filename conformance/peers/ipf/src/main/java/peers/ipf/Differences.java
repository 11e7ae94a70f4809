package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Hl7v2Based;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XDSMetaClass;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/** What came back otherwise than it was sent: every attribute the registry does not own is compared. */
final class Differences {
    private static final Map<String, Function<XDSMetaClass, Object>> COMMON = table(Map.of(
            "patientId", XDSMetaClass::getPatientId,
            "uniqueId", XDSMetaClass::getUniqueId,
            "title", XDSMetaClass::getTitle,
            "comments", XDSMetaClass::getComments,
            "extraMetadata", XDSMetaClass::getExtraMetadata));
    private static final Map<String, Function<DocumentEntry, Object>> ENTRY = table(Map.ofEntries(
            Map.entry("authors", DocumentEntry::getAuthors),
            Map.entry("classCode", DocumentEntry::getClassCode),
            Map.entry("confidentialityCode", DocumentEntry::getConfidentialityCodes),
            Map.entry("creationTime", DocumentEntry::getCreationTime),
            Map.entry("eventCodeList", DocumentEntry::getEventCodeList),
            Map.entry("formatCode", DocumentEntry::getFormatCode),
            Map.entry("healthcareFacilityTypeCode", DocumentEntry::getHealthcareFacilityTypeCode),
            Map.entry("languageCode", DocumentEntry::getLanguageCode),
            Map.entry("legalAuthenticator", DocumentEntry::getLegalAuthenticator),
            Map.entry("mimeType", DocumentEntry::getMimeType),
            Map.entry("objectType", DocumentEntry::getType),
            Map.entry("practiceSettingCode", DocumentEntry::getPracticeSettingCode),
            Map.entry("referenceIdList", DocumentEntry::getReferenceIdList),
            Map.entry("serviceStartTime", DocumentEntry::getServiceStartTime),
            Map.entry("serviceStopTime", DocumentEntry::getServiceStopTime),
            Map.entry("sourcePatientId", DocumentEntry::getSourcePatientId),
            Map.entry("sourcePatientInfo", DocumentEntry::getSourcePatientInfo),
            Map.entry("typeCode", DocumentEntry::getTypeCode)));
    private static final Map<String, Function<SubmissionSet, Object>> SET = table(Map.of(
            "authors", SubmissionSet::getAuthors,
            "contentTypeCode", SubmissionSet::getContentTypeCode,
            "intendedRecipient", SubmissionSet::getIntendedRecipients,
            "sourceId", SubmissionSet::getSourceId,
            "submissionTime", SubmissionSet::getSubmissionTime));
    private static final Map<String, Function<Folder, Object>> FOLDER = table(Map.of("codeList", Folder::getCodeList));
    private static final Map<String, Function<Association, Object>> ASSOCIATION = table(Map.of(
            "associationType", Association::getAssociationType,
            "sourceObject", Association::getSourceUuid,
            "targetObject", Association::getTargetUuid,
            "SubmissionSetStatus", Association::getLabel));

    private static final Map<String, Function<DocumentEntry, Object>> LANGUAGES = table(Map.of(
            "title", entry -> language(entry.getTitle()),
            "comments", entry -> language(entry.getComments()),
            "display name of typeCode", entry -> language(entry.getTypeCode().getDisplayName())));

    private Differences() {
    }

    private static <T> Map<String, Function<T, Object>> table(Map<String, Function<T, Object>> rows) {
        return new LinkedHashMap<>(rows);
    }

    static void none(DocumentEntry sent, DocumentEntry found) throws Failed {
        report("DocumentEntry", compare(COMMON, sent, found) + compare(ENTRY, sent, found));
    }

    static void none(SubmissionSet sent, SubmissionSet found) throws Failed {
        report("SubmissionSet", compare(COMMON, sent, found) + compare(SET, sent, found));
    }

    static void none(Folder sent, Folder found) throws Failed {
        report("Folder", compare(COMMON, sent, found) + compare(FOLDER, sent, found));
    }

    static void none(Association sent, Association found) throws Failed {
        report("Association", compare(ASSOCIATION, sent, found));
    }

    /** The languages of the texts, which the attribute tables of the standard do not mention but ebRIM carries. ebRIM: 2.7 */
    static void noneInLanguages(DocumentEntry sent, DocumentEntry found) throws Failed {
        report("language of DocumentEntry", compare(LANGUAGES, sent, found));
    }

    private static <T> String compare(Map<String, Function<T, Object>> rows, T sent, T found) {
        var text = new StringBuilder();
        rows.forEach((attribute, read) -> {
            if (!Objects.equals(plain(read.apply(sent)), plain(read.apply(found)))) {
                text.append("; ").append(attribute).append(" found ").append(read.apply(found))
                        .append(", sent ").append(read.apply(sent));
            }
        });
        return text.toString();
    }

    private static void report(String name, String differences) throws Failed {
        if (!differences.isEmpty()) {
            throw new Failed(name + " came back changed" + differences);
        }
    }

    /** Texts and codes without their language; an empty map, which is how IPF reads no extra metadata, as none. */
    private static Object plain(Object value) {
        if (value instanceof List<?> list) {
            return list.stream().map(Differences::plain).toList();
        }
        if (value instanceof LocalizedString text) {
            return text.getValue();
        }
        if (value instanceof Code code) {
            return Hl7v2Based.render(code);
        }
        return value instanceof Map<?, ?> map && map.isEmpty() ? null : value;
    }

    private static String language(LocalizedString text) {
        return text == null ? null : text.getLang();
    }
}
