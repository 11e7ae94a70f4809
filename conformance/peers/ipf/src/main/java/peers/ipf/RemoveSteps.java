package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.ObjectReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RemoveMetadata;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.List;
import java.util.stream.Stream;

/** Remove Metadata [ITI-62]. ITI TF-2: 3.62 */
final class RemoveSteps {
    private final Fixtures fixtures;

    private RemoveSteps(Fixtures fixtures) {
        this.fixtures = fixtures;
    }

    static List<Step> of(Fixtures fixtures) {
        var steps = new RemoveSteps(fixtures);
        return List.of(
                step("whole-submission", "entry, SubmissionSet and HasMember go together", steps::whole),
                step("still-referenced", "an entry an association still names stays", steps::referenced),
                step("unknown-id", "an id nobody knows is refused", steps::unknown),
                step("orphan", "a SubmissionSet left without members is refused", steps::orphan));
    }

    private static Step step(String name, String title, Step.Body body) {
        return new Step(Transaction.ITI_62, name, title, body);
    }

    private static RemoveMetadata request(String... ids) {
        var request = new RemoveMetadata();
        Stream.of(ids).map(ObjectReference::new).forEach(request.getReferences()::add);
        return request;
    }

    private void whole(Trial trial) throws Failed {
        var fresh = fixtures.fresh(trial, "M\u00e9tadonn\u00e9es \u00e0 retirer");
        Trial.success(trial.remove(request(
                fresh.entry().getEntryUuid(), fresh.set().getEntryUuid(), fresh.member().getEntryUuid())));
        Trial.equal("entries found after the removal", found(trial, fresh.entry().getUniqueId()), 0);
    }

    private void referenced(Trial trial) throws Failed {
        var fresh = fixtures.fresh(trial, "M\u00e9tadonn\u00e9es encore vis\u00e9es");
        Trial.refused(trial.remove(request(fresh.entry().getEntryUuid())), Status.FAILURE, "ReferencesExistException");
        Trial.equal("entries found after the refusal", found(trial, fresh.entry().getUniqueId()), 1);
    }

    private void unknown(Trial trial) throws Failed {
        Trial.refused(trial.remove(request(Metadata.aUuid())), Status.FAILURE, "UnresolvedReferenceException");
    }

    private void orphan(Trial trial) throws Failed {
        var fresh = fixtures.fresh(trial, "M\u00e9tadonn\u00e9es dont le lot reste");
        var answer = trial.remove(request(fresh.entry().getEntryUuid(), fresh.member().getEntryUuid()));
        Trial.refused(answer, Status.FAILURE, "XDSUnreferencedObjectException");
        Trial.equal("entries found after the refusal", found(trial, fresh.entry().getUniqueId()), 1);
    }

    private static int found(Trial trial, String uniqueId) throws Failed {
        var query = new GetDocumentsQuery();
        query.setUniqueIds(List.of(uniqueId));
        return Trial.success(trial.query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS)).getDocumentEntries().size();
    }
}
