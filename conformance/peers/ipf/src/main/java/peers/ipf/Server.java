package peers.ipf;

import jakarta.activation.DataHandler;
import jakarta.mail.util.ByteArrayDataSource;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.startup.Tomcat;
import org.apache.cxf.BusFactory;
import org.apache.cxf.transport.servlet.CXFNonSpringServlet;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Document;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A Document Registry and Repository made of IPF: ITI-18, 41, 42, 43 in memory, on loopback. */
public final class Server {
    private static final String HOST = "127.0.0.1";
    private static final Logger CONTAINER = Logger.getLogger("org.apache");

    private final Store store = new Store();
    private final Answers answers = new Answers(store);
    private final String repositoryUniqueId;

    private Server(String repositoryUniqueId) {
        this.repositoryUniqueId = repositoryUniqueId;
    }

    public static void main(String[] arguments) throws Exception {
        ServerOptions options;
        try {
            options = ServerOptions.read(List.of(arguments));
        } catch (IllegalArgumentException wrong) {
            System.err.println("server: " + wrong.getMessage() + " (--help shows the options)");
            System.exit(2);
            return;
        }
        if (options.help()) {
            System.out.print(ServerOptions.USAGE);
            return;
        }
        new Server(options.repositoryUniqueId()).serve(options);
    }

    private void serve(ServerOptions options) throws Exception {
        CONTAINER.setLevel(Level.WARNING);
        options.patients().forEach(store::know);
        var context = new DefaultCamelContext();
        context.addRoutes(routes());
        var tomcat = listen(options.port(), context);
        var feed = new Feed(store, HOST, options.mllp());
        feed.start();
        System.out.printf("listening on http://%s:%d (registry /xds/registry, repository /xds/repository), feed mllp://%s:%d%n",
                HOST, tomcat.getConnector().getLocalPort(), HOST, feed.port());
        tomcat.getServer().await();
    }

    private static Tomcat listen(int port, CamelContext context) throws LifecycleException, IOException {
        var tomcat = new Tomcat();
        var folder = Files.createTempDirectory("ipf-server");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(folder)));
        tomcat.setBaseDir(folder.toString());
        tomcat.setHostname(HOST);
        tomcat.setPort(port);
        tomcat.getConnector().setProperty("address", HOST);
        var web = tomcat.addContext("", new File(tomcat.getServer().getCatalinaBase(), ".").getAbsolutePath());
        var cxf = new CXFNonSpringServlet();
        cxf.setBus(BusFactory.getDefaultBus());
        Tomcat.addServlet(web, "services", cxf);
        web.addServletMappingDecoded("/services/*", "services");
        Tomcat.addServlet(web, "door", new Door());
        web.addServletMappingDecoded("/xds/*", "door");
        tomcat.start();
        context.start();
        return tomcat;
    }

    private static void remove(Path folder) {
        try (var inside = Files.walk(folder)) {
            inside.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException left) {
            System.err.println("server: " + folder + " could not be removed: " + left.getMessage());
        }
    }

    private RouteBuilder routes() {
        return new RouteBuilder() {
            @Override
            public void configure() {
                serve(Transaction.ITI_41, ProvideAndRegisterDocumentSet.class, Server.this::provide);
                serve(Transaction.ITI_42, RegisterDocumentSet.class, Server.this::register);
                serve(Transaction.ITI_18, QueryRegistry.class, answers::answer);
                serve(Transaction.ITI_43, RetrieveDocumentSet.class, Server.this::retrieve);
            }

            private <T> void serve(Transaction transaction, Class<T> requestType, Function<T, Object> answer) {
                from(transaction.component + "://" + transaction.label() + "?audit=false")
                        .process(transaction.requestValidator)
                        .process(exchange -> reply(exchange, answer.apply(exchange.getIn().getMandatoryBody(requestType))));
            }

            private void reply(Exchange exchange, Object answer) {
                exchange.getMessage().setBody(answer);
            }
        };
    }

    private Response provide(ProvideAndRegisterDocumentSet request) {
        var contents = new HashMap<String, byte[]>();
        var set = RegisterDocumentSet.builderWith(request.getSubmissionSet())
                .withFolders(request.getFolders()).withAssociations(request.getAssociations());
        for (var document : request.getDocuments()) {
            var content = octets(document);
            set.withDocument(described(document.getDocumentEntry(), content));
            contents.put(document.getDocumentEntry().getUniqueId(), content);
        }
        synchronized (store) {
            Registration.register(store, set.build());
            store.documents.putAll(contents);
        }
        return new Response(Status.SUCCESS);
    }

    private static byte[] octets(Document document) {
        try (var stream = document.getContent(DataHandler.class).getInputStream()) {
            return stream.readAllBytes();
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** What a repository adds; what was given must fit. ITI TF-2: 3.41.4.1.3 */
    private DocumentEntry described(DocumentEntry entry, byte[] content) {
        var hash = Metadata.sha1(content);
        Registration.demand(entry.getHash() == null || entry.getHash().equalsIgnoreCase(hash),
                ErrorCode.REPOSITORY_METADATA_ERROR, "hash of " + entry.getEntryUuid() + " does not fit the document");
        Registration.demand(entry.getSize() == null || entry.getSize() == content.length,
                ErrorCode.REPOSITORY_METADATA_ERROR, "size of " + entry.getEntryUuid() + " does not fit the document");
        entry.setHash(hash);
        entry.setSize((long) content.length);
        entry.setRepositoryUniqueId(repositoryUniqueId);
        return entry;
    }

    private Response register(RegisterDocumentSet request) {
        synchronized (store) {
            Registration.register(store, request);
        }
        return new Response(Status.SUCCESS);
    }

    private RetrievedDocumentSet retrieve(RetrieveDocumentSet request) {
        var answer = new RetrievedDocumentSet(Status.SUCCESS);
        synchronized (store) {
            request.getDocuments().forEach(reference -> retrieve(reference, answer));
        }
        if (!answer.getErrors().isEmpty()) {
            answer.setStatus(answer.getDocuments().isEmpty() ? Status.FAILURE : Status.PARTIAL_SUCCESS);
        }
        return answer;
    }

    private void retrieve(DocumentReference reference, RetrievedDocumentSet answer) {
        var uniqueId = reference.getDocumentUniqueId();
        var content = store.documents.get(uniqueId);
        if (!repositoryUniqueId.equals(reference.getRepositoryUniqueId())) {
            answer.getErrors().add(error(ErrorCode.UNKNOWN_REPOSITORY_ID, uniqueId));
        } else if (content == null) {
            answer.getErrors().add(error(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR, uniqueId));
        } else {
            var mimeType = store.entries(one -> one.getUniqueId().equals(uniqueId)).findFirst().orElseThrow().getMimeType();
            var data = new DataHandler(new ByteArrayDataSource(content, mimeType));
            answer.getDocuments().add(new RetrievedDocument(data, reference, null, null, mimeType));
        }
    }

    private static ErrorInfo error(ErrorCode code, String uniqueId) {
        return new ErrorInfo(code, "document " + uniqueId + " is not held", Severity.ERROR, uniqueId, null);
    }

    /** Which IPF service each wsa:Action belongs to: IPF wants an address of its own for each transaction. */
    static final Map<String, String> SERVICES = Map.of(
            "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", "/services/iti41",
            "urn:ihe:iti:2007:RegisterDocumentSet-b", "/services/iti42",
            "urn:ihe:iti:2007:RegistryStoredQuery", "/services/iti18",
            "urn:ihe:iti:2007:RetrieveDocumentSet", "/services/iti43");
}
