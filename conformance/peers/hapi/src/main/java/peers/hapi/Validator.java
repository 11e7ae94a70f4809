package peers.hapi;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import org.hl7.fhir.exceptions.FHIRException;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.utilities.validation.ValidationMessage.IssueSeverity;
import org.hl7.fhir.validation.instance.InstanceValidator;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The validator of HL7 over a batch of files, without network: against R4 and the profiles each resource declares. */
public final class Validator {
    static final String USAGE = """
            Validates FHIR R4 resources with HL7's own validator, each against R4 and the profiles in its meta.profile.

            Usage: validator --package FILE… [--report FILE] RESOURCE…

              --package FILE   a FHIR package (.tgz), that of the core first; repeatable
              --definition FILE  a StructureDefinition that no package has, as JSON; repeatable
              --extension URL  extensions below this URL are not known here, and taken; repeatable
              --report FILE    write every finding as JSON, warnings too
              --help           this text

            A RESOURCE is a .json or .xml file. Nothing is fetched: there is no terminology server.
            Exit code 0: no error, 1: an error, 2: wrong use.

            validator --package hl7.fhir.r4.core-4.0.1.tgz --package ihe.iti.mhd-4.2.4.tgz answer.json
            """;
    private static final int FOUND = 1;
    private static final int WRONG_USE = 2;

    private Validator() {
    }

    public static void main(String[] arguments) throws IOException {
        System.exit(run(List.of(arguments), new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8)));
    }

    static int run(List<String> arguments, PrintStream out) throws IOException {
        if (arguments.contains("--help")) {
            out.print(USAGE);
            return 0;
        }
        Batch batch;
        try {
            batch = Batch.read(arguments);
        } catch (IllegalArgumentException wrong) {
            System.err.println("validator: " + wrong.getMessage() + " (--help shows the options)");
            return WRONG_USE;
        }
        return validate(batch, out);
    }

    private static int validate(Batch batch, PrintStream out) throws IOException {
        var validator = Definitions.of(batch.packages(), batch.definitions()).validator(batch.extensions());
        var report = new LinkedHashMap<String, List<Map<String, String>>>();
        var errors = 0;
        for (var file : batch.resources()) {
            var findings = findings(validator, file);
            report.put(file.toString(), findings.stream().map(Validator::told).toList());
            for (var one : findings) {
                if (isError(one)) {
                    errors++;
                    out.printf("%s: %s: %s%n", file.getFileName(), one.getLocation(), one.getMessage());
                }
            }
        }
        if (batch.report() != null) {
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(batch.report().toFile(), report);
        }
        out.printf("%d resources, %d errors%n", batch.resources().size(), errors);
        return errors == 0 ? 0 : FOUND;
    }

    private static List<ValidationMessage> findings(InstanceValidator validator, Path file) throws IOException {
        var found = new ArrayList<ValidationMessage>();
        var format = file.toString().endsWith(".xml") ? FhirFormat.XML : FhirFormat.JSON;
        try (var octets = Files.newInputStream(file)) {
            validator.validate(null, found, octets, format);
        } catch (FHIRException unreadable) {
            found.add(new ValidationMessage().setLevel(IssueSeverity.FATAL).setLocation("").setMessage(unreadable.getMessage()));
        }
        return found;
    }

    private static boolean isError(ValidationMessage one) {
        return one.getLevel() == IssueSeverity.ERROR || one.getLevel() == IssueSeverity.FATAL;
    }

    private static Map<String, String> told(ValidationMessage one) {
        var told = new LinkedHashMap<String, String>();
        told.put("severity", one.getLevel().toCode());
        told.put("location", one.getLocation());
        told.put("message", one.getMessage());
        return told;
    }
}
