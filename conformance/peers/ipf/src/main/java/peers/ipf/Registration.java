package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.XdsRuntimeException;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Timestamp;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Version;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XDSMetaClass;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;

import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/** One submission on its way into the store: ids, checks against what is held, effects. ITI TF-2: 3.42.4.1.3 */
final class Registration {
    private static final Set<AssociationType> ADDITIONS = Set.of(
            AssociationType.APPEND, AssociationType.TRANSFORM, AssociationType.TRANSFORM_AND_REPLACE);

    private final Store store;
    private final RegisterDocumentSet request;
    private final Map<String, String> ids = new HashMap<>();

    private Registration(Store store, RegisterDocumentSet request) {
        this.store = store;
        this.request = request;
    }

    /** Stores the submission or throws XdsRuntimeException and changes nothing. */
    static void register(Store store, RegisterDocumentSet request) {
        var registration = new Registration(store, request);
        registration.assignIds();
        registration.check();
        registration.keep();
        registration.takeEffect();
    }

    private List<XDSMetaClass> objects() {
        var all = new ArrayList<XDSMetaClass>(List.of(request.getSubmissionSet()));
        all.addAll(request.getDocumentEntries());
        all.addAll(request.getFolders());
        return all;
    }

    /** Symbolic ids become UUIDs; the same symbol the same UUID. */
    private void assignIds() {
        objects().forEach(one -> one.setEntryUuid(uuidOf(one.getEntryUuid())));
        for (var association : request.getAssociations()) {
            association.setEntryUuid(uuidOf(association.getEntryUuid()));
            association.setSourceUuid(uuidOf(association.getSourceUuid()));
            association.setTargetUuid(uuidOf(association.getTargetUuid()));
        }
    }

    private String uuidOf(String id) {
        return id != null && id.startsWith("urn:uuid:") ? id : ids.computeIfAbsent(String.valueOf(id), symbol -> Metadata.aUuid());
    }

    private void check() {
        for (var one : objects()) {
            demand(store.knows(one.getPatientId()), ErrorCode.UNKNOWN_PATIENT_ID, "patient of " + one.getEntryUuid() + " is unknown");
            demand(!store.holds(one.getEntryUuid()), ErrorCode.REGISTRY_METADATA_ERROR, one.getEntryUuid() + " is already held");
        }
        demand(store.sets.values().stream().noneMatch(one -> one.getUniqueId().equals(request.getSubmissionSet().getUniqueId())),
                ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, "SubmissionSet uniqueId " + request.getSubmissionSet().getUniqueId() + " is already held");
        request.getDocumentEntries().forEach(this::checkOctets);
        request.getAssociations().forEach(this::checkEnds);
        request.getAssociations().forEach(this::checkPatient);
    }

    private void checkOctets(DocumentEntry entry) {
        store.entries(held -> held.getUniqueId().equals(entry.getUniqueId()) && held.getHash() != null).forEach(held ->
                demand(held.getHash().equalsIgnoreCase(entry.getHash()), ErrorCode.NON_IDENTICAL_HASH,
                        "document " + entry.getUniqueId() + " is held with another hash"));
    }

    private void checkEnds(Association association) {
        for (var end : List.of(association.getSourceUuid(), association.getTargetUuid())) {
            var here = Stream.concat(objects().stream().map(XDSMetaClass::getEntryUuid),
                    request.getAssociations().stream().map(Association::getEntryUuid)).anyMatch(end::equals);
            demand(here || store.holds(end), ErrorCode.UNRESOLVED_REFERENCE_EXCEPTION, end + " is not known");
        }
        var target = store.entries.get(association.getTargetUuid());
        demand(target == null || association.getLabel() == AssociationLabel.REFERENCE
                        || target.getAvailabilityStatus() == AvailabilityStatus.APPROVED,
                ErrorCode.REGISTRY_DEPRECATED_DOCUMENT_ERROR, association.getTargetUuid() + " is deprecated");
    }

    /** A membership and a relationship stay within one patient; a reference may leave it. ITI TF-2: 3.42.4.1.3.3 */
    private void checkPatient(Association association) {
        var source = patientOf(association.getSourceUuid());
        var target = patientOf(association.getTargetUuid());
        demand(association.getLabel() == AssociationLabel.REFERENCE || source == null || target == null || source.equals(target),
                ErrorCode.PATIENT_ID_DOES_NOT_MATCH, "the ends of " + association.getEntryUuid() + " belong to different patients");
    }

    private Identifiable patientOf(String uuid) {
        var held = Stream.of(store.sets, store.entries, store.folders).map(one -> (XDSMetaClass) one.get(uuid));
        return Stream.concat(objects().stream().filter(one -> one.getEntryUuid().equals(uuid)), held)
                .filter(Objects::nonNull).map(XDSMetaClass::getPatientId).findFirst().orElse(null);
    }

    static void demand(boolean holds, ErrorCode code, String context) {
        if (!holds) {
            throw new XdsRuntimeException(code, context, Severity.ERROR, null);
        }
    }

    private void keep() {
        for (var one : objects()) {
            one.setAvailabilityStatus(AvailabilityStatus.APPROVED);
            one.setLogicalUuid(one.getEntryUuid());
            one.setVersion(new Version("1"));
        }
        store.sets.put(request.getSubmissionSet().getEntryUuid(), request.getSubmissionSet());
        request.getDocumentEntries().forEach(one -> store.entries.put(one.getEntryUuid(), one));
        request.getFolders().forEach(one -> store.folders.put(one.getEntryUuid(), one));
        request.getAssociations().forEach(this::keep);
    }

    private void keep(Association association) {
        association.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        store.associations.put(association.getEntryUuid(), association);
    }

    private void takeEffect() {
        for (var association : List.copyOf(request.getAssociations())) {
            if (association.getAssociationType().isReplace()) {
                deprecate(association.getTargetUuid());
                joinFolders(association);
            }
        }
        request.getFolders().forEach(Registration::touch);
        request.getAssociations().stream().map(one -> store.folders.get(one.getSourceUuid()))
                .filter(folder -> folder != null && !request.getFolders().contains(folder)).forEach(Registration::touch);
    }

    /** A replaced document takes its addenda and transformations with it. ITI TF-3: 4.2.2.2.3 */
    private void deprecate(String uuid) {
        store.entries.get(uuid).setAvailabilityStatus(AvailabilityStatus.DEPRECATED);
        store.associations(one -> ADDITIONS.contains(one.getAssociationType()) && one.getTargetUuid().equals(uuid)
                        && !request.getAssociations().contains(one))
                .map(Association::getSourceUuid).toList().forEach(this::deprecate);
    }

    /** The replacement joins the Folders of the document it replaces. ITI TF-2: 3.42.4.1.3.3 */
    private void joinFolders(Association replacement) {
        store.associations(one -> store.folders.containsKey(one.getSourceUuid())
                && one.getTargetUuid().equals(replacement.getTargetUuid())).toList().forEach(member -> {
                    var joined = Metadata.relation(AssociationType.HAS_MEMBER, member.getSourceUuid(), replacement.getSourceUuid());
                    keep(joined);
                    keep(Metadata.relation(AssociationType.HAS_MEMBER, request.getSubmissionSet().getEntryUuid(), joined.getEntryUuid()));
                    touch(store.folders.get(member.getSourceUuid()));
                });
    }

    /** lastUpdateTime is now, and later than before even within one second. ITI TF-3: 4.2.3.4.7 */
    private static void touch(Folder folder) {
        var now = ZonedDateTime.now(ZoneOffset.UTC).withNano(0);
        var before = folder.getLastUpdateTime() == null || folder.getVersion() == null ? null : folder.getLastUpdateTime().getDateTime();
        var moment = before == null || now.isAfter(before) ? now : before.plusSeconds(1);
        folder.setLastUpdateTime(new Timestamp(moment, Timestamp.Precision.SECOND));
    }
}
