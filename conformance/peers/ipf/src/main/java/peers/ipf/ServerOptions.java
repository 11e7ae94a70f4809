package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;

import java.util.ArrayList;
import java.util.List;

/** The command line of the server. */
record ServerOptions(int port, int mllp, String repositoryUniqueId, List<Identifiable> patients, boolean help) {

    static final String USAGE = """
            A Document Registry and Repository made of the IPF library: ITI-18, 41, 42, 43 in memory, on 127.0.0.1.

            Usage: server [options]

              --port N              HTTP; 0 takes a free one (default 0)
              --mllp N              patient identity feed (ITI-8); 0 takes a free one (default 0)
              --patient CX          a patient known from the start; may be repeated
              --repository-id OID   repositoryUniqueId (default 2.25.58021360)
              --help                this text

            The first line it prints says where it listens. It runs until it is ended.
            """;

    /** Throws IllegalArgumentException with one sentence for the user. */
    static ServerOptions read(List<String> arguments) {
        int port = 0;
        int mllp = 0;
        var repositoryUniqueId = "2.25.58021360";
        var patients = new ArrayList<Identifiable>();
        var help = false;
        for (var words = arguments.iterator(); words.hasNext(); ) {
            var option = words.next();
            if (option.equals("--help")) {
                help = true;
                continue;
            }
            if (!words.hasNext()) {
                throw new IllegalArgumentException("unknown option or no value: \"" + option + "\"");
            }
            var value = words.next();
            switch (option) {
                case "--port" -> port = Integer.parseInt(value);
                case "--mllp" -> mllp = Integer.parseInt(value);
                case "--repository-id" -> repositoryUniqueId = value;
                case "--patient" -> patients.add(Identifiable.parse(value));
                default -> throw new IllegalArgumentException("unknown option \"" + option + "\"");
            }
        }
        return new ServerOptions(port, mllp, repositoryUniqueId, List.copyOf(patients), help);
    }
}
