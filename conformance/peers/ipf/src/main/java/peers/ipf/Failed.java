package peers.ipf;

/** A step did not end as it must: what was found and what was expected. */
final class Failed extends Exception {
    Failed(String text) {
        super(text);
    }

    Failed(String text, Throwable cause) {
        super(text, cause);
    }

    /** The messages of the exception and its causes, each once, innermost last. */
    static String describe(Throwable problem) {
        var text = new StringBuilder();
        for (var one = problem; one != null; one = one.getCause() == one ? null : one.getCause()) {
            var message = one.getMessage() == null ? one.getClass().getName() : one.getMessage();
            if (text.indexOf(message) < 0) {
                text.append(text.isEmpty() ? "" : ": ").append(message);
            }
        }
        return text.toString();
    }
}
