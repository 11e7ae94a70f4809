package peers.ipf;

import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePattern;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.apache.cxf.feature.AbstractFeature;
import org.apache.cxf.transport.http.HTTPConduit;
import org.apache.cxf.transports.http.configuration.HTTPClientPolicy;

import java.net.URI;
import java.util.Map;

/** Sends requests through IPF's components and lets IPF's validators judge both directions. */
final class Conversation implements AutoCloseable {
    private static final String ACCEPTED = "accepted";

    private final Map<Transaction.Actor, URI> receivers;
    private final CamelContext context = new DefaultCamelContext();
    private final ProducerTemplate template;
    private final Wire wire = new Wire();

    Conversation(URI registry, URI repository, int timeoutSeconds) {
        receivers = Map.of(Transaction.Actor.REGISTRY, registry, Transaction.Actor.REPOSITORY, repository);
        var names = new String[] {"logging", "addressing"};
        var features = wire.features();
        for (var number = 0; number < names.length; number++) {
            context.getRegistry().bind(names[number], AbstractFeature.class, features.get(number));
        }
        context.getRegistry().bind("policy", HTTPClientPolicy.class, policy(timeoutSeconds));
        context.getRegistry().bind("strict", Map.class, Map.of(
                "schema-validation-enabled", "IN",
                HTTPConduit.PROCESS_FAULT_ON_HTTP_400, true));
        context.start();
        template = context.createProducerTemplate();
    }

    private static HTTPClientPolicy policy(int timeoutSeconds) {
        var policy = new HTTPClientPolicy();
        policy.setConnectionTimeout(timeoutSeconds * 1000L);
        policy.setReceiveTimeout(timeoutSeconds * 1000L);
        return policy;
    }

    /** The answer to a request, after all judges had their say in `message`. */
    <T> T send(Transaction transaction, Object request, Class<T> answerType, Message message) throws Failed {
        wire.forget();
        message.requestValidator = judge(transaction.requestValidator, request);
        if (!message.requestValidator.equals(ACCEPTED)) {
            throw new Failed("IPF's own request validator refuses what this client made: " + message.requestValidator);
        }
        var answer = exchange(transaction, request, message);
        message.responseValidator = judge(transaction.responseValidator, answer);
        if (!message.responseValidator.equals(ACCEPTED)) {
            throw new Failed("IPF's response validator refuses the answer: " + message.responseValidator);
        }
        checkEnvelope(transaction);
        return context.getTypeConverter().convertTo(answerType, answer);
    }

    private String judge(org.apache.camel.Processor validator, Object body) {
        var exchange = new DefaultExchange(context);
        exchange.getIn().setBody(body);
        try {
            validator.process(exchange);
            return ACCEPTED;
        } catch (Exception refused) {
            return Failed.describe(refused);
        }
    }

    private Object exchange(Transaction transaction, Object request, Message message) throws Failed {
        Exchange exchange = new DefaultExchange(context, ExchangePattern.InOut);
        exchange.getIn().setBody(request);
        template.send(endpoint(transaction), exchange);
        message.request = wire.request();
        message.answer = wire.answer();
        message.httpStatus = wire.httpStatus();
        if (exchange.getException() != null) {
            throw new Failed("IPF could not read an answer (HTTP status \"" + wire.httpStatus() + "\"): "
                    + Failed.describe(exchange.getException()), exchange.getException());
        }
        return exchange.getMessage().getBody();
    }

    private String endpoint(Transaction transaction) {
        var receiver = receivers.get(transaction.receiver);
        return transaction.component + "://" + receiver.getAuthority() + receiver.getRawPath()
                + "?audit=false&features=#logging,#addressing&httpClientPolicy=#policy&properties=#strict"
                + (receiver.getScheme().equals("https") ? "&secure=true" : "");
    }

    /** Packaging and WS-Addressing of the answer, which IPF's validators do not look at. ITI TF-2x: V.3 */
    private void checkEnvelope(Transaction transaction) throws Failed {
        var packaging = wire.contentType().split(";", 2)[0].trim();
        expect("Content-Type", packaging, transaction.isMtom() ? "multipart/related" : "application/soap+xml");
        expect("wsa:Action", wire.action(), transaction.responseAction);
        expect("wsa:RelatesTo", wire.relatesTo(), wire.messageId());
        if (transaction == Transaction.ITI_86 && !wire.contentType().contains(transaction.responseAction)) {
            throw new Failed("the Content-Type of the answer lacks the action parameter \"" + transaction.responseAction
                    + "\" (ITI TF-2: 3.86): \"" + wire.contentType() + "\"");
        }
    }

    private static void expect(String what, String found, String expected) throws Failed {
        if (!found.equals(expected)) {
            throw new Failed(what + " of the answer is \"" + found + "\", expected \"" + expected + "\"");
        }
    }

    @Override
    public void close() {
        context.stop();
    }

    /** One request and its answer in the report. */
    static final class Message {
        public String transaction = "";
        public String sent = "";
        public String status = "";
        public String requestValidator = "not asked";
        public String responseValidator = "not asked";
        public String httpStatus = "";
        String request = "";
        String answer = "";
    }
}
