package peers.ipf;

import org.apache.camel.Processor;
import org.openehealth.ipf.platform.camel.ihe.xds.XdsCamelValidators;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** The transactions the client sends: IPF component, receiver, response action and IPF's two validators. */
enum Transaction {
    ITI_41("xds-iti41", Actor.REPOSITORY, "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
            XdsCamelValidators.iti41RequestValidator(), XdsCamelValidators.iti41ResponseValidator()),
    ITI_42("xds-iti42", Actor.REGISTRY, "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
            XdsCamelValidators.iti42RequestValidator(), XdsCamelValidators.iti42ResponseValidator()),
    ITI_18("xds-iti18", Actor.REGISTRY, "urn:ihe:iti:2007:RegistryStoredQueryResponse",
            XdsCamelValidators.iti18RequestValidator(), XdsCamelValidators.iti18ResponseValidator()),
    ITI_51("xds-iti51", Actor.REGISTRY, "urn:ihe:iti:2009:MultiPatientStoredQueryResponse",
            XdsCamelValidators.iti51RequestValidator(), XdsCamelValidators.iti51ResponseValidator()),
    ITI_43("xds-iti43", Actor.REPOSITORY, "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
            XdsCamelValidators.iti43RequestValidator(), XdsCamelValidators.iti43ResponseValidator()),
    ITI_57("xds-iti57", Actor.REGISTRY, "urn:ihe:iti:2010:UpdateDocumentSetResponse",
            XdsCamelValidators.iti57RequestValidator(), XdsCamelValidators.iti57ResponseValidator()),
    ITI_61("xds-iti61", Actor.REGISTRY, "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
            XdsCamelValidators.iti61RequestValidator(), XdsCamelValidators.iti61ResponseValidator()),
    ITI_92("rmu-iti92", Actor.REGISTRY, "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse",
            XdsCamelValidators.iti92RequestValidator(), XdsCamelValidators.iti92ResponseValidator()),
    ITI_62("xds-iti62", Actor.REGISTRY, "urn:ihe:iti:2010:DeleteDocumentSetResponse",
            XdsCamelValidators.iti62RequestValidator(), XdsCamelValidators.iti62ResponseValidator()),
    ITI_86("rmd-iti86", Actor.REPOSITORY, "urn:ihe:iti:2017:RemoveDocumentsResponse",
            XdsCamelValidators.iti86RequestValidator(), XdsCamelValidators.iti86ResponseValidator());

    enum Actor { REGISTRY, REPOSITORY }

    final String component;
    final Actor receiver;
    final String responseAction;
    final Processor requestValidator;
    final Processor responseValidator;

    Transaction(String component, Actor receiver, String responseAction, Processor requestValidator,
                Processor responseValidator) {
        this.component = component;
        this.receiver = receiver;
        this.responseAction = responseAction;
        this.requestValidator = requestValidator;
        this.responseValidator = responseValidator;
    }

    /** As it is written on the command line and in the report: `iti41`. */
    String label() {
        return name().toLowerCase(Locale.ROOT).replace("_", "");
    }

    /** Request and answer are MTOM packages. ITI TF-2: 3.41.5, 3.43.5 */
    boolean isMtom() {
        return this == ITI_41 || this == ITI_43;
    }

    static List<String> labels() {
        return Arrays.stream(values()).map(Transaction::label).toList();
    }
}
