package peers.hapi;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line of the validator: packages in their order, resources, and where the report goes (null: nowhere). */
record Batch(List<Path> packages, List<Path> definitions, List<String> extensions, List<Path> resources, Path report) {

    /** Throws IllegalArgumentException with one sentence for the user. */
    static Batch read(List<String> arguments) {
        var packages = new ArrayList<Path>();
        var definitions = new ArrayList<Path>();
        var extensions = new ArrayList<String>();
        var resources = new ArrayList<Path>();
        Path report = null;
        for (var words = arguments.iterator(); words.hasNext(); ) {
            var word = words.next();
            if (!word.startsWith("--")) {
                resources.add(file(word));
                continue;
            }
            if (!words.hasNext()) {
                throw new IllegalArgumentException(word + " needs a value");
            }
            switch (word) {
                case "--package" -> packages.add(file(words.next()));
                case "--definition" -> definitions.add(file(words.next()));
                case "--extension" -> extensions.add(words.next());
                case "--report" -> report = Path.of(words.next());
                default -> throw new IllegalArgumentException("unknown option \"" + word + "\"");
            }
        }
        if (packages.isEmpty() || resources.isEmpty()) {
            throw new IllegalArgumentException("a --package and a resource are needed");
        }
        return new Batch(packages, definitions, extensions, resources, report);
    }

    private static Path file(String name) {
        var file = Path.of(name);
        if (!Files.isRegularFile(file)) {
            throw new IllegalArgumentException("there is no file \"" + name + "\"");
        }
        return file;
    }
}
