package peers.fhir;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.server.IResourceProvider;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.HashMapResourceProvider;
import org.apache.catalina.startup.Tomcat;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Binary;
import org.hl7.fhir.r4.model.DocumentReference;
import org.hl7.fhir.r4.model.ListResource;
import org.hl7.fhir.r4.model.Patient;

import java.nio.file.Files;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A plain FHIR R4 server made of HAPI, in memory, on loopback: create, read, update, search by id; no transaction. */
public final class Server {
    private static final String HOST = "127.0.0.1";
    private static final Logger CONTAINER = Logger.getLogger("org.apache");

    private Server() {
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 1 || (arguments.length == 1 && !arguments[0].matches("\\d{1,5}"))) {
            System.err.println("fhir-server: expected at most one argument, the port (default: a free one)");
            System.exit(2);
        }
        CONTAINER.setLevel(Level.WARNING);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("fhir-server").toString());
        tomcat.setHostname(HOST);
        tomcat.getConnector().setProperty("address", HOST);
        tomcat.getConnector().setPort(arguments.length == 1 ? Integer.parseInt(arguments[0]) : 0);
        var context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "fhir", servlet());
        context.addServletMappingDecoded("/fhir/*", "fhir");
        tomcat.start();
        System.out.println("listening on http://" + HOST + ":" + tomcat.getConnector().getLocalPort() + "/fhir");
        tomcat.getServer().await();
    }

    private static RestfulServer servlet() {
        FhirContext fhir = FhirContext.forR4();
        RestfulServer server = new RestfulServer(fhir);
        server.setResourceProviders(providers(fhir));
        return server;
    }

    private static List<IResourceProvider> providers(FhirContext fhir) {
        return List.of(
                kept(fhir, Patient.class),
                kept(fhir, DocumentReference.class),
                kept(fhir, ListResource.class),
                kept(fhir, Binary.class));
    }

    private static <T extends IBaseResource> IResourceProvider kept(FhirContext fhir, Class<T> type) {
        return new HashMapResourceProvider<>(fhir, type);
    }
}
