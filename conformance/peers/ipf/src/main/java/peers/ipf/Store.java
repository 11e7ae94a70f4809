package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** What the server holds, in memory, by entryUUID; the documents by uniqueId. Guarded by its own monitor. */
final class Store {
    final Map<String, SubmissionSet> sets = new LinkedHashMap<>();
    final Map<String, DocumentEntry> entries = new LinkedHashMap<>();
    final Map<String, Folder> folders = new LinkedHashMap<>();
    final Map<String, Association> associations = new LinkedHashMap<>();
    final Map<String, byte[]> documents = new HashMap<>();
    private final Set<Identifiable> patients = ConcurrentHashMap.newKeySet();

    void know(Identifiable patient) {
        patients.add(patient);
    }

    boolean knows(Identifiable patient) {
        return patients.contains(patient);
    }

    boolean holds(String uuid) {
        return sets.containsKey(uuid) || entries.containsKey(uuid) || folders.containsKey(uuid)
                || associations.containsKey(uuid);
    }

    Stream<DocumentEntry> entries(Predicate<DocumentEntry> wanted) {
        return entries.values().stream().filter(wanted);
    }

    Stream<Association> associations(Predicate<Association> wanted) {
        return associations.values().stream().filter(wanted);
    }

    /** The HasMember associations from an object. */
    Stream<Association> members(String source) {
        return associations(one -> one.getAssociationType() == AssociationType.HAS_MEMBER && one.getSourceUuid().equals(source));
    }
}
