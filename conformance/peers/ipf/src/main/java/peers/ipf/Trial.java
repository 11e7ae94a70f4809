package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RemoveDocuments;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RemoveMetadata;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.Query;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/** One run of a step: it sends, keeps what was said for the report, and demands what must hold. */
final class Trial {
    private final Conversation conversation;
    final List<Conversation.Message> messages = new ArrayList<>();

    Trial(Conversation conversation) {
        this.conversation = conversation;
    }

    Response provide(ProvideAndRegisterDocumentSet request) throws Failed {
        var sent = "%d documents, %d folders, %d associations".formatted(
                request.getDocuments().size(), request.getFolders().size(), request.getAssociations().size());
        return send(Transaction.ITI_41, request, sent, Response.class);
    }

    /** ITI-42, 57, 61 and 92 share one body. */
    Response register(Transaction transaction, RegisterDocumentSet request) throws Failed {
        var sent = "%d entries, %d folders, %d associations".formatted(
                request.getDocumentEntries().size(), request.getFolders().size(), request.getAssociations().size());
        return send(transaction, request, sent, Response.class);
    }

    QueryResponse query(Transaction transaction, Query query, QueryReturnType returnType) throws Failed {
        var request = new QueryRegistry(query);
        request.setReturnType(returnType);
        return send(transaction, request, query.getType() + " " + returnType.getCode(), QueryResponse.class);
    }

    RetrievedDocumentSet retrieve(RetrieveDocumentSet request) throws Failed {
        return send(Transaction.ITI_43, request, request.getDocuments().size() + " document requests", RetrievedDocumentSet.class);
    }

    Response remove(RemoveMetadata request) throws Failed {
        return send(Transaction.ITI_62, request, request.getReferences().size() + " references", Response.class);
    }

    Response remove(RemoveDocuments request) throws Failed {
        return send(Transaction.ITI_86, request, request.getDocuments().size() + " document requests", Response.class);
    }

    private <T extends Response> T send(Transaction transaction, Object request, String sent, Class<T> type) throws Failed {
        var message = new Conversation.Message();
        message.transaction = transaction.label();
        message.sent = sent;
        messages.add(message);
        var answer = conversation.send(transaction, request, type, message);
        message.status = answer.getStatus().name();
        return answer;
    }

    /** The stored entry with this uniqueId, in the version that level 1 shows. */
    DocumentEntry stored(String uniqueId) throws Failed {
        var query = new GetDocumentsQuery();
        query.setUniqueIds(List.of(uniqueId));
        var answer = success(query(Transaction.ITI_18, query, QueryReturnType.LEAF_CLASS));
        equal("number of entries with uniqueId " + uniqueId, answer.getDocumentEntries().size(), 1);
        return answer.getDocumentEntries().get(0);
    }

    /** Success without an error of severity Error. ITI TF-3: 4.2.4.2 */
    static <T extends Response> T success(T answer) throws Failed {
        var errors = answer.getErrors().stream().filter(one -> one.getSeverity() == Severity.ERROR).toList();
        if (answer.getStatus() != Status.SUCCESS || !errors.isEmpty()) {
            throw new Failed("expected Success, found " + answer.getStatus() + describe(answer));
        }
        return answer;
    }

    /** The status with, among its errors, one of the code. */
    static <T extends Response> T refused(T answer, Status status, String code) throws Failed {
        var codes = answer.getErrors().stream().map(Trial::codeOf).toList();
        if (answer.getStatus() != status || !codes.contains(code)) {
            throw new Failed("expected " + status + " with " + code + ", found " + answer.getStatus() + describe(answer));
        }
        return answer;
    }

    static String codeOf(ErrorInfo error) {
        if (error.getCustomErrorCode() != null || error.getErrorCode() == null) {
            return String.valueOf(error.getCustomErrorCode());
        }
        return error.getErrorCode().getOpcode();
    }

    private static String describe(Response answer) {
        return answer.getErrors().stream().map(one -> codeOf(one) + ": " + one.getCodeContext())
                .collect(Collectors.joining("; ", " [", "]"));
    }

    static void equal(String what, Object found, Object expected) throws Failed {
        if (!Objects.equals(found, expected)) {
            throw new Failed(what + ": found " + found + ", expected " + expected);
        }
    }
}
