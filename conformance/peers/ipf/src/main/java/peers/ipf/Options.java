package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;

import java.net.URI;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The command line of the client. */
record Options(URI registry, URI repository, Identifiable patient, Set<String> only, Path report, int timeoutSeconds,
               String home, Codes codes, boolean list, boolean help) {

    static final String USAGE = """
            Sends IHE XDS transactions with the IPF library and lets IPF's own validators judge every answer.

            Usage: client --registry URL --repository URL --patient CX [options]

              --registry URL        ITI-18, 42, 51, 57, 61, 62, 92 go here
              --repository URL      ITI-41, 43, 86 go here
              --patient CX          a patient the registry knows: ID^^^&OID&ISO
              --only NAMES          transactions or steps, separated by commas: iti18,iti43/unknown
              --code NAME=CODE^DISPLAY^SCHEME
                                    the value of a coded attribute, where the affinity domain closes its list
              --home URN            homeCommunityId of the registry, urn:oid:…; IPF cannot send ITI-92 without
              --report FILE         write the report as JSON
              --timeout SECONDS     for each answer (default 30)
              --list                print the steps and stop
              --help                this text

            Exit code 0: every step passed, 1: a step failed, 2: wrong use.

            client --registry http://127.0.0.1:8080/xds/registry --repository http://127.0.0.1:8080/xds/repository \\
                   --patient 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO'
            """;

    /** Throws IllegalArgumentException with one sentence for the user. */
    static Options read(List<String> arguments) {
        var given = new Given();
        for (var words = arguments.iterator(); words.hasNext(); ) {
            given.take(words.next(), words);
        }
        return given.options();
    }

    boolean selects(Step step) {
        return only.isEmpty() || only.contains(step.transaction().label()) || only.contains(step.fullName());
    }

    private static final class Given {
        private URI registry;
        private URI repository;
        private Identifiable patient;
        private final Set<String> only = new LinkedHashSet<>();
        private Path report;
        private int timeoutSeconds = 30;
        private String home;
        private final Codes codes = new Codes();
        private boolean list;
        private boolean help;

        void take(String option, Iterator<String> words) {
            switch (option) {
                case "--registry" -> registry = url(option, value(option, words));
                case "--repository" -> repository = url(option, value(option, words));
                case "--patient" -> patient = patient(value(option, words));
                case "--only" -> only.addAll(List.of(value(option, words).split(",")));
                case "--report" -> report = Path.of(value(option, words));
                case "--timeout" -> timeoutSeconds = Integer.parseInt(value(option, words));
                case "--home" -> home = value(option, words);
                case "--code" -> codes.override(value(option, words));
                case "--list" -> list = true;
                case "--help", "-h" -> help = true;
                default -> throw new IllegalArgumentException("unknown option \"" + option + "\"");
            }
        }

        private static String value(String option, Iterator<String> words) {
            if (!words.hasNext()) {
                throw new IllegalArgumentException(option + " needs a value");
            }
            return words.next();
        }

        private static URI url(String option, String text) {
            var url = URI.create(text);
            if (url.getRawAuthority() == null || !List.of("http", "https").contains(url.getScheme())) {
                throw new IllegalArgumentException(option + " takes an http or https URL, found \"" + text + "\"");
            }
            return url;
        }

        private static Identifiable patient(String text) {
            var patient = Identifiable.parse(text);
            if (patient == null || patient.getId() == null || patient.getAssigningAuthority() == null) {
                throw new IllegalArgumentException("--patient takes ID^^^&OID&ISO, found \"" + text + "\"");
            }
            return patient;
        }

        Options options() {
            if (!list && !help && (registry == null || repository == null || patient == null)) {
                throw new IllegalArgumentException("--registry, --repository and --patient are needed");
            }
            if (home != null && !home.matches("urn:oid:[1-9][0-9.]*")) {
                throw new IllegalArgumentException("--home takes urn:oid: and an OID, found \"" + home + "\"");
            }
            return new Options(registry, repository, patient, only, report, timeoutSeconds, home, codes, list, help);
        }
    }
}
