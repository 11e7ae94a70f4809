package peers.hapi;

import org.fhir.ucum.UcumEssenceService;
import org.fhir.ucum.UcumException;
import org.hl7.fhir.r5.context.ILoggingService;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.model.Parameters;
import org.hl7.fhir.r5.utils.validation.ValidatorSession;
import org.hl7.fhir.r5.utils.validation.constants.IdStatus;
import org.hl7.fhir.r5.utils.xver.XVerExtensionManagerFactory;
import org.hl7.fhir.utilities.npm.NpmPackage;
import org.hl7.fhir.validation.ValidatorSettings;
import org.hl7.fhir.validation.ValidatorUtils;
import org.hl7.fhir.validation.instance.InstanceValidator;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What a validator knows: the definitions of packages that lie here as files. */
final class Definitions {
    private final SimpleWorkerContext context;

    private Definitions(SimpleWorkerContext context) {
        this.context = context;
    }

    /** The first package is that of the core. */
    static Definitions of(List<Path> packages, List<Path> more) throws IOException {
        var core = read(packages.get(0));
        var context = new SimpleWorkerContext.SimpleWorkerContextBuilder()
                .withAllowLoadingDuplicates(true)
                .withLoggingService(new Silent())
                .fromPackage(core, ValidatorUtils.loaderForVersion(core.fhirVersion()), false);
        context.setNoTerminologyServer(true);
        context.setCanRunWithoutTerminology(true);
        context.setCanNoTS(true);
        context.setExpansionParameters(new Parameters());
        context.setUcumService(ucum());
        for (var file : packages.subList(1, packages.size())) {
            var found = read(file);
            context.loadFromPackage(found, ValidatorUtils.loaderForVersion(found.fhirVersion()));
        }
        for (var file : more) {
            try (var octets = Files.newInputStream(file)) {
                context.cacheResource(ValidatorUtils.loaderForVersion(core.fhirVersion()).loadResource(octets, true));
            }
        }
        return new Definitions(context);
    }

    InstanceValidator validator(List<String> extensionDomains) {
        var session = new ValidatorSession();
        var extensions = XVerExtensionManagerFactory.createExtensionManager(context);
        var validator = new InstanceValidator(context, new Nothing(context), extensions, session, new ValidatorSettings());
        validator.setPolicyAdvisor(new Policy());
        validator.setResourceIdRule(IdStatus.OPTIONAL);
        validator.setErrorForUnknownProfiles(true);
        validator.setAnyExtensionsAllowed(false);
        validator.getExtensionDomains().addAll(extensionDomains);
        return validator;
    }

    private static NpmPackage read(Path file) throws IOException {
        try (var octets = Files.newInputStream(file)) {
            return NpmPackage.fromPackage(octets);
        }
    }

    private static UcumEssenceService ucum() throws IOException {
        try (var units = ValidatorUtils.class.getClassLoader().getResourceAsStream("ucum-essence.xml")) {
            return new UcumEssenceService(units);
        } catch (UcumException broken) {
            throw new IOException(broken);
        }
    }

    private static final class Silent implements ILoggingService {
        @Override
        public void logMessage(String message) {
            // the report says what was found
        }

        @Override
        public void logDebugMessage(LogCategory category, String message) {
            // nobody debugs the validator here
        }
    }
}
