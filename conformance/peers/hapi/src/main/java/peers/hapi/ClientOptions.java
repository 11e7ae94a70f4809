package peers.hapi;

import java.net.URI;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;

/** The command line of the client. */
record ClientOptions(String base, String token, Path report, int timeoutSeconds, boolean help) {

    static final String USAGE = """
            Feeds and reads an MHD server with the HAPI FHIR client, in JSON and in XML, and judges every answer.

            Usage: client --base URL [options]

              --base URL         FHIR base of the server, such as http://127.0.0.1:8080/fhir; it takes Patients by POST
              --token TOKEN      bearer token of every request
              --report FILE      write the steps as JSON
              --timeout SECONDS  for each answer (default 30)
              --help             this text

            Exit code 0: every step passed, 1: a step failed, 2: wrong use.

            client --base http://127.0.0.1:8080/fhir
            """;

    /** Throws IllegalArgumentException with one sentence for the user. */
    static ClientOptions read(List<String> arguments) {
        String base = null;
        String token = null;
        Path report = null;
        var timeoutSeconds = 30;
        var help = false;
        for (var words = arguments.iterator(); words.hasNext(); ) {
            var word = words.next();
            switch (word) {
                case "--base" -> base = url(value(word, words));
                case "--token" -> token = value(word, words);
                case "--report" -> report = Path.of(value(word, words));
                case "--timeout" -> timeoutSeconds = Integer.parseInt(value(word, words));
                case "--help", "-h" -> help = true;
                default -> throw new IllegalArgumentException("unknown option \"" + word + "\"");
            }
        }
        if (base == null && !help) {
            throw new IllegalArgumentException("--base is needed");
        }
        return new ClientOptions(base, token, report, timeoutSeconds, help);
    }

    private static String value(String option, Iterator<String> words) {
        if (!words.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value");
        }
        return words.next();
    }

    private static String url(String text) {
        var url = URI.create(text);
        if (url.getRawAuthority() == null || !List.of("http", "https").contains(url.getScheme())) {
            throw new IllegalArgumentException("--base takes an http or https URL, found \"" + text + "\"");
        }
        return text;
    }
}
