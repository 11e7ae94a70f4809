package peers.hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.DocumentReference;
import org.hl7.fhir.r4.model.Patient;

/** One run of the steps in one format: the client, and what steps leave for those after them. */
final class Trial {
    static final byte[] CONTENT = "Compte rendu inventé, octet par octet.\n".getBytes(java.nio.charset.StandardCharsets.UTF_8);

    final IGenericClient client;
    final EncodingEnum format;
    Patient patient;
    Bundle provided;
    DocumentReference document;

    Trial(FhirContext context, ClientOptions options, EncodingEnum format) {
        this.client = context.newRestfulGenericClient(options.base());
        this.client.setEncoding(format);
        this.format = format;
        if (options.token() != null) {
            client.registerInterceptor(new ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor(options.token()));
        }
    }
}
