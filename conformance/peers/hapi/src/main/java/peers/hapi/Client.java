package peers.hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.parser.StrictErrorHandler;
import ca.uhn.fhir.util.VersionUtil;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A document source and consumer of MHD made of the HAPI FHIR client: the whole scenario, once in each format. */
public final class Client {
    private static final int FAILED = 1;
    private static final int WRONG_USE = 2;
    private static final int MILLISECONDS = 1000;

    private Client() {
    }

    public static void main(String[] arguments) throws IOException {
        System.exit(run(List.of(arguments), new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8)));
    }

    static int run(List<String> arguments, PrintStream out) throws IOException {
        ClientOptions options;
        try {
            options = ClientOptions.read(arguments);
        } catch (IllegalArgumentException wrong) {
            System.err.println("client: " + wrong.getMessage() + " (--help shows the options)");
            return WRONG_USE;
        }
        if (options.help()) {
            out.print(ClientOptions.USAGE);
            return 0;
        }
        return play(options, out);
    }

    private static int play(ClientOptions options, PrintStream out) throws IOException {
        var context = context(options);
        var told = new ArrayList<Map<String, String>>();
        for (var format : List.of(EncodingEnum.JSON, EncodingEnum.XML)) {
            var trial = new Trial(context, options, format);
            Scenario.steps().forEach(step -> told.add(played(step, trial, out)));
        }
        if (options.report() != null) {
            var report = Map.of("peer", "HAPI FHIR " + VersionUtil.getVersion(), "steps", told);
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(options.report().toFile(), report);
        }
        var failures = told.stream().filter(one -> one.containsKey("failure")).count();
        out.printf("%d passed, %d failed: HAPI FHIR %s against %s%n", told.size() - failures, failures,
                VersionUtil.getVersion(), options.base());
        return failures == 0 ? 0 : FAILED;
    }

    /** HAPI as strict as it can be: what it does not know in an answer is an error. */
    private static FhirContext context(ClientOptions options) {
        var context = FhirContext.forR4();
        context.setParserErrorHandler(new StrictErrorHandler());
        var factory = context.getRestfulClientFactory();
        factory.setServerValidationMode(ServerValidationModeEnum.ONCE);
        factory.setSocketTimeout(options.timeoutSeconds() * MILLISECONDS);
        return context;
    }

    private static Map<String, String> played(Step step, Trial trial, PrintStream out) {
        var told = new LinkedHashMap<String, String>();
        told.put("transaction", step.transaction());
        told.put("step", step.name());
        told.put("format", trial.format.name());
        try {
            step.body().accept(trial);
            out.printf("ok    %-30s %s%n", step.fullName(), trial.format);
        } catch (RuntimeException failure) {
            var sentence = failure instanceof Failed ? failure.getMessage() : "HAPI stumbled: " + failure;
            told.put("failure", sentence);
            out.printf("FAIL  %-30s %s%n      %s%n", step.fullName(), trial.format, sentence);
        }
        return told;
    }
}
