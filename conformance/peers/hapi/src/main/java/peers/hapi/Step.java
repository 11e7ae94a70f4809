package peers.hapi;

import java.util.function.Consumer;

/** One step of the scenario: it passes when its body ends without an exception. */
record Step(String transaction, String name, Consumer<Trial> body) {
    String fullName() {
        return transaction + "/" + name;
    }
}
