package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** An XDS document source, consumer and administrator made of IPF: one run of the whole scenario. */
public final class Client {
    private static final int FAILED = 1;
    private static final int WRONG_USE = 2;

    private Client() {
    }

    public static void main(String[] arguments) throws IOException {
        System.exit(run(List.of(arguments), new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8)));
    }

    static int run(List<String> arguments, PrintStream out) throws IOException {
        Options options;
        List<Step> steps;
        try {
            options = Options.read(arguments);
            steps = selected(options);
        } catch (IllegalArgumentException wrong) {
            System.err.println("client: " + wrong.getMessage() + " (--help shows the options)");
            return WRONG_USE;
        }
        if (options.help() || options.list()) {
            out.print(options.help() ? Options.USAGE : list(steps));
            return 0;
        }
        return play(options, steps, new Report(out));
    }

    /** Every step in the order in which it is played. */
    static List<Step> scenario(Fixtures fixtures, String home) {
        return Stream.of(
                ProvideSteps.of(fixtures),
                RegisterSteps.of(fixtures),
                QuerySteps.of(fixtures),
                QuerySteps.multiplePatients(fixtures),
                RetrieveSteps.of(fixtures),
                UpdateSteps.of(fixtures),
                RegisterSteps.onDemand(fixtures),
                UpdateSteps.restricted(fixtures, home),
                RemoveSteps.of(fixtures),
                RetrieveSteps.removal(fixtures)).flatMap(List::stream).toList();
    }

    private static List<Step> selected(Options options) {
        var all = scenario(new Fixtures(new Metadata(options.patient(), options.codes())), options.home());
        Set<String> known = all.stream().flatMap(step -> Stream.of(step.transaction().label(), step.fullName()))
                .collect(Collectors.toSet());
        for (var name : options.only()) {
            if (!known.contains(name)) {
                throw new IllegalArgumentException("--only knows no \"" + name + "\"; transactions are " + Transaction.labels());
            }
        }
        return all.stream().filter(options::selects).toList();
    }

    private static String list(List<Step> steps) {
        return steps.stream().map(step -> "%-52s %s%n".formatted(step.fullName(), step.title())).collect(Collectors.joining());
    }

    private static int play(Options options, List<Step> steps, Report report) throws IOException {
        try (var conversation = new Conversation(options.registry(), options.repository(), options.timeoutSeconds())) {
            steps.forEach(step -> play(step, conversation, report));
        }
        report.close("IPF " + QueryRegistry.class.getPackage().getImplementationVersion(), options);
        return report.failures() == 0 ? 0 : FAILED;
    }

    private static void play(Step step, Conversation conversation, Report report) {
        var trial = new Trial(conversation);
        var began = System.nanoTime();
        try {
            step.body().run(trial);
            report.passed(step, trial, since(began));
        } catch (Failed failure) {
            report.failed(step, trial, since(began), failure.getMessage());
        } catch (RuntimeException unexpected) {
            report.failed(step, trial, since(began), "IPF stumbled: " + Failed.describe(unexpected));
        }
    }

    private static long since(long began) {
        return (System.nanoTime() - began) / 1_000_000;
    }
}
