package peers.hapi;

/** A step did not end as it must: what was found and what was expected. */
final class Failed extends RuntimeException {
    Failed(String text) {
        super(text);
    }

    /** Throws Failed where the two differ. */
    static void unlessEqual(String what, Object found, Object expected) {
        if (!expected.equals(found)) {
            throw new Failed(what + ": found " + found + ", expected " + expected);
        }
    }
}
