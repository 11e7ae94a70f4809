package peers.ipf;

import org.apache.cxf.ext.logging.LoggingFeature;
import org.apache.cxf.ext.logging.event.EventType;
import org.apache.cxf.ext.logging.event.LogEvent;
import org.apache.cxf.feature.AbstractFeature;
import org.apache.cxf.interceptor.InterceptorProvider;
import org.apache.cxf.message.Message;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.ws.addressing.AddressingProperties;
import org.apache.cxf.ws.addressing.ContextUtils;

import java.util.List;

/** What crossed the network: the last request and answer as text, and the addressing headers of the answer. */
final class Wire {
    private static final int KEPT_CHARACTERS = 64 * 1024;

    private String request = "";
    private String answer = "";
    private String httpStatus = "";
    private String contentType = "";
    private String action = "";
    private String relatesTo = "";
    private String messageId = "";

    void forget() {
        request = answer = httpStatus = contentType = action = relatesTo = messageId = "";
    }

    /** The CXF features that fill this record; IPF installs them in each client. */
    List<AbstractFeature> features() {
        return List.of(logging(), addressing());
    }

    private LoggingFeature logging() {
        var feature = new LoggingFeature();
        feature.setLimit(KEPT_CHARACTERS);
        feature.setLogMultipart(true);
        feature.setLogBinary(false);
        feature.setPrettyLogging(false);
        feature.setSender(this::keep);
        return feature;
    }

    private void keep(LogEvent event) {
        if (event.getType() == EventType.REQ_OUT) {
            request = text(event.getContentType(), event.getPayload());
            return;
        }
        httpStatus = text(event.getResponseCode());
        contentType = contentTypeOf(event);
        answer = text(contentType, event.getPayload());
    }

    /** As it stood in the HTTP header: CXF takes the action parameter out of its own copy. */
    private static String contentTypeOf(LogEvent event) {
        for (var header : event.getHeaders().entrySet()) {
            if (header.getKey().equalsIgnoreCase(Message.CONTENT_TYPE)) {
                return text(header.getValue());
            }
        }
        return text(event.getContentType());
    }

    private AbstractFeature addressing() {
        return new AbstractFeature() {
            @Override
            protected void initializeProvider(InterceptorProvider provider, org.apache.cxf.Bus bus) {
                provider.getInInterceptors().add(new Headers());
            }
        };
    }

    private final class Headers extends AbstractPhaseInterceptor<Message> {
        Headers() {
            super(Phase.PRE_INVOKE);
        }

        @Override
        public void handleMessage(Message message) {
            var received = ContextUtils.retrieveMAPs(message, false, false);
            var sent = ContextUtils.retrieveMAPs(message.getExchange().getOutMessage(), false, true);
            action = received == null || received.getAction() == null ? "" : text(received.getAction().getValue());
            relatesTo = received == null || received.getRelatesTo() == null ? "" : text(received.getRelatesTo().getValue());
            messageId = messageIdOf(sent);
        }

        private String messageIdOf(AddressingProperties sent) {
            return sent == null || sent.getMessageID() == null ? "" : text(sent.getMessageID().getValue());
        }
    }

    private static String text(String value) {
        return value == null ? "" : value;
    }

    private static String text(String contentType, String payload) {
        return "Content-Type: " + text(contentType) + "\n\n" + text(payload);
    }

    String request() {
        return request;
    }

    String answer() {
        return answer;
    }

    String httpStatus() {
        return httpStatus;
    }

    String contentType() {
        return contentType;
    }

    String action() {
        return action;
    }

    String relatesTo() {
        return relatesTo;
    }

    String messageId() {
        return messageId;
    }
}
