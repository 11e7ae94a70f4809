package peers.ipf;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What happened, a line per step while it runs and a JSON file at the end. */
final class Report {
    private static final int SHOWN_CHARACTERS = 3000;

    private final PrintStream out;
    private final List<Map<String, Object>> steps = new ArrayList<>();
    private int failures;

    Report(PrintStream out) {
        this.out = out;
    }

    void passed(Step step, Trial trial, long milliseconds) {
        out.printf("ok    %-52s %5d ms  %s%n", step.fullName(), milliseconds, step.title());
        keep(step, trial, milliseconds, "passed");
    }

    void failed(Step step, Trial trial, long milliseconds, String failure) {
        failures++;
        out.printf("FAIL  %-52s %5d ms  %s%n      %s%n", step.fullName(), milliseconds, step.title(), failure);
        var entry = keep(step, trial, milliseconds, "failed");
        entry.put("failure", failure);
        if (!trial.messages.isEmpty()) {
            var last = trial.messages.get(trial.messages.size() - 1);
            entry.put("request", last.request);
            entry.put("answer", last.answer);
            show("request", last.request);
            show("answer (HTTP status \"" + last.httpStatus + "\")", last.answer);
        }
    }

    private void show(String what, String text) {
        var shown = text.length() <= SHOWN_CHARACTERS ? text : text.substring(0, SHOWN_CHARACTERS) + " …";
        out.println(("last " + what + ":\n" + shown).indent(8).stripTrailing());
    }

    private Map<String, Object> keep(Step step, Trial trial, long milliseconds, String outcome) {
        var entry = new LinkedHashMap<String, Object>();
        entry.put("transaction", step.transaction().label());
        entry.put("step", step.name());
        entry.put("title", step.title());
        entry.put("outcome", outcome);
        entry.put("milliseconds", milliseconds);
        entry.put("messages", trial.messages);
        steps.add(entry);
        return entry;
    }

    int failures() {
        return failures;
    }

    void close(String peer, Options options) throws IOException {
        out.printf("%d passed, %d failed: %s against %s and %s%n", steps.size() - failures, failures, peer,
                options.registry(), options.repository());
        if (options.report() != null) {
            write(peer, options);
        }
    }

    private void write(String peer, Options options) throws IOException {
        var whole = new LinkedHashMap<String, Object>();
        whole.put("peer", peer);
        whole.put("registry", options.registry().toString());
        whole.put("repository", options.repository().toString());
        whole.put("passed", steps.size() - failures);
        whole.put("failed", failures);
        whole.put("steps", steps);
        Path file = options.report();
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), whole);
    }
}
